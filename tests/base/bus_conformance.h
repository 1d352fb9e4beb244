// What every bus must do, as one suite that runs against FakeLog, the embedded log and Apache
// Kafka, so that none of them drifts. A harness makes topics, sources and sinks of one bus:
//   INSTANTIATE_TYPED_TEST_SUITE_P(Fake, BusConformance, FakeHarness);
// Waits are generous (kPatience) and end as soon as the expected thing happened.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/bus/partitioner.h"
#include "base/bus/sink.h"
#include "base/bus/source.h"

namespace racewatch::base {

using std::chrono::milliseconds;
inline constexpr milliseconds kPatience{30'000};

// One bus under test. Topics of different tests never share a name.
class BusHarness {
 public:
  virtual ~BusHarness() = default;
  virtual std::string MakeTopic(int32_t partitions) = 0;
  virtual std::unique_ptr<Source> MakeSource(SourceOptions options) = 0;
  virtual std::unique_ptr<Sink> MakeSink(size_t queue_bytes_max) = 0;
  // Retention: forgets the records before `offset`.
  virtual void Expire(const TopicPartition& where, int64_t offset) = 0;
};

// Keeps what it is told, answers with `positions`, and may act at a revocation.
class RecordingListener final : public AssignmentListener {
 public:
  std::map<TopicPartition, int64_t> OnAssigned(
      const std::vector<TopicPartition>& partitions) override {
    owned.insert(partitions.begin(), partitions.end());
    return positions;
  }
  void OnRevoked(const std::vector<TopicPartition>& partitions, bool lost) override {
    if (on_revoked) on_revoked(partitions, lost);
    for (const auto& where : partitions) owned.erase(where);
    revoked.insert(revoked.end(), partitions.begin(), partitions.end());
  }
  std::set<TopicPartition> owned;
  std::vector<TopicPartition> revoked;
  std::map<TopicPartition, int64_t> positions;
  std::function<void(const std::vector<TopicPartition>&, bool)> on_revoked;
};

inline Record MakeRecord(const std::string& topic, const std::string& key, const std::string& value,
                         int32_t partition = -1) {
  Record record;
  record.topic = topic;
  record.key = key;
  record.value = value;
  record.partition = partition;
  return record;
}

// Sends and waits for the deliveries; every one must be good.
inline std::vector<Position> SendAll(Sink& sink, const std::vector<Record>& records) {
  std::vector<Position> positions(records.size());
  std::atomic<size_t> good{0};
  for (size_t i = 0; i < records.size(); ++i) {
    const Status sent = sink.Send(records[i], [&, i](const Delivery& d) {
      positions[i] = d.position;
      if (d.status.ok()) ++good;
    });
    EXPECT_TRUE(sent.ok()) << sent.ToString();
  }
  const Status flushed = sink.Flush(kPatience);
  EXPECT_TRUE(flushed.ok()) << flushed.ToString();
  EXPECT_EQ(good, records.size());
  return positions;
}

inline std::vector<Record> MakeRecords(const std::string& topic, int n,
                                       const std::string& prefix = "v", int32_t partition = -1) {
  std::vector<Record> records;
  for (int i = 0; i < n; ++i)
    records.push_back(
        MakeRecord(topic, "key" + std::to_string(i), prefix + std::to_string(i), partition));
  return records;
}

// Polls until `done` or kPatience; everything that came.
inline std::vector<Record> PollUntil(Source& source,
                                     const std::function<bool(const std::vector<Record>&)>& done,
                                     const PollLimits& limits = {}) {
  std::vector<Record> all;
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!done(all) && std::chrono::steady_clock::now() < deadline) {
    auto batch = source.Poll(limits, milliseconds(50));
    if (!batch.ok() && batch.status().retryable()) continue;
    EXPECT_TRUE(batch.ok()) << batch.status().ToString();
    if (!batch.ok()) break;
    all.insert(all.end(), batch->begin(), batch->end());
  }
  return all;
}

inline std::vector<Record> PollRecords(Source& source, size_t n) {
  return PollUntil(source, [n](const auto& all) { return all.size() >= n; });
}

// Polls a few times more: nothing may come.
inline void ExpectNothingMore(Source& source) {
  for (int i = 0; i < 5; ++i) {
    auto batch = source.Poll({}, milliseconds(20));
    ASSERT_TRUE(batch.ok()) << batch.status().ToString();
    EXPECT_TRUE(batch->empty()) << "unexpected " << batch->front().value;
  }
}

inline std::vector<Position> NextPositions(const std::vector<Record>& records) {
  std::map<TopicPartition, int64_t> next;
  for (const Record& r : records) next[{r.topic, r.partition}] = r.offset + 1;
  std::vector<Position> positions;
  for (const auto& [where, offset] : next) positions.push_back({where, offset});
  return positions;
}

inline std::multiset<std::string> Values(const std::vector<Record>& records) {
  std::multiset<std::string> values;
  for (const Record& r : records) values.insert(r.value);
  return values;
}

template <typename Harness>
class BusConformance : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string reason = Harness::SkipReason(); !reason.empty()) GTEST_SKIP() << reason;
    bus_ = std::make_unique<Harness>();
    topic_ = bus_->MakeTopic(4);
    sink_ = bus_->MakeSink(32u << 20);
  }
  void TearDown() override {
    if (sink_) {
      EXPECT_TRUE(sink_->Close(kPatience).ok());
    }
  }
  std::unique_ptr<Source> MakeSource(const std::string& group,
                                     AssignmentListener* listener = nullptr) {
    return bus_->MakeSource({{topic_}, group, listener});
  }
  // A group name nobody else uses.
  std::string Group() const { return topic_ + "-group"; }

  std::unique_ptr<BusHarness> bus_;
  std::string topic_;
  std::unique_ptr<Sink> sink_;
};

