// The inside of EmbeddedLog, shared by its three source files: embedded_log.cc (topics, reading,
// commits), embedded_writer.cc (the thread that appends), embedded_maintenance.cc (retention and
// compaction). Nobody else includes it.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <stop_token>
#include <thread>

#include "base/bus/embedded_db.h"
#include "base/bus/embedded_log.h"
#include "base/log.h"

namespace racewatch::base {

struct EmbeddedLog::Impl {
  struct Topic {
    uint32_t id = 0;
    rocksdb::ColumnFamilyHandle* family = nullptr;  // of its records
    int64_t retention_ms = -1;
    int64_t compaction_lag_ms = 0;
    bool compacted = false;
    bool expires = false;
    bool dirty = false;               // appended to since the last compaction
    std::vector<OffsetRange> ranges;  // one per partition: what readers may see
  };
  struct Pending {
    const void* owner;
    Record record;
    std::function<void(const Delivery&)> done;
  };
  struct Place {
    uint32_t topic_id = 0;
    rocksdb::ColumnFamilyHandle* family = nullptr;
    bool indexed = false;
  };
  using Ends = std::map<TopicPartition, int64_t>;

  Impl(EmbeddedLogOptions o, const Clock& c, Log* l) : options(std::move(o)), clock(c), log(l) {}

  // embedded_log.cc
  Status OpenTopics();
  Status AddTopic(const TopicSpec& spec);
  Status LoadRanges(Topic* topic);
  void Changed();                                        // wakes everybody who waits for a change
  const Topic* Find(const TopicPartition& where) const;  // under mutex
  Topic* Find(const TopicPartition& where);              // under mutex
  Status DeleteBefore(const TopicPartition& where, int64_t offset);

  // embedded_writer.cc
  void Write(const std::stop_token& stop);
  std::deque<Pending> TakeBatch(const std::stop_token& stop);
  void AppendBatch(std::deque<Pending> batch);
  void AssignOffsets(const std::deque<Pending>& batch, std::vector<Delivery>* deliveries,
                     std::vector<Place>* places, Ends* ends);
  int32_t ChoosePartition(const Record& record, int32_t partitions);

  // embedded_maintenance.cc
  void Maintain(const std::stop_token& stop);
  Status RunMaintenance();
  Status ExpirePartition(const std::string& name, const Topic& topic, int32_t partition);
  Status CompactPartition(const std::string& name, const Topic& topic, int32_t partition);
  Result<int64_t> LowestCommit(const TopicPartition& where, int64_t otherwise) const;

  const EmbeddedLogOptions options;
  const Clock& clock;
  Log* const log;  // may be null
  FolderLock lock;
  EmbeddedDb db;
  std::string cluster_id;
  GroupCoordinator groups;

  mutable std::mutex mutex;  // topics, queue, changes
  std::map<std::string, Topic> topics;
  std::deque<Pending> queue;
  std::condition_variable queued;  // the queue has something
  uint32_t next_keyless = 0;
  uint64_t change_count = 0;
  mutable std::condition_variable changed;

  std::mutex maintenance_mutex;  // one maintenance run at a time
  bool write_failed = false;     // writer only: RocksDB needs Resume before the next write

  std::jthread maintainer;  // last: end before the rest goes
  std::jthread writer;
};

}  // namespace racewatch::base
