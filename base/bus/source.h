// Where a stage reads from: one consumer of one or more topics. Implementations: KafkaSource,
// EmbeddedSource (over EmbeddedLog), FakeSource (tests/fakes); one conformance suite runs against all.
//
// Protocol of a stage, and the whole of it:
//   1. Poll hands out records in offset order per partition.
//   2. The stage makes their effect durable (sink acknowledged, or its own database committed).
//   3. Only then Commit(next positions). Offsets only say where to resume; what is handed out again after
//      a crash is recognised by id and revision, never by offset.
//
// Threads: every method is called by the one thread that owns the source, except Interrupt, which any
// thread may call. Listener calls come from inside Poll or Close, on that same thread. The listener
// outlives the source. Errors: UNAVAILABLE while the broker is away (Poll again later, the source
// reconnects by itself), FAILED_PRECONDITION when another instance fenced this one (stop the process),
// other codes are permanent.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/bus/record.h"
#include "base/status.h"

namespace racewatch::base {

struct PollLimits {
  size_t records_max = 500;
  size_t bytes_max = 8u << 20;  // soft: one larger record is still handed out alone
};

// Offsets still held by a partition: [start, end). end is the offset the next record will get.
struct OffsetRange {
  int64_t start = 0;
  int64_t end = 0;
};

class AssignmentListener {
 public:
  virtual ~AssignmentListener() = default;

  // This consumer now owns `partitions`. The returned positions override the group's committed ones
  // (a store resumes from its own database); a partition that is not in the map starts at its committed
  // offset, or at the log's start when there is none. A position outside the partition's range resumes
  // at the log's start and counts as a gap (see Source::gaps).
  virtual std::map<TopicPartition, int64_t> OnAssigned(const std::vector<TopicPartition>& partitions) = 0;

  // This consumer no longer owns `partitions`. When `lost` is false the stage may still finish and commit
  // what it has in hand for them before it returns; when true, somebody else owns them already: drop it.
  virtual void OnRevoked(const std::vector<TopicPartition>& partitions, bool lost) = 0;
};

struct SourceOptions {
  std::vector<std::string> topics;
  // Consumer group; partitions are shared among its members. Empty: the source assigns itself every
  // partition of the topics and never joins a group (a private RocksDB store reads this way).
  std::string group;
  AssignmentListener* listener = nullptr;  // may be null
};

class Source {
 public:
  virtual ~Source() = default;

  // Waits up to `wait` for records. An empty vector means nothing came in time: not an error.
  virtual Result<std::vector<Record>> Poll(const PollLimits& limits, std::chrono::milliseconds wait) = 0;

  // Makes `next` (the offset after the last finished record, per partition) the group's resume positions.
  // Positions of partitions that are no longer ours are ignored. Without a group this is a no-op.
  virtual Status Commit(const std::vector<Position>& next) = 0;

  // Stops, or restarts, handing out records of these partitions. Only what was paused here is resumed.
  virtual Status Pause(const std::vector<TopicPartition>& partitions) = 0;
  virtual Status Resume(const std::vector<TopicPartition>& partitions) = 0;

  virtual std::vector<TopicPartition> assignment() const = 0;

  // Identity of the log behind this source. Resume positions are only valid under the same cluster id.
  virtual Result<std::string> ClusterId() = 0;
  virtual Result<OffsetRange> Range(const TopicPartition& where) = 0;

  // Every partition of the topics, whoever owns it. Asks the bus: not for every poll.
  virtual Result<std::vector<TopicPartition>> Partitions() = 0;

  // Gives up what is assigned (OnRevoked, lost) and joins the group anew: for an owner whose database says that
  // somebody else took its place. Sources whose group lives in one process have nothing to do.
  virtual Status Rejoin() { return Status::Ok(); }

  // Records not yet handed out, per assigned partition; nullopt while unknown. Never negative.
  virtual std::map<TopicPartition, std::optional<int64_t>> Lag() const = 0;

  // How often a resume position lay outside the log (expired, wiped or replaced by another cluster).
  virtual int64_t gaps() const = 0;

  // Makes a waiting Poll return at once. Any thread.
  virtual void Interrupt() = 0;

  // Revokes (listener is told), leaves the group, releases the handle. Safe to call twice.
  virtual Status Close() = 0;
};

}  // namespace racewatch::base