TYPED_TEST_SUITE_P(BusConformance);

TYPED_TEST_P(BusConformance, HandsOutRecordsInOffsetOrderPerPartition) {
  SendAll(*this->sink_, MakeRecords(this->topic_, 200));
  auto source = this->MakeSource("");
  const auto records = PollRecords(*source, 200);
  ASSERT_EQ(records.size(), 200u);
  std::map<int32_t, int64_t> next;
  for (const Record& r : records) EXPECT_EQ(r.offset, next[r.partition]++);
  EXPECT_EQ(next.size(), 4u);
}

TYPED_TEST_P(BusConformance, DeliveryNamesThePositionAtWhichTheRecordIsRead) {
  const auto sent = MakeRecords(this->topic_, 50);
  const auto positions = SendAll(*this->sink_, sent);
  std::map<std::string, Position> by_key;
  for (size_t i = 0; i < sent.size(); ++i) by_key[sent[i].key] = positions[i];
  auto source = this->MakeSource("");
  const auto records = PollRecords(*source, 50);
  ASSERT_EQ(records.size(), 50u);
  for (const Record& r : records)
    EXPECT_EQ(by_key[r.key], (Position{{r.topic, r.partition}, r.offset}));
}

TYPED_TEST_P(BusConformance, PutsAKeyWhereKafkasJavaClientPutsIt) {
  for (const Position& p :
       SendAll(*this->sink_, {MakeRecord(this->topic_, "0123456789abcdef", "v")}))
    EXPECT_EQ(p.where.partition, PartitionForKey("0123456789abcdef", 4));
}

TYPED_TEST_P(BusConformance, KeepsKeyValueHeadersAndTime) {
  Record sent = MakeRecord(this->topic_, std::string("k\0y", 3), std::string("v\0\xff", 3), 2);
  sent.headers = {{"content-type", "text/plain"}, {"twice", "1"}, {"twice", "2"}, {"empty", ""}};
  sent.timestamp_ms = 1'767'571'234'567;
  SendAll(*this->sink_, {sent});
  auto source = this->MakeSource("");
  const auto records = PollRecords(*source, 1);
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].key, sent.key);
  EXPECT_EQ(records[0].value, sent.value);
  EXPECT_EQ(records[0].headers, sent.headers);
  EXPECT_EQ(records[0].timestamp_ms, sent.timestamp_ms);
  EXPECT_EQ(records[0].partition, 2);
  EXPECT_FALSE(records[0].tombstone);
}

