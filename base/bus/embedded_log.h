// The bus of one process: a durable partitioned log in a folder, over RocksDB, that speaks the same
// Source and Sink as Kafka. Sends of all sinks meet in one writer thread, which appends them as one
// batch with one fsync, and only then reports them; a waiting source wakes at once. Survives kill
// -9 and a torn tail; a flipped bit is DATA_LOSS, never silence. Memory is bounded by the options.
//
// Lifetime: open one per folder and process; it outlives its sources and sinks (embedded_source.h,
// embedded_sink.h). The clock outlives the log, stamps records and drives retention. Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/bus/group_coordinator.h"
#include "base/bus/record.h"
#include "base/bus/sink.h"
#include "base/bus/source.h"
#include "base/bus/topics.h"
#include "base/clock.h"
#include "base/status.h"

namespace racewatch::v1 {
class EmbeddedLogConfig;
}

namespace racewatch::base {

class Log;

struct EmbeddedLogOptions {
  std::string dir;  // made when missing; its parent exists
  // -- affects behaviour --
  // Partitions of a new topic, at most what topics.h says. A topic keeps the number it was made
  // with.
  int32_t partitions = 4;
  // Age at which articles, backfill and re-tags go, once every group that ever committed has read
  // them. The other topics keep to topics.h.
  int64_t retention_ms = 168LL * 3600 * 1000;
  // Off: the last batches may be lost on power failure (not on kill -9).
  bool fsync = true;
  // -- affects speed --
  size_t memtable_bytes = 64u << 20;  // larger: fewer, larger files
  size_t cache_bytes = 32u << 20;     // blocks read back, with their indexes
};

// Unset fields take the defaults above.
EmbeddedLogOptions EmbeddedLogOptionsFrom(const v1::EmbeddedLogConfig& config, std::string dir);

class EmbeddedLog {
 public:
  // Opens or makes the log with every topic of topics.h. FAILED_PRECONDITION: another process holds
  // the folder. DATA_LOSS: the files are damaged. UNAVAILABLE: the disk is full or refuses. `log`
  // (may be null, else outlives this) hears of failed maintenance.
  static Result<std::unique_ptr<EmbeddedLog>> Open(EmbeddedLogOptions options, const Clock& clock,
                                                   Log* log = nullptr);
  ~EmbeddedLog();
  EmbeddedLog(const EmbeddedLog&) = delete;
  EmbeddedLog& operator=(const EmbeddedLog&) = delete;

  // Makes a topic, or changes the policy of an existing one (never its partitions).
  Status CreateTopic(const TopicSpec& spec);
  int32_t partitions(const std::string& topic) const;  // 0: no such topic
  const std::string& cluster_id() const;               // made once, with the folder
  Result<OffsetRange> Range(const TopicPartition& where) const;
  // The group's resume position; -1 when it has none.
  Result<int64_t> Committed(const std::string& group, const TopicPartition& where) const;

  // Forgets records before `offset`.
  Status DeleteBefore(const TopicPartition& where, int64_t offset);
  // Retention and compaction by the clock, now. A thread of the log does it every hour of the
  // clock.
  Status RunMaintenance();

  // -- for EmbeddedSource and EmbeddedSink --

  // Appends records at or after `from` to `out`, within what is left of `limits` (`bytes` counts).
  // The offset to read from next; compacted offsets are skipped.
  Result<int64_t> Read(const TopicPartition& where, int64_t from, const PollLimits& limits,
                       size_t* bytes, std::vector<Record>* out) const;
  Status Commit(const std::string& group, const std::vector<Position>& next);

  // Queues a valid record for the writer, which calls `done` once (after the fsync). `owner` names
  // the sink.
  void Append(const void* owner, Record record, std::function<void(const Delivery&)> done);
  // Takes back what the writer has not begun of this owner; their `done` are called with `status`.
  void Withdraw(const void* owner, const Status& status);
  Status CheckRecord(const Record& record) const;  // INVALID_ARGUMENT: it can never be appended

  GroupCoordinator& groups();
  // Counts appends, group changes and Wake calls. WaitForChange returns when the count is no longer
  // `seen`.
  uint64_t changes() const;
  void WaitForChange(uint64_t seen, std::chrono::steady_clock::time_point deadline) const;
  void Wake();

 private:
  struct Impl;
  explicit EmbeddedLog(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace racewatch::base
