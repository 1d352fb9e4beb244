#include "tests/fakes/fake_bus.h"

#include "tests/base/bus_conformance.h"
#include "tests/fakes/manual_clock.h"

namespace racewatch::base {
namespace {

using fakes::FakeLog;
using fakes::FakeSink;
using fakes::FakeSource;

class FakeHarness final : public BusHarness {
 public:
  static std::string SkipReason() { return ""; }
  std::string MakeTopic(int32_t partitions) override {
    log_.CreateTopic("topic", partitions);
    return "topic";
  }
  std::unique_ptr<Source> MakeSource(SourceOptions options) override {
    return std::make_unique<FakeSource>(log_, std::move(options));
  }
  std::unique_ptr<Sink> MakeSink(size_t queue_bytes_max) override {
    return std::make_unique<FakeSink>(log_, queue_bytes_max);
  }
  void Expire(const TopicPartition& where, int64_t offset) override { log_.Expire(where, offset); }

 private:
  FakeLog log_;
};
INSTANTIATE_TYPED_TEST_SUITE_P(Fake, BusConformance, FakeHarness);

class FakeBus : public ::testing::Test {
 protected:
  FakeBus() { log_.CreateTopic("t", 2); }
  fakes::ManualClock clock_;
  FakeLog log_{2, &clock_};
};

TEST_F(FakeBus, ACorkedSinkTakesButDoesNotDeliver) {
  FakeSink sink(log_);
  sink.Cork();
  bool delivered = false;
  ASSERT_TRUE(
      sink.Send(MakeRecord("t", "k", "v"), [&](const Delivery& d) { delivered = d.status.ok(); })
          .ok());
  EXPECT_EQ(sink.Flush(milliseconds(1)).code(), Code::kDeadlineExceeded);
  EXPECT_FALSE(delivered);
  EXPECT_TRUE(log_.Records("t").empty());
  sink.Uncork();
  ASSERT_TRUE(sink.Flush(kPatience).ok());
  EXPECT_TRUE(delivered);
  EXPECT_EQ(log_.Records("t").size(), 1u);
}

TEST_F(FakeBus, AFailedDeliveryIsNotInTheLogAndALostReportIs) {
  FakeSink sink(log_);
  std::vector<Code> codes;
  const auto note = [&](const Delivery& d) { codes.push_back(d.status.code()); };
  sink.FailNextDelivery(Unavailable("away"));
  ASSERT_TRUE(sink.Send(MakeRecord("t", "a", "failed"), note).ok());
  ASSERT_TRUE(sink.Flush(kPatience).ok());
  sink.LoseNextReport(DeadlineExceeded("no report"));
  ASSERT_TRUE(sink.Send(MakeRecord("t", "b", "lost"), note).ok());
  ASSERT_TRUE(sink.Send(MakeRecord("t", "c", "good"), note).ok());
  ASSERT_TRUE(sink.Flush(kPatience).ok());
  EXPECT_EQ(codes, (std::vector{Code::kUnavailable, Code::kDeadlineExceeded, Code::kOk}));
  EXPECT_EQ(Values(log_.Records("t")), (std::multiset<std::string>{"good", "lost"}));
}

TEST_F(FakeBus, CloseReportsWhatItCouldNotDeliver) {
  FakeSink sink(log_);
  sink.Cork();
  Code code = Code::kOk;
  ASSERT_TRUE(
      sink.Send(MakeRecord("t", "k", "v"), [&](const Delivery& d) { code = d.status.code(); })
          .ok());
  EXPECT_FALSE(sink.Close(milliseconds(1)).ok());
  EXPECT_EQ(code, Code::kDeadlineExceeded);
  EXPECT_EQ(sink.queued_bytes(), 0u);
}

TEST_F(FakeBus, AFullQueueRefuses) {
  FakeSink sink(log_);
  sink.SetQueueFull(true);
  EXPECT_EQ(sink.Send(MakeRecord("t", "k", "v"), nullptr).code(), Code::kResourceExhausted);
  sink.SetQueueFull(false);
  EXPECT_TRUE(sink.Send(MakeRecord("t", "k", "v"), nullptr).ok());
}

TEST_F(FakeBus, AnUnknownTopicIsRefused) {
  FakeSink sink(log_);
  EXPECT_EQ(sink.Send(MakeRecord("nowhere", "k", "v"), nullptr).code(), Code::kInvalidArgument);
}

TEST_F(FakeBus, ARevokedPartitionMayCommitAndALostOneMayNot) {
  for (const bool lost : {false, true}) {
    RecordingListener listener;
    FakeSource source(log_, {{"t"}, lost ? "lost" : "kept", &listener});
    log_.Append(MakeRecord("t", "k", "v", 0));
    const auto records = PollRecords(source, 1);
    ASSERT_FALSE(records.empty());
    listener.on_revoked = [&](const auto&, bool was_lost) {
      EXPECT_EQ(was_lost, lost);
      EXPECT_TRUE(source.Commit(NextPositions(records)).ok());
    };
    source.TakeAway({{"t", 0}}, lost);
    ASSERT_TRUE(source.Poll({}, milliseconds(0)).ok());
    EXPECT_EQ(source.assignment(), (std::vector<TopicPartition>{{"t", 1}}));
    EXPECT_EQ(log_.Committed(lost ? "lost" : "kept", {"t", 0}) > 0, !lost);
    listener.on_revoked = nullptr;
    source.GiveBack({{"t", 0}});
    ASSERT_TRUE(source.Poll({}, milliseconds(0)).ok());
    EXPECT_EQ(source.assignment().size(), 2u);
  }
}

TEST_F(FakeBus, WhileTheBrokerIsAwayNothingIsReadDeliveredOrLost) {
  FakeSink sink(log_);
  FakeSource source(log_, {{"t"}, "g", nullptr});
  log_.SetUnavailable(true);
  ASSERT_TRUE(sink.Send(MakeRecord("t", "k", "v"), nullptr).ok());
  EXPECT_EQ(source.Poll({}, milliseconds(0)).status().code(), Code::kUnavailable);
  EXPECT_EQ(source.Commit({}).code(), Code::kUnavailable);
  EXPECT_EQ(source.ClusterId().status().code(), Code::kUnavailable);
  EXPECT_TRUE(log_.Records("t").empty());
  log_.SetUnavailable(false);
  EXPECT_EQ(PollRecords(source, 1).size(), 1u);
}

TEST_F(FakeBus, AReplacedClusterCountsAsAGap) {
  FakeSource source(log_, {{"t"}, "g", nullptr});
  log_.Append(MakeRecord("t", "k", "old", 0));
  ASSERT_EQ(PollRecords(source, 1).size(), 1u);
  log_.Replace("another");
  ASSERT_TRUE(source.Poll({}, milliseconds(0)).ok());
  EXPECT_EQ(source.gaps(), 1);
  EXPECT_EQ(source.ClusterId().value(), "another");
}

TEST_F(FakeBus, FencingIsFinal) {
  FakeSource source(log_, {{"t"}, "g", nullptr});
  source.Fence();
  EXPECT_EQ(source.Poll({}, milliseconds(0)).status().code(), Code::kFailedPrecondition);
  EXPECT_EQ(source.Commit({}).code(), Code::kFailedPrecondition);
}

TEST_F(FakeBus, PlannedFailuresHappenOnce) {
  FakeSource source(log_, {{"t"}, "g", nullptr});
  source.FailNextPoll(DataLoss("bad block"));
  EXPECT_EQ(source.Poll({}, milliseconds(0)).status().code(), Code::kDataLoss);
  EXPECT_TRUE(source.Poll({}, milliseconds(0)).ok());
  source.FailNextCommit(Unavailable("coordinator moved"));
  EXPECT_EQ(source.Commit({{{"t", 0}, 1}}).code(), Code::kUnavailable);
  EXPECT_EQ(log_.Committed("g", {"t", 0}), -1);
  EXPECT_TRUE(source.Commit({{{"t", 0}, 1}}).ok());
  EXPECT_EQ(log_.Committed("g", {"t", 0}), 1);
}

TEST_F(FakeBus, StampsRecordsByItsClock) {
  log_.Append(MakeRecord("t", "k", "v"));
  clock_.Advance(5000);
  log_.Append(MakeRecord("t", "k", "v"));
  const auto records = log_.Records("t");
  EXPECT_EQ(records[1].timestamp_ms - records[0].timestamp_ms, 5000);
}

}  // namespace
}  // namespace racewatch::base