TYPED_TEST_P(BusConformance, TellsATombstoneFromAnEmptyValue) {
  Record tombstone = MakeRecord(this->topic_, "gone", "", 0);
  tombstone.tombstone = true;
  SendAll(*this->sink_, {tombstone, MakeRecord(this->topic_, "here", "", 0)});
  auto source = this->MakeSource("");
  const auto records = PollRecords(*source, 2);
  ASSERT_EQ(records.size(), 2u);
  EXPECT_TRUE(records[0].tombstone);
  EXPECT_FALSE(records[1].tombstone);
}

TYPED_TEST_P(BusConformance, CarriesALargeRecordWhole) {
  std::string large(3u << 20, 'x');
  for (size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 2654435761u >> 13);
  SendAll(*this->sink_,
          {MakeRecord(this->topic_, "big", large, 0), MakeRecord(this->topic_, "small", "s", 0)});
  auto source = this->MakeSource("");
  const auto records =
      PollUntil(*source, [](const auto& all) { return all.size() >= 2; }, {500, 1024});
  ASSERT_EQ(records.size(), 2u);
  EXPECT_TRUE(records[0].value == large);
}

TYPED_TEST_P(BusConformance, RefusesARecordThatCanNeverBeSent) {
  EXPECT_EQ(
      this->sink_
          ->Send(MakeRecord(this->topic_, "k", std::string(kRecordBytesMax + 1, 'x')), nullptr)
          .code(),
      Code::kInvalidArgument);
  EXPECT_EQ(this->sink_->queued_bytes(), 0u);
}

TYPED_TEST_P(BusConformance, KeepsToTheLimitsOfAPoll) {
  SendAll(*this->sink_, MakeRecords(this->topic_, 50, std::string(1000, 'v')));
  auto source = this->MakeSource("");
  size_t n = 0;
  PollUntil(*source, [&n](const auto& all) { return (n = all.size()) >= 50; }, {7, 1u << 20});
  EXPECT_EQ(n, 50u);
  auto again = this->MakeSource("");
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  for (n = 0; n < 50 && std::chrono::steady_clock::now() < deadline;) {
    auto batch = again->Poll({n % 2 == 0 ? 7u : 500u, 3500}, milliseconds(50));
    ASSERT_TRUE(batch.ok());
    EXPECT_LE(batch->size(), 3u);
    n += batch->size();
  }
  EXPECT_EQ(n, 50u);
}

TYPED_TEST_P(BusConformance, ResumesAtTheCommittedPosition) {
  SendAll(*this->sink_, MakeRecords(this->topic_, 40, "a"));
  {
    auto source = this->MakeSource(this->Group());
    const auto records = PollRecords(*source, 40);
    ASSERT_EQ(records.size(), 40u);
    ASSERT_TRUE(source->Commit(NextPositions(records)).ok());
    ASSERT_TRUE(source->Close().ok());
  }
  const auto fresh = MakeRecords(this->topic_, 20, "b");
  SendAll(*this->sink_, fresh);
  auto source = this->MakeSource(this->Group());
  EXPECT_EQ(Values(PollRecords(*source, 20)), Values(fresh));
  ExpectNothingMore(*source);
  EXPECT_EQ(source->gaps(), 0);
}

TYPED_TEST_P(BusConformance, HandsOutAgainWhatWasNotCommitted) {
  const auto sent = MakeRecords(this->topic_, 30);
  SendAll(*this->sink_, sent);
  std::vector<Record> first;
  {
    auto source = this->MakeSource(this->Group());
    first = PollRecords(*source, 30);
    std::vector<Position> half = NextPositions(first);
    std::erase_if(half, [](const Position& p) { return p.where.partition >= 2; });
    ASSERT_TRUE(source->Commit(half).ok());
  }
  auto source = this->MakeSource(this->Group());
  std::multiset<std::string> uncommitted;
  for (const Record& r : first)
    if (r.partition >= 2) uncommitted.insert(r.value);
  ASSERT_FALSE(uncommitted.empty());
  EXPECT_EQ(Values(PollRecords(*source, uncommitted.size())), uncommitted);
  ExpectNothingMore(*source);
}

