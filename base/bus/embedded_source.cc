#include "base/bus/embedded_source.h"

#include <algorithm>
#include <utility>

namespace racewatch::base {

namespace {

// Without a group: a group of one, under a name that nobody can ask for.
std::string GroupName(const SourceOptions& options, const void* source) {
  if (!options.group.empty()) return options.group;
  return std::string(1, '\0') + std::to_string(reinterpret_cast<uintptr_t>(source));
}

std::vector<TopicPartition> AllPartitions(const EmbeddedLog& log,
                                          const std::vector<std::string>& topics) {
  std::vector<TopicPartition> all;
  for (const std::string& topic : topics)
    for (int32_t p = 0; p < log.partitions(topic); ++p) all.push_back({topic, p});
  return all;
}

}  // namespace

EmbeddedSource::EmbeddedSource(EmbeddedLog& log, SourceOptions options)
    : log_(log),
      options_(std::move(options)),
      member_(log.groups().Join(GroupName(options_, this), AllPartitions(log, options_.topics),
                                [&log] { log.Wake(); })) {}

EmbeddedSource::~EmbeddedSource() { (void)Close(); }

Result<std::vector<Record>> EmbeddedSource::Poll(const PollLimits& limits,
                                                 std::chrono::milliseconds wait) {
  if (closed_) return FailedPrecondition("embedded source: poll after close");
  const auto deadline = std::chrono::steady_clock::now() + wait;
  for (;;) {
    const uint64_t seen = log_.changes();
    RW_RETURN_IF_ERROR(Rebalance());
    std::vector<Record> records;
    RW_RETURN_IF_ERROR(Take(limits, &records));
    if (!records.empty() || interrupted_.exchange(false)) return records;
    if (std::chrono::steady_clock::now() >= deadline) return records;
    log_.WaitForChange(seen, deadline);
  }
}

Status EmbeddedSource::Rebalance() {
  GroupCoordinator::Change change = log_.groups().Sync(member_);
  if (!change.revoked.empty()) {
    Revoke(change.revoked);
    log_.groups().Release(member_, change.revoked);
  }
  return Assign(change.assigned);
}

void EmbeddedSource::Revoke(const std::vector<TopicPartition>& partitions) {
  if (partitions.empty()) return;
  if (options_.listener)
    options_.listener->OnRevoked(partitions, false);  // they are ours until it returns
  std::lock_guard guard(mutex_);
  for (const TopicPartition& where : partitions) {
    positions_.erase(where);
    paused_.erase(where);
  }
}

Status EmbeddedSource::Assign(const std::vector<TopicPartition>& partitions) {
  if (partitions.empty()) return Status::Ok();
  std::map<TopicPartition, int64_t> given;
  if (options_.listener) given = options_.listener->OnAssigned(partitions);
  for (const TopicPartition& where : partitions) {
    int64_t position = -1;
    if (const auto own = given.find(where); own != given.end()) {
      position = StayInRange(where, own->second);
    } else if (!options_.group.empty()) {
      RW_ASSIGN_OR_RETURN(position, log_.Committed(options_.group, where));
      if (position >= 0) position = StayInRange(where, position);
    }
    if (position < 0) position = log_.Range(where).value().start;
    SetPosition(where, position);
  }
  return Status::Ok();
}

void EmbeddedSource::SetPosition(const TopicPartition& where, int64_t offset) {
  std::lock_guard guard(mutex_);
  positions_[where] = offset;
}

int64_t EmbeddedSource::StayInRange(const TopicPartition& where, int64_t offset) {
  const OffsetRange range = log_.Range(where).value();
  if (offset >= range.start && offset <= range.end) return offset;
  ++gaps_;
  return range.start;
}

Status EmbeddedSource::Take(const PollLimits& limits, std::vector<Record>* records) {
  std::vector<Position> turn;
  for (const auto& [where, position] : positions_)
    if (!paused_.contains(where)) turn.push_back({where, position});
  const auto first = std::find_if(turn.begin(), turn.end(),
                                  [this](const Position& p) { return p.where > last_turn_; });
  std::rotate(turn.begin(), first == turn.end() ? turn.begin() : first, turn.end());
  size_t bytes = 0;
  for (const auto& [where, position] : turn) {
    if (records->size() >= limits.records_max || bytes >= limits.bytes_max) break;
    const int64_t from = StayInRange(where, position);
    if (from == log_.Range(where).value().end) continue;
    RW_ASSIGN_OR_RETURN(const int64_t next, log_.Read(where, from, limits, &bytes, records));
    SetPosition(where, next);
    last_turn_ = where;
  }
  return Status::Ok();
}

Status EmbeddedSource::Commit(const std::vector<Position>& next) {
  if (closed_) return FailedPrecondition("embedded source: commit after close");
  if (options_.group.empty()) return Status::Ok();
  std::vector<Position> ours;
  for (const Position& p : next)
    if (log_.groups().Owns(member_, p.where)) ours.push_back(p);
  return ours.empty() ? Status::Ok() : log_.Commit(options_.group, ours);
}

Status EmbeddedSource::Pause(const std::vector<TopicPartition>& partitions) {
  for (const TopicPartition& where : partitions)
    if (positions_.contains(where)) paused_.insert(where);
  return Status::Ok();
}

Status EmbeddedSource::Resume(const std::vector<TopicPartition>& partitions) {
  for (const TopicPartition& where : partitions) paused_.erase(where);
  return Status::Ok();
}

std::vector<TopicPartition> EmbeddedSource::assignment() const {
  std::lock_guard guard(mutex_);
  std::vector<TopicPartition> all;
  for (const auto& [where, position] : positions_) all.push_back(where);
  return all;
}

Result<std::string> EmbeddedSource::ClusterId() { return log_.cluster_id(); }

Result<OffsetRange> EmbeddedSource::Range(const TopicPartition& where) { return log_.Range(where); }

Result<std::vector<TopicPartition>> EmbeddedSource::Partitions() { return AllPartitions(log_, options_.topics); }

std::map<TopicPartition, std::optional<int64_t>> EmbeddedSource::Lag() const {
  std::lock_guard guard(mutex_);
  std::map<TopicPartition, std::optional<int64_t>> lag;
  for (const auto& [where, position] : positions_)
    lag[where] = std::max<int64_t>(0, log_.Range(where).value().end - position);
  return lag;
}

void EmbeddedSource::Interrupt() {
  interrupted_ = true;
  log_.Wake();
}

Status EmbeddedSource::Close() {
  if (closed_) return Status::Ok();
  Revoke(assignment());
  closed_ = true;
  log_.groups().Leave(member_);
  return Status::Ok();
}

}  // namespace racewatch::base
