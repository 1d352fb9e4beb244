#include "base/lifecycle.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <thread>
#include <vector>

namespace racewatch::base {
namespace {

class Recorder final : public Component {
 public:
  Recorder(std::string name, std::vector<std::string>* events, Status start = {})
      : name_(std::move(name)), events_(events), start_(std::move(start)) {}
  std::string name() const override { return name_; }
  Status Start() override {
    events_->push_back("start " + name_);
    return start_;
  }
  Status Stop(std::chrono::milliseconds) override {
    events_->push_back("stop " + name_);
    return {};
  }

 private:
  const std::string name_;
  std::vector<std::string>* const events_;
  const Status start_;
};

class LifecycleTest : public testing::Test {
 protected:
  Log log_{{false, LogLevel::kError, "test"}};
  std::vector<std::string> events_;
};

TEST_F(LifecycleTest, StopsInReverseOrderOnTerm) {
  Lifecycle lifecycle(log_);
  Recorder sink("sink", &events_);
  Recorder source("source", &events_);
  lifecycle.Add(sink);
  lifecycle.Add(source);
  std::jthread killer([&] {
    while (!lifecycle.running()) std::this_thread::yield();
    kill(getpid(), SIGTERM);
  });
  EXPECT_TRUE(lifecycle.Run().ok());
  EXPECT_EQ(events_,
            (std::vector<std::string>{"start sink", "start source", "stop source", "stop sink"}));
}

TEST_F(LifecycleTest, StopsWhatHadStartedWhenAStartFails) {
  Lifecycle lifecycle(log_);
  Recorder sink("sink", &events_);
  Recorder broken("broken", &events_, Unavailable("port taken"));
  lifecycle.Add(sink);
  lifecycle.Add(broken);
  const Status status = lifecycle.Run();
  EXPECT_EQ(status.message(), "port taken");
  EXPECT_EQ(events_, (std::vector<std::string>{"start sink", "start broken", "stop sink"}));
}

TEST_F(LifecycleTest, ReturnsTheReasonOfAComponentThatGaveUp) {
  Lifecycle lifecycle(log_);
  Recorder sink("sink", &events_);
  lifecycle.Add(sink);
  std::jthread fault([&] {
    while (!lifecycle.running()) std::this_thread::yield();
    lifecycle.RequestStop(FailedPrecondition("fenced"));
  });
  EXPECT_EQ(lifecycle.Run().message(), "fenced");
}

}  // namespace
}  // namespace racewatch::base