TYPED_TEST_P(BusConformance, GroupsDoNotDisturbOneAnother) {
  SendAll(*this->sink_, MakeRecords(this->topic_, 10));
  auto one = this->MakeSource(this->Group());
  auto records = PollRecords(*one, 10);
  ASSERT_TRUE(one->Commit(NextPositions(records)).ok());
  auto other = this->MakeSource(this->Group() + "-other");
  EXPECT_EQ(PollRecords(*other, 10).size(), 10u);
}

TYPED_TEST_P(BusConformance, WithoutAGroupEveryReaderGetsEveryRecordAndCommitIsANoOp) {
  SendAll(*this->sink_, MakeRecords(this->topic_, 20));
  for (int i = 0; i < 2; ++i) {
    auto source = this->MakeSource("");
    const auto records = PollRecords(*source, 20);
    EXPECT_EQ(records.size(), 20u);
    EXPECT_EQ(source->assignment().size(), 4u);
    EXPECT_TRUE(source->Commit(NextPositions(records)).ok());
  }
}

TYPED_TEST_P(BusConformance, TheListenersPositionsWinOverCommittedOnes) {
  SendAll(*this->sink_, MakeRecords(this->topic_, 10, "v", 0));
  for (const std::string& group : {std::string(), this->Group()}) {
    RecordingListener listener;
    listener.positions = {{{this->topic_, 0}, 7}};
    auto source = this->MakeSource(group, &listener);
    const auto records = PollRecords(*source, 3);
    ASSERT_EQ(records.size(), 3u);
    EXPECT_EQ(records[0].offset, 7);
    EXPECT_EQ(listener.owned.size(), 4u);
    EXPECT_EQ(source->gaps(), 0);
    ASSERT_TRUE(source->Commit({{{this->topic_, 0}, 2}}).ok());
  }
}

TYPED_TEST_P(BusConformance, APositionPastTheEndResumesAtTheStartAndCountsAsAGap) {
  SendAll(*this->sink_, MakeRecords(this->topic_, 5, "v", 1));
  RecordingListener listener;
  listener.positions = {{{this->topic_, 1}, 1'000'000}};
  auto source = this->MakeSource("", &listener);
  const auto records = PollRecords(*source, 5);
  ASSERT_EQ(records.size(), 5u);
  EXPECT_EQ(records[0].offset, 0);
  EXPECT_EQ(source->gaps(), 1);
}

TYPED_TEST_P(BusConformance, AnExpiredPositionResumesAtTheStartAndCountsAsAGap) {
  SendAll(*this->sink_, MakeRecords(this->topic_, 10, "v", 1));
  this->bus_->Expire({this->topic_, 1}, 6);
  RecordingListener listener;
  listener.positions = {{{this->topic_, 1}, 2}};
  auto source = this->MakeSource("", &listener);
  const auto records = PollRecords(*source, 4);
  ASSERT_EQ(records.size(), 4u);
  EXPECT_EQ(records[0].offset, 6);
  EXPECT_EQ(source->gaps(), 1);
  auto range = source->Range({this->topic_, 1});
  ASSERT_TRUE(range.ok()) << range.status().ToString();
  EXPECT_EQ(range->start, 6);
  EXPECT_EQ(range->end, 10);
}

TYPED_TEST_P(BusConformance, TheEndOfTheLogIsNoGap) {
  SendAll(*this->sink_, MakeRecords(this->topic_, 5, "v", 1));
  RecordingListener listener;
  listener.positions = {{{this->topic_, 1}, 5}};
  auto source = this->MakeSource("", &listener);
  PollUntil(*source, [&](const auto&) { return !listener.owned.empty(); });
  SendAll(*this->sink_, {MakeRecord(this->topic_, "k", "next", 1)});
  const auto records = PollRecords(*source, 1);
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].offset, 5);
  EXPECT_EQ(source->gaps(), 0);
}

