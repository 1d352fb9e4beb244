#include "tests/fakes/fake_bus.h"

#include <algorithm>
#include <utility>

#include "base/bus/partitioner.h"
#include "base/bus/topics.h"

namespace racewatch::fakes {

using base::Position;
using base::Record;
using base::Status;
using base::TopicPartition;

// ---- FakeLog

FakeLog::FakeLog(int32_t partitions, const base::Clock* clock)
    : clock_(clock ? *clock : system_clock_) {
  for (const base::TopicSpec& topic : base::AllTopics())
    CreateTopic(std::string(topic.name), partitions);
}

void FakeLog::CreateTopic(const std::string& topic, int32_t partitions) {
  std::lock_guard lock(mutex_);
  topics_[topic].resize(static_cast<size_t>(partitions));
}

int32_t FakeLog::partitions(const std::string& topic) const {
  std::lock_guard lock(mutex_);
  const auto it = topics_.find(topic);
  return it == topics_.end() ? 0 : static_cast<int32_t>(it->second.size());
}

Position FakeLog::Append(Record record) {
  std::lock_guard lock(mutex_);
  return AppendLocked(std::move(record));
}

Position FakeLog::AppendLocked(Record record) {
  auto& partitions = topics_.at(record.topic);
  const auto count = static_cast<int32_t>(partitions.size());
  if (record.partition < 0)
    record.partition = record.key.empty()
                           ? static_cast<int32_t>(next_keyless_++ % static_cast<uint32_t>(count))
                           : base::PartitionForKey(record.key, count);
  Partition& partition = partitions.at(static_cast<size_t>(record.partition));
  record.offset = partition.end();
  if (record.timestamp_ms == 0) record.timestamp_ms = clock_.NowMs();
  if (record.tombstone) record.value.clear();
  const Position at{{record.topic, record.partition}, record.offset};
  partition.records.push_back(std::move(record));
  changed_.notify_all();
  return at;
}

std::vector<Record> FakeLog::Records(const std::string& topic) const {
  std::lock_guard lock(mutex_);
  std::vector<Record> all;
  for (const Partition& p : topics_.at(topic))
    all.insert(all.end(), p.records.begin(), p.records.end());
  return all;
}

int64_t FakeLog::Committed(const std::string& group, const TopicPartition& where) const {
  std::lock_guard lock(mutex_);
  const auto it = committed_.find({group, where});
  return it == committed_.end() ? -1 : it->second;
}

void FakeLog::SetUnavailable(bool unavailable) {
  std::lock_guard lock(mutex_);
  unavailable_ = unavailable;
  changed_.notify_all();
}

void FakeLog::Expire(const TopicPartition& where, int64_t offset) {
  std::lock_guard lock(mutex_);
  Partition& p = topics_.at(where.topic).at(static_cast<size_t>(where.partition));
  while (p.start < offset && !p.records.empty()) {
    p.records.pop_front();
    ++p.start;
  }
}

void FakeLog::Replace(const std::string& cluster_id) {
  std::lock_guard lock(mutex_);
  cluster_id_ = cluster_id;
  committed_.clear();
  for (auto& [topic, partitions] : topics_)
    for (Partition& p : partitions) p = {};
  changed_.notify_all();
}

// ---- FakeSource

FakeSource::FakeSource(FakeLog& log, base::SourceOptions options)
    : log_(log), options_(std::move(options)) {
  PartitionList wanted;
  for (const std::string& topic : options_.topics)
    for (int32_t p = 0; p < log_.partitions(topic); ++p) wanted.push_back({topic, p});
  // Without a group, a group of one: nobody else can have this name.
  const std::string alone =
      std::string(1, '\0') + std::to_string(reinterpret_cast<uintptr_t>(this));
  member_ = log_.groups_.Join(options_.group.empty() ? alone : options_.group, std::move(wanted),
                              [&from = log_] {
                                std::lock_guard lock(from.mutex_);
                                from.changed_.notify_all();
                              });
}

FakeSource::~FakeSource() { (void)Close(); }

base::Result<std::vector<Record>> FakeSource::Poll(const base::PollLimits& limits,
                                                   std::chrono::milliseconds wait) {
  const auto deadline = std::chrono::steady_clock::now() + wait;
  std::unique_lock lock(log_.mutex_);
  for (;;) {
    if (closed_) return base::FailedPrecondition("fake source: poll after close");
    RW_RETURN_IF_ERROR(Failure());
    if (!next_poll_.ok()) return std::exchange(next_poll_, Status::Ok());
    Rebalance(lock);
    std::vector<Record> records = Take(limits);
    if (!records.empty() || std::exchange(interrupted_, false)) return records;
    if (std::chrono::steady_clock::now() >= deadline) return records;
    log_.changed_.wait_until(lock, deadline);
  }
}

Status FakeSource::Failure() const {
  if (fenced_) return base::FailedPrecondition("fake source: fenced by another instance");
  if (log_.unavailable_) return base::Unavailable("fake source: broker is away");
  return Status::Ok();
}

void FakeSource::Rebalance(std::unique_lock<std::mutex>& lock) {
  Revoke(std::exchange(lose_, {}), true, lock);
  Revoke(std::exchange(take_away_, {}), false, lock);
  for (const TopicPartition& where : std::exchange(give_back_, {})) {
    if (away_.erase(where) == 0) continue;
    lock.unlock();
    log_.groups_.Release(member_, {where});
    lock.lock();
  }
  base::GroupCoordinator::Change change = log_.groups_.Sync(member_);
  Revoke(change.revoked, false, lock);
  lock.unlock();
  if (!change.revoked.empty()) log_.groups_.Release(member_, change.revoked);
  lock.lock();
  std::erase_if(change.assigned,
                [this](const TopicPartition& where) { return away_.contains(where); });
  Assign(change.assigned, lock);
}

void FakeSource::Revoke(const PartitionList& partitions, bool lost,
                        std::unique_lock<std::mutex>& lock) {
  PartitionList ours;
  for (const TopicPartition& where : partitions)
    if (positions_.contains(where)) ours.push_back(where);
  if (ours.empty()) return;
  if (options_.listener && !lost) {
    lock.unlock();
    options_.listener->OnRevoked(ours, false);  // may still commit: they are ours until it returns
    lock.lock();
  }
  for (const TopicPartition& where : ours) {
    positions_.erase(where);
    paused_.erase(where);
  }
  if (options_.listener && lost) {
    lock.unlock();
    options_.listener->OnRevoked(ours, true);
    lock.lock();
  }
}

void FakeSource::Assign(const PartitionList& partitions, std::unique_lock<std::mutex>& lock) {
  if (partitions.empty()) return;
  std::map<TopicPartition, int64_t> given;
  if (options_.listener) {
    lock.unlock();
    given = options_.listener->OnAssigned(partitions);
    lock.lock();
  }
  for (const TopicPartition& where : partitions) {
    const auto own = given.find(where);
    const auto committed = log_.committed_.find({options_.group, where});
    if (own != given.end())
      positions_[where] = StayInRange(where, own->second);
    else if (!options_.group.empty() && committed != log_.committed_.end())
      positions_[where] = StayInRange(where, committed->second);
    else
      positions_[where] = log_.topics_.at(where.topic)[static_cast<size_t>(where.partition)].start;
  }
}

int64_t FakeSource::StayInRange(const TopicPartition& where, int64_t offset) {
  const auto& partition = log_.topics_.at(where.topic)[static_cast<size_t>(where.partition)];
  if (offset >= partition.start && offset <= partition.end()) return offset;
  ++gaps_;
  return partition.start;
}

std::vector<Record> FakeSource::Take(const base::PollLimits& limits) {
  std::vector<Record> records;
  size_t bytes = 0;
  std::vector<TopicPartition> turn;
  for (const auto& [where, position] : positions_)
    if (!paused_.contains(where)) turn.push_back(where);
  const auto first = std::upper_bound(turn.begin(), turn.end(), next_turn_);
  std::rotate(turn.begin(), first == turn.end() ? turn.begin() : first, turn.end());
  for (const TopicPartition& where : turn) {
    const auto& partition = log_.topics_.at(where.topic)[static_cast<size_t>(where.partition)];
    int64_t& position = positions_[where] = StayInRange(where, positions_[where]);
    for (; position < partition.end(); ++position) {
      const Record& record = partition.records[static_cast<size_t>(position - partition.start)];
      if (records.size() >= limits.records_max) return records;
      if (!records.empty() && bytes + record.ByteSize() > limits.bytes_max) return records;
      bytes += record.ByteSize();
      records.push_back(record);
      next_turn_ = where;
    }
  }
  return records;
}

Status FakeSource::Commit(const std::vector<Position>& next) {
  std::lock_guard lock(log_.mutex_);
  if (closed_) return base::FailedPrecondition("fake source: commit after close");
  RW_RETURN_IF_ERROR(Failure());
  if (!next_commit_.ok()) return std::exchange(next_commit_, Status::Ok());
  if (options_.group.empty()) return Status::Ok();
  for (const Position& p : next)
    if (positions_.contains(p.where)) log_.committed_[{options_.group, p.where}] = p.offset;
  return Status::Ok();
}

Status FakeSource::Pause(const std::vector<TopicPartition>& partitions) {
  std::lock_guard lock(log_.mutex_);
  for (const TopicPartition& where : partitions)
    if (positions_.contains(where)) paused_.insert(where);
  return Status::Ok();
}

Status FakeSource::Resume(const std::vector<TopicPartition>& partitions) {
  std::lock_guard lock(log_.mutex_);
  for (const TopicPartition& where : partitions) paused_.erase(where);
  return Status::Ok();
}

std::vector<TopicPartition> FakeSource::assignment() const {
  std::lock_guard lock(log_.mutex_);
  std::vector<TopicPartition> all;
  for (const auto& [where, position] : positions_) all.push_back(where);
  return all;
}

base::Result<std::string> FakeSource::ClusterId() {
  std::lock_guard lock(log_.mutex_);
  RW_RETURN_IF_ERROR(Failure());
  return log_.cluster_id_;
}

base::Result<base::OffsetRange> FakeSource::Range(const TopicPartition& where) {
  std::lock_guard lock(log_.mutex_);
  RW_RETURN_IF_ERROR(Failure());
  const auto it = log_.topics_.find(where.topic);
  if (it == log_.topics_.end() || where.partition < 0 ||
      where.partition >= static_cast<int32_t>(it->second.size()))
    return base::NotFound("fake log: no partition " + where.topic + "/" +
                          std::to_string(where.partition));
  const auto& partition = it->second[static_cast<size_t>(where.partition)];
  return base::OffsetRange{partition.start, partition.end()};
}

base::Result<std::vector<TopicPartition>> FakeSource::Partitions() {
  PartitionList all;
  for (const std::string& topic : options_.topics)
    for (int32_t p = 0; p < log_.partitions(topic); ++p) all.push_back({topic, p});
  return all;
}

// Everything goes and comes back with the next Poll.
Status FakeSource::Rejoin() {
  const PartitionList all = assignment();
  TakeAway(all, true);
  GiveBack(all);
  return Status::Ok();
}

std::map<TopicPartition, std::optional<int64_t>> FakeSource::Lag() const {
  std::lock_guard lock(log_.mutex_);
  std::map<TopicPartition, std::optional<int64_t>> lag;
  for (const auto& [where, position] : positions_) {
    const auto& partition = log_.topics_.at(where.topic)[static_cast<size_t>(where.partition)];
    lag[where] = log_.unavailable_
                     ? std::nullopt
                     : std::optional(std::max<int64_t>(0, partition.end() - position));
  }
  return lag;
}

int64_t FakeSource::gaps() const {
  std::lock_guard lock(log_.mutex_);
  return gaps_;
}

void FakeSource::Interrupt() {
  std::lock_guard lock(log_.mutex_);
  interrupted_ = true;
  log_.changed_.notify_all();
}

Status FakeSource::Close() {
  {
    std::unique_lock lock(log_.mutex_);
    if (closed_) return Status::Ok();
    PartitionList all;
    for (const auto& [where, position] : positions_) all.push_back(where);
    Revoke(all, false, lock);
    closed_ = true;
  }
  log_.groups_.Leave(member_);
  return Status::Ok();
}

void FakeSource::TakeAway(const PartitionList& partitions, bool lost) {
  std::lock_guard lock(log_.mutex_);
  PartitionList& list = lost ? lose_ : take_away_;
  list.insert(list.end(), partitions.begin(), partitions.end());
  away_.insert(partitions.begin(), partitions.end());
  log_.changed_.notify_all();
}

void FakeSource::GiveBack(const PartitionList& partitions) {
  std::lock_guard lock(log_.mutex_);
  give_back_.insert(give_back_.end(), partitions.begin(), partitions.end());
  log_.changed_.notify_all();
}

void FakeSource::FailNextPoll(Status status) {
  std::lock_guard lock(log_.mutex_);
  next_poll_ = std::move(status);
  log_.changed_.notify_all();
}

void FakeSource::FailNextCommit(Status status) {
  std::lock_guard lock(log_.mutex_);
  next_commit_ = std::move(status);
}

void FakeSource::Fence() {
  std::lock_guard lock(log_.mutex_);
  fenced_ = true;
  log_.changed_.notify_all();
}

// ---- FakeSink

FakeSink::FakeSink(FakeLog& log, size_t queue_bytes_max)
    : log_(log), queue_bytes_max_(queue_bytes_max), thread_([this] { Deliver(); }) {}

FakeSink::~FakeSink() {
  (void)Close(std::chrono::milliseconds(0));
  std::lock_guard lock(log_.mutex_);
  stop_ = true;
  log_.changed_.notify_all();
}

Status FakeSink::Send(Record record, base::DeliveryCallback on_delivery) {
  std::lock_guard lock(log_.mutex_);
  if (closed_) return base::FailedPrecondition("fake sink: send after close");
  const auto topic = log_.topics_.find(record.topic);
  if (topic == log_.topics_.end())
    return base::InvalidArgument("send to " + record.topic + ": unknown topic");
  if (record.partition >= static_cast<int32_t>(topic->second.size()))
    return base::InvalidArgument("send to " + record.topic + ": no partition " +
                                 std::to_string(record.partition));
  const size_t bytes = record.ByteSize();
  if (bytes > base::kRecordBytesMax)
    return base::InvalidArgument("send to " + record.topic + ": record too large");
  if (full_ || (queued_bytes_ > 0 && queued_bytes_ + bytes > queue_bytes_max_))
    return base::ResourceExhausted("send to " + record.topic + ": queue is full");
  queued_bytes_ += bytes;
  pending_.push_back({std::move(record), std::move(on_delivery), bytes});
  log_.changed_.notify_all();
  return Status::Ok();
}

void FakeSink::Deliver() {
  std::unique_lock lock(log_.mutex_);
  for (;;) {
    log_.changed_.wait(
        lock, [this] { return stop_ || (!pending_.empty() && !corked_ && !log_.unavailable_); });
    if (stop_) return;
    Pending next = std::move(pending_.front());
    pending_.pop_front();
    const base::Delivery delivery = DeliverOne(std::move(next.record));
    lock.unlock();
    if (next.callback) next.callback(delivery);
    lock.lock();
    queued_bytes_ -= next.bytes;
    log_.changed_.notify_all();
  }
}

base::Delivery FakeSink::DeliverOne(Record record) {
  if (fail_left_ > 0) {
    --fail_left_;
    return {fail_status_, {}};
  }
  const Position at = log_.AppendLocked(std::move(record));
  if (lose_left_ > 0) {
    --lose_left_;
    return {lose_status_, {}};
  }
  return {Status::Ok(), at};
}

Status FakeSink::Flush(std::chrono::milliseconds timeout) {
  std::unique_lock lock(log_.mutex_);
  if (log_.changed_.wait_for(lock, timeout, [this] { return queued_bytes_ == 0; }))
    return Status::Ok();
  return base::DeadlineExceeded("flush: " + std::to_string(queued_bytes_) +
                                " bytes not delivered in time");
}

size_t FakeSink::queued_bytes() const {
  std::lock_guard lock(log_.mutex_);
  return queued_bytes_;
}

Status FakeSink::Close(std::chrono::milliseconds timeout) {
  Status flushed = Status::Ok();
  std::deque<Pending> failed;
  {
    std::lock_guard lock(log_.mutex_);
    if (std::exchange(closed_, true)) return Status::Ok();
  }
  flushed = Flush(timeout);
  {
    std::lock_guard lock(log_.mutex_);
    failed.swap(pending_);
  }
  for (Pending& p : failed) {
    if (p.callback) p.callback({base::DeadlineExceeded("close: not delivered in time"), {}});
    std::lock_guard lock(log_.mutex_);
    queued_bytes_ -= p.bytes;
  }
  return flushed;
}

void FakeSink::Cork() {
  std::lock_guard lock(log_.mutex_);
  corked_ = true;
}

void FakeSink::Uncork() {
  std::lock_guard lock(log_.mutex_);
  corked_ = false;
  log_.changed_.notify_all();
}

void FakeSink::FailNextDelivery(Status status, int n) {
  std::lock_guard lock(log_.mutex_);
  fail_status_ = std::move(status);
  fail_left_ = n;
}

void FakeSink::LoseNextReport(Status status, int n) {
  std::lock_guard lock(log_.mutex_);
  lose_status_ = std::move(status);
  lose_left_ = n;
}

void FakeSink::SetQueueFull(bool full) {
  std::lock_guard lock(log_.mutex_);
  full_ = full;
}

}  // namespace racewatch::fakes
