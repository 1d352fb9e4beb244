// kill -9 of the whole role, again and again: what the sink has acknowledged is never lost and never needed
// to be remembered before that. The role runs in a child process; its sink's disk is a pipe to the test.
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>

#include "tests/ingest/role_fixture.h"

namespace racewatch::ingest {
namespace {

// Delivered = written to the pipe. Reports come on a thread of its own, some time later.
class PipeSink final : public base::Sink {
 public:
  explicit PipeSink(int fd) : fd_(fd), thread_([this](std::stop_token stop) { Report(stop); }) {}
  base::Status Send(base::Record record, base::DeliveryCallback on_delivery) override {
    const std::lock_guard lock(mutex_);
    pending_.emplace_back(record.key, std::move(on_delivery));
    return {};
  }
  base::Status Flush(std::chrono::milliseconds) override { return {}; }
  size_t queued_bytes() const override { return 0; }
  base::Status Close(std::chrono::milliseconds) override { return {}; }

 private:
  void Report(std::stop_token stop) {
    while (!stop.stop_requested()) {
      std::vector<std::pair<std::string, base::DeliveryCallback>> batch;
      {
        const std::lock_guard lock(mutex_);
        batch.swap(pending_);
      }
      for (auto& [key, callback] : batch) {
        const std::string line = key + "\n";  // below PIPE_BUF: written whole or not at all
        if (write(fd_, line.data(), line.size()) == static_cast<ssize_t>(line.size())) callback({});
      }
      std::this_thread::yield();
    }
  }
  const int fd_;
  std::mutex mutex_;
  std::vector<std::pair<std::string, base::DeliveryCallback>> pending_;
  std::jthread thread_;
};

class CrashTest : public RoleTest {
 protected:
  // The child's life: start, settle, say "done", wait for the kill.
  [[noreturn]] void Live(int fd) {
    PipeSink sink(fd);
    prometheus::Registry registry;
    base::HttpServer http({"127.0.0.1:0"});
    base::SystemClock clock;
    IngestRole role(config_, sink, clock, registry, test_log_, http, state_dir_);
    if (!role.Start().ok()) _exit(1);
    while (!role.Idle()) std::this_thread::yield();
    [[maybe_unused]] const ssize_t n = write(fd, "done\n", 5);
    pause();
    _exit(0);
  }

  // Kills the child once it has delivered `kill_after` articles (or is done). True when it was done.
  bool LifeUntil(size_t kill_after) {
    int fds[2];
    EXPECT_EQ(pipe(fds), 0);
    const pid_t child = fork();
    if (child == 0) {
      close(fds[0]);
      Live(fds[1]);
    }
    close(fds[1]);
    std::string text;
    char chunk[4096];
    bool killed = false;
    for (ssize_t n; (n = read(fds[0], chunk, sizeof chunk)) > 0;) {
      text.append(chunk, static_cast<size_t>(n));
      const auto lines = static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
      const bool done = text.find("done\n") != std::string::npos;
      if (!killed && (lines >= kill_after || done)) {
        kill(child, SIGKILL);
        killed = true;
      }
    }
    waitpid(child, nullptr, 0);
    close(fds[0]);
    bool done = false;
    for (size_t at = 0; at < text.size();) {
      const size_t end = text.find('\n', at);
      if (end == std::string::npos) break;
      const std::string line = text.substr(at, end - at);
      if (line == "done")
        done = true;
      else
        delivered_.push_back(line);
      at = end + 1;
    }
    return done;
  }

  std::vector<std::string> delivered_;  // over all lives, in order
};

TEST_F(CrashTest, KilledInMidDeliveryAgainAndAgainNothingIsLost) {
  constexpr size_t kFeeds = 8, kItems = 50;
  for (size_t f = 0; f < kFeeds; ++f) {
    std::vector<Item> items;
    for (size_t i = 0; i < kItems; ++i) {
      const std::string name = std::to_string(f) + "-" + std::to_string(i);
      items.push_back({"Item " + name, "https://a.example/" + name});
    }
    const std::string path = "/feed" + std::to_string(f);
    server_.Serve(path, fakes::WithValidators(Rss(items), "\"v\""));
    AddFeed(server_.Url(path), 3600);
  }
  for (const size_t kill_after : {1, 3, 17, 60, 111, 250}) LifeUntil(kill_after);
  LifeUntil(100'000);
  const std::set<std::string> distinct(delivered_.begin(), delivered_.end());
  EXPECT_EQ(distinct.size(), kFeeds * kItems);
  // What was acknowledged and marked before a kill is not sent again: a last life adds nothing.
  const size_t before = delivered_.size();
  EXPECT_TRUE(LifeUntil(100'000));
  EXPECT_EQ(delivered_.size(), before);
}

}  // namespace
}  // namespace racewatch::ingest