TYPED_TEST_P(BusConformance, TwoMembersShareThePartitionsWithoutOverlapAndHandThemOver) {
  const auto sent = MakeRecords(this->topic_, 100);
  SendAll(*this->sink_, sent);
  RecordingListener first_listener, second_listener;
  auto first = this->MakeSource(this->Group(), &first_listener);
  std::vector<Record> seen = PollRecords(*first, 100);
  ASSERT_EQ(seen.size(), 100u);
  first_listener.on_revoked = [&](const auto&, bool lost) {
    EXPECT_FALSE(lost);
    EXPECT_TRUE(first->Commit(NextPositions(seen)).ok());
  };
  auto second = this->MakeSource(this->Group(), &second_listener);
  std::vector<Record> again;
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (second_listener.owned.size() != 2 || first_listener.owned.size() != 2) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "the members never shared";
    for (Source* s : {first.get(), second.get()}) {
      auto batch = s->Poll({}, milliseconds(50));
      if (batch.ok()) again.insert(again.end(), batch->begin(), batch->end());
    }
  }
  EXPECT_TRUE(again.empty()) << "what was committed at the revocation came again";
  for (const auto& where : first_listener.owned)
    EXPECT_FALSE(second_listener.owned.contains(where));

  first_listener.on_revoked = nullptr;
  ASSERT_TRUE(second->Close().ok());
  PollUntil(*first, [&](const auto&) { return first_listener.owned.size() == 4; });
  EXPECT_EQ(first->assignment().size(), 4u);
}

TYPED_TEST_P(BusConformance, IgnoresCommitsForPartitionsThatAreNotOurs) {
  SendAll(*this->sink_, MakeRecords(this->topic_, 10, "v", 0));
  RecordingListener listener;
  auto source = this->MakeSource(this->Group(), &listener);
  const auto records = PollRecords(*source, 10);
  EXPECT_TRUE(source->Commit({{{this->topic_, 99}, 5}, {{"racewatch.no-such-topic", 0}, 5}}).ok());
  ASSERT_TRUE(source->Commit(NextPositions(records)).ok());
}

TYPED_TEST_P(BusConformance, CloseRevokesAndMayStillCommit) {
  SendAll(*this->sink_, MakeRecords(this->topic_, 10));
  RecordingListener listener;
  auto source = this->MakeSource(this->Group(), &listener);
  const auto records = PollRecords(*source, 10);
  listener.on_revoked = [&](const auto&, bool lost) {
    EXPECT_FALSE(lost);
    EXPECT_TRUE(source->Commit(NextPositions(records)).ok());
  };
  ASSERT_TRUE(source->Close().ok());
  EXPECT_EQ(listener.revoked.size(), 4u);
  ASSERT_TRUE(source->Close().ok());
  EXPECT_EQ(listener.revoked.size(), 4u);
  auto next = this->MakeSource(this->Group());
  SendAll(*this->sink_, {MakeRecord(this->topic_, "k", "fresh")});
  const auto fresh = PollRecords(*next, 1);
  ASSERT_EQ(fresh.size(), 1u);
  EXPECT_EQ(fresh[0].value, "fresh");
}

TYPED_TEST_P(BusConformance, APausedPartitionIsSilentAndLosesNothing) {
  auto source = this->MakeSource(this->Group());
  SendAll(*this->sink_, {MakeRecord(this->topic_, "k", "before", 0)});
  ASSERT_EQ(PollRecords(*source, 1).size(), 1u);
  ASSERT_TRUE(source->Pause({{this->topic_, 0}}).ok());
  SendAll(*this->sink_, MakeRecords(this->topic_, 5, "paused", 0));
  SendAll(*this->sink_, {MakeRecord(this->topic_, "k", "other", 1)});
  const auto other = PollRecords(*source, 1);
  ASSERT_EQ(other.size(), 1u);
  EXPECT_EQ(other[0].value, "other");
  ExpectNothingMore(*source);
  // Resuming what was never paused hands out nothing again.
  ASSERT_TRUE(source->Resume({{this->topic_, 0}, {this->topic_, 1}}).ok());
  const auto records = PollRecords(*source, 5);
  ASSERT_EQ(records.size(), 5u);
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(records[static_cast<size_t>(i)].value, "paused" + std::to_string(i));
  ExpectNothingMore(*source);
}

