// The bus in memory, with switches for every fault a stage must survive. A FakeLog holds topics and
// groups; any number of FakeSources and FakeSinks read and write it, as with the embedded log (the
// conformance suite runs on both). The log outlives its sources and sinks. Threads as in source.h
// and sink.h; every switch may be thrown from any thread. A FakeSink reports deliveries on a thread
// of its own, so a test calls Flush before it looks.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/bus/group_coordinator.h"
#include "base/bus/sink.h"
#include "base/bus/source.h"
#include "base/clock.h"

namespace racewatch::fakes {

class FakeLog {
 public:
  // Holds every topic of base/bus/topics.h with this many partitions each. The clock stamps records
  // that have no time of their own and outlives the log; nullptr: the machine's.
  explicit FakeLog(int32_t partitions = 2, const base::Clock* clock = nullptr);

  void CreateTopic(const std::string& topic, int32_t partitions);
  int32_t partitions(const std::string& topic) const;  // 0: no such topic

  // Appends past every sink and switch.
  base::Position Append(base::Record record);
  // What a topic holds, in order per partition, partition by partition.
  std::vector<base::Record> Records(const std::string& topic) const;
  // The group's resume position; -1 when it has none.
  int64_t Committed(const std::string& group, const base::TopicPartition& where) const;

  // -- faults --
  // The broker is away: Poll, Commit, ClusterId and Range say UNAVAILABLE; sent records wait.
  void SetUnavailable(bool unavailable);
  // Retention: forgets records before `offset`.
  void Expire(const base::TopicPartition& where, int64_t offset);
  // Another, empty cluster answers under this address: no records, no commits, another id.
  void Replace(const std::string& cluster_id);

 private:
  friend class FakeSource;
  friend class FakeSink;
  struct Partition {
    int64_t start = 0;
    std::deque<base::Record> records;
    int64_t end() const { return start + static_cast<int64_t>(records.size()); }
  };
  base::Position AppendLocked(base::Record record);

  const base::SystemClock system_clock_;
  const base::Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;  // records, group, switches
  std::map<std::string, std::vector<Partition>> topics_;
  std::map<std::pair<std::string, base::TopicPartition>, int64_t> committed_;
  std::string cluster_id_ = "fake-cluster";
  bool unavailable_ = false;
  uint32_t next_keyless_ = 0;
  base::GroupCoordinator groups_;
};

class FakeSource final : public base::Source {
 public:
  FakeSource(FakeLog& log, base::SourceOptions options);
  ~FakeSource() override;

  base::Result<std::vector<base::Record>> Poll(const base::PollLimits& limits,
                                               std::chrono::milliseconds wait) override;
  base::Status Commit(const std::vector<base::Position>& next) override;
  base::Status Pause(const std::vector<base::TopicPartition>& partitions) override;
  base::Status Resume(const std::vector<base::TopicPartition>& partitions) override;
  std::vector<base::TopicPartition> assignment() const override;
  base::Result<std::string> ClusterId() override;
  base::Result<base::OffsetRange> Range(const base::TopicPartition& where) override;
  base::Result<std::vector<base::TopicPartition>> Partitions() override;
  base::Status Rejoin() override;
  std::map<base::TopicPartition, std::optional<int64_t>> Lag() const override;
  int64_t gaps() const override;
  void Interrupt() override;
  base::Status Close() override;

  // -- faults --
  // The next Poll takes these away (OnRevoked with `lost`); they stay away until GiveBack.
  void TakeAway(const std::vector<base::TopicPartition>& partitions, bool lost);
  // The next Poll assigns them again, from the committed positions.
  void GiveBack(const std::vector<base::TopicPartition>& partitions);
  // The next Poll fails with this.
  void FailNextPoll(base::Status status);
  // The next Commit fails with this and moves nothing.
  void FailNextCommit(base::Status status);
  // Another instance took our place: every further Poll and Commit says FAILED_PRECONDITION.
  void Fence();

 private:
  using PartitionList = std::vector<base::TopicPartition>;
  void Rebalance(std::unique_lock<std::mutex>& lock);
  void Revoke(const PartitionList& partitions, bool lost, std::unique_lock<std::mutex>& lock);
  void Assign(const PartitionList& partitions, std::unique_lock<std::mutex>& lock);
  bool Ready() const;
  base::Status Failure() const;
  std::vector<base::Record> Take(const base::PollLimits& limits);
  int64_t StayInRange(const base::TopicPartition& where, int64_t offset);

  FakeLog& log_;
  const base::SourceOptions options_;
  base::GroupCoordinator::MemberId member_ = 0;
  // Under the log's mutex:
  std::map<base::TopicPartition, int64_t> positions_;  // of what is assigned
  std::set<base::TopicPartition> paused_;
  std::set<base::TopicPartition> away_;
  PartitionList take_away_, lose_, give_back_;
  base::TopicPartition next_turn_;
  base::Status next_poll_, next_commit_;
  int64_t gaps_ = 0;
  bool group_changed_ = true;
  bool interrupted_ = false;
  bool fenced_ = false;
  bool closed_ = false;
};

class FakeSink final : public base::Sink {
 public:
  explicit FakeSink(FakeLog& log, size_t queue_bytes_max = 32u << 20);
  ~FakeSink() override;

  base::Status Send(base::Record record, base::DeliveryCallback on_delivery) override;
  base::Status Flush(std::chrono::milliseconds timeout) override;
  size_t queued_bytes() const override;
  base::Status Close(std::chrono::milliseconds timeout) override;

  // -- faults --
  // Holds what is sent: taken, not delivered.
  void Cork();
  void Uncork();
  // The next `n` deliveries fail with this; their records are not in the log.
  void FailNextDelivery(base::Status status, int n = 1);
  // The next `n` deliveries are written, but reported with this: a sender that tries again doubles
  // them.
  void LoseNextReport(base::Status status, int n = 1);
  // Send says RESOURCE_EXHAUSTED until switched off.
  void SetQueueFull(bool full);

 private:
  struct Pending {
    base::Record record;
    base::DeliveryCallback callback;
    size_t bytes = 0;
  };
  void Deliver();
  base::Delivery DeliverOne(base::Record record);  // under the log's mutex

  FakeLog& log_;
  const size_t queue_bytes_max_;
  // Under the log's mutex:
  std::deque<Pending> pending_;
  size_t queued_bytes_ = 0;
  base::Status fail_status_, lose_status_;
  int fail_left_ = 0, lose_left_ = 0;
  bool corked_ = false;
  bool full_ = false;
  bool closed_ = false;
  bool stop_ = false;
  std::jthread thread_;  // last: ends before the rest goes
};

}  // namespace racewatch::fakes