TYPED_TEST_P(BusConformance, AnswersEverySendWithExactlyOneCallbackInOrder) {
  std::mutex mutex;
  std::vector<int> order;
  for (int i = 0; i < 300; ++i)
    ASSERT_TRUE(this->sink_
                    ->Send(MakeRecord(this->topic_, "k", "v", 0),
                           [&, i](const Delivery&) {
                             std::lock_guard lock(mutex);
                             order.push_back(i);
                           })
                    .ok());
  ASSERT_TRUE(this->sink_->Flush(kPatience).ok());
  std::lock_guard lock(mutex);
  ASSERT_EQ(order.size(), 300u);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  EXPECT_EQ(this->sink_->queued_bytes(), 0u);
}

TYPED_TEST_P(BusConformance, ACallbackMaySend) {
  ASSERT_TRUE(
      this->sink_
          ->Send(MakeRecord(this->topic_, "k", "first", 0),
                 [this](const Delivery&) {
                   EXPECT_TRUE(
                       this->sink_->Send(MakeRecord(this->topic_, "k", "second", 0), nullptr).ok());
                 })
          .ok());
  auto source = this->MakeSource("");
  const auto records = PollRecords(*source, 2);
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[1].value, "second");
}

TYPED_TEST_P(BusConformance, AFullQueuePushesBackAndTakesAgainLater) {
  auto small = this->bus_->MakeSink(256u << 10);
  const std::string value(64u << 10, 'x');
  std::atomic<int> delivered{0};
  int taken = 0;
  bool pushed_back = false;
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!pushed_back && std::chrono::steady_clock::now() < deadline) {
    const Status sent = small->Send(MakeRecord(this->topic_, "k", value),
                                    [&](const Delivery& d) { delivered += d.status.ok(); });
    if (sent.ok())
      ++taken;
    else
      pushed_back = sent.code() == Code::kResourceExhausted && sent.retryable();
  }
  EXPECT_TRUE(pushed_back);
  ASSERT_TRUE(small->Flush(kPatience).ok());
  EXPECT_TRUE(small
                  ->Send(MakeRecord(this->topic_, "k", value),
                         [&](const Delivery& d) { delivered += d.status.ok(); })
                  .ok());
  ASSERT_TRUE(small->Close(kPatience).ok());
  EXPECT_EQ(delivered, taken + 1);
}

TYPED_TEST_P(BusConformance, AnEmptyQueueAlwaysTakesOneRecord) {
  auto small = this->bus_->MakeSink(1024);
  EXPECT_TRUE(small->Send(MakeRecord(this->topic_, "k", std::string(100'000, 'x')), nullptr).ok());
  EXPECT_TRUE(small->Close(kPatience).ok());
}

TYPED_TEST_P(BusConformance, CloseFlushesAndMayBeCalledTwice) {
  std::atomic<int> delivered{0};
  for (int i = 0; i < 50; ++i)
    ASSERT_TRUE(this->sink_
                    ->Send(MakeRecord(this->topic_, "k", "v"),
                           [&](const Delivery& d) { delivered += d.status.ok(); })
                    .ok());
  EXPECT_TRUE(this->sink_->Close(kPatience).ok());
  EXPECT_EQ(delivered, 50);
  EXPECT_TRUE(this->sink_->Close(kPatience).ok());
  EXPECT_EQ(this->sink_->Send(MakeRecord(this->topic_, "k", "v"), nullptr).code(),
            Code::kFailedPrecondition);
}

TYPED_TEST_P(BusConformance, InterruptEndsAWaitingPoll) {
  auto source = this->MakeSource("");
  PollUntil(*source, [&](const auto&) { return source->assignment().size() == 4; });
  std::thread other([&] { source->Interrupt(); });
  const auto start = std::chrono::steady_clock::now();
  auto batch = source->Poll(
      {}, kPatience);  // returns at once whether Interrupt came before or after it began
  other.join();
  ASSERT_TRUE(batch.ok()) << batch.status().ToString();
  EXPECT_TRUE(batch->empty());
  EXPECT_LT(std::chrono::steady_clock::now() - start, kPatience);
}

TYPED_TEST_P(BusConformance, ARecordWakesAWaitingPoll) {
  auto source = this->MakeSource("");
  PollUntil(*source, [&](const auto&) { return source->assignment().size() == 4; });
  auto sent = std::async(std::launch::async, [this] {
    SendAll(*this->sink_, {MakeRecord(this->topic_, "k", "wake")});
  });
  EXPECT_EQ(PollRecords(*source, 1).size(), 1u);
}

TYPED_TEST_P(BusConformance, LagIsNeverNegativeAndFallsToZero) {
  auto source = this->MakeSource(this->Group());
  SendAll(*this->sink_, MakeRecords(this->topic_, 40));
  ASSERT_EQ(PollRecords(*source, 40).size(), 40u);
  const auto settled = [&] {
    const auto lag = source->Lag();
    for (const auto& [where, messages] : lag) EXPECT_GE(messages.value_or(0), 0);
    return lag.size() == 4 &&
           std::all_of(lag.begin(), lag.end(), [](const auto& l) { return l.second == 0; });
  };
  PollUntil(*source, [&](const auto&) { return settled(); });
  EXPECT_TRUE(settled());
}

TYPED_TEST_P(BusConformance, TheClusterHasOneStableName) {
  auto one = this->MakeSource("");
  auto two = this->MakeSource(this->Group());
  auto id = one->ClusterId();
  ASSERT_TRUE(id.ok()) << id.status().ToString();
  EXPECT_FALSE(id->empty());
  EXPECT_EQ(*id, two->ClusterId().value());
}

TYPED_TEST_P(BusConformance, RangeTellsStartAndEnd) {
  SendAll(*this->sink_, MakeRecords(this->topic_, 9, "v", 3));
  auto source = this->MakeSource("");
  auto range = source->Range({this->topic_, 3});
  ASSERT_TRUE(range.ok()) << range.status().ToString();
  EXPECT_EQ(range->start, 0);
  EXPECT_EQ(range->end, 9);
  EXPECT_FALSE(source->Range({this->topic_, 77}).ok());
}

REGISTER_TYPED_TEST_SUITE_P(
    BusConformance, HandsOutRecordsInOffsetOrderPerPartition,
    DeliveryNamesThePositionAtWhichTheRecordIsRead, PutsAKeyWhereKafkasJavaClientPutsIt,
    KeepsKeyValueHeadersAndTime, TellsATombstoneFromAnEmptyValue, CarriesALargeRecordWhole,
    RefusesARecordThatCanNeverBeSent, KeepsToTheLimitsOfAPoll, ResumesAtTheCommittedPosition,
    HandsOutAgainWhatWasNotCommitted, GroupsDoNotDisturbOneAnother,
    WithoutAGroupEveryReaderGetsEveryRecordAndCommitIsANoOp,
    TheListenersPositionsWinOverCommittedOnes, APositionPastTheEndResumesAtTheStartAndCountsAsAGap,
    AnExpiredPositionResumesAtTheStartAndCountsAsAGap, TheEndOfTheLogIsNoGap,
    TwoMembersShareThePartitionsWithoutOverlapAndHandThemOver,
    IgnoresCommitsForPartitionsThatAreNotOurs, CloseRevokesAndMayStillCommit,
    APausedPartitionIsSilentAndLosesNothing, AnswersEverySendWithExactlyOneCallbackInOrder,
    ACallbackMaySend, AFullQueuePushesBackAndTakesAgainLater, AnEmptyQueueAlwaysTakesOneRecord,
    CloseFlushesAndMayBeCalledTwice, InterruptEndsAWaitingPoll, ARecordWakesAWaitingPoll,
    LagIsNeverNegativeAndFallsToZero, TheClusterHasOneStableName, RangeTellsStartAndEnd);

}  // namespace racewatch::base
