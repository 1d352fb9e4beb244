#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/iterator.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "base/bus/embedded_format.h"
#include "base/bus/embedded_log_impl.h"
#include "base/pause.h"

namespace racewatch::base {

namespace {

constexpr int64_t kIntervalMs = 3600 * 1000;
constexpr auto kRealWaitMax =
    std::chrono::milliseconds(1000);  // the clock may be faster than the machine's
// A reader that keeps up sees every version of a key; only what is older may be superseded.
constexpr int64_t kCompactionLagMinMs = 60 * 1000;
constexpr int64_t kTombstoneKeptMs =
    24LL * 3600 * 1000;  // so that a late reader learns of the deletion
constexpr uint32_t kDeletesPerWrite = 1000;

using Entries = std::vector<IndexEntry>;  // of one key hash, in offset order

}  // namespace

void EmbeddedLog::Impl::Maintain(const std::stop_token& stop) {
  int64_t next_ms = 0;
  while (!stop.stop_requested()) {
    if (clock.NowMs() >= next_ms) {
      const Status status = RunMaintenance();
      if (!status.ok() && log)
        log->RateLimited(LogLevel::kError, "log_maintenance_failed",
                         {{"error", status.ToString()}});
      next_ms = clock.NowMs() + kIntervalMs;
    }
    PauseFor(std::min(clock.RealDuration(kIntervalMs), kRealWaitMax), stop);
  }
}

Status EmbeddedLog::Impl::RunMaintenance() {
  std::lock_guard one(maintenance_mutex);
  std::map<std::string, Topic> snapshot;
  {
    std::lock_guard guard(mutex);
    snapshot = topics;
    for (auto& [name, topic] : topics) topic.dirty = false;
  }
  for (const auto& [name, topic] : snapshot) {
    for (size_t p = 0; p < topic.ranges.size(); ++p) {
      const auto partition = static_cast<int32_t>(p);
      if (topic.expires && topic.retention_ms >= 0)
        RW_RETURN_IF_ERROR(ExpirePartition(name, topic, partition));
      if (topic.compacted && topic.dirty)
        RW_RETURN_IF_ERROR(CompactPartition(name, topic, partition));
    }
  }
  return Status::Ok();
}

Status EmbeddedLog::Impl::ExpirePartition(const std::string& name, const Topic& topic,
                                          int32_t partition) {
  const TopicPartition where{name, partition};
  const OffsetRange range = topic.ranges[static_cast<size_t>(partition)];
  if (range.start == range.end) return Status::Ok();
  RW_ASSIGN_OR_RETURN(const int64_t read_by_all, LowestCommit(where, range.end));
  const int64_t youngest_ms = clock.NowMs() - topic.retention_ms;
  const std::string end_key = RecordKey(topic.id, partition, std::min(range.end, read_by_all));
  const rocksdb::Slice end_slice(end_key);
  rocksdb::ReadOptions reading;
  reading.iterate_upper_bound = &end_slice;
  reading.fill_cache = false;
  int64_t keep_from = range.start;
  {
    const std::unique_ptr<rocksdb::Iterator> it(db->NewIterator(reading, topic.family));
    for (it->Seek(RecordKey(topic.id, partition, range.start)); it->Valid(); it->Next()) {
      Record record;
      RW_RETURN_IF_ERROR(DecodeRecord(it->value().ToStringView(), &record));
      if (record.timestamp_ms >= youngest_ms) break;
      keep_from = OffsetOfRecordKey(it->key().ToStringView()) + 1;
    }
    RW_RETURN_IF_ERROR(EmbeddedDb::ToStatus(it->status(), "embedded log: expire " + name));
  }
  if (keep_from == range.start) return Status::Ok();
  RW_RETURN_IF_ERROR(DeleteBefore(where, keep_from));
  // Whole files go at once, the rest when RocksDB compacts; but keys of what lies in blob files are compacted now, since that
  // alone says what is left of those.
  const std::string from = RecordKey(topic.id, partition, 0),
                    to = RecordKey(topic.id, partition, keep_from);
  const rocksdb::Slice from_slice(from), to_slice(to);
  rocksdb::CompactRangeOptions keys_only;
  keys_only.exclusive_manual_compaction = false;
  return EmbeddedDb::ToStatus(
      topic.family == db.expiring()
          ? db->CompactRange(keys_only, topic.family, &from_slice, &to_slice)
          : rocksdb::DeleteFilesInRange(db.get(), topic.family, &from_slice, &to_slice, false),
      "embedded log: drop records of " + name);
}

namespace {

// Decides what of one topic partition may go, key by key, and deletes it in small batches.
class Compactor {
 public:
  Compactor(const EmbeddedDb& db, rocksdb::ColumnFamilyHandle* family, uint32_t topic_id,
            int32_t partition, OffsetRange range, int64_t now_ms, int64_t lag_ms)
      : db_(db),
        family_(family),
        topic_id_(topic_id),
        partition_(partition),
        range_(range),
        now_ms_(now_ms),
        lag_ms_(lag_ms) {}

  Status Group(const Entries& entries) {
    // From the newest: a key seen already supersedes every older record of it. The keys themselves
    // are compared (a hash may collide), and read only where there is more than one record.
    std::set<std::string> newer;
    for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
      if (entry->offset < range_.start) {
        RW_RETURN_IF_ERROR(Delete(*entry));
        continue;
      }
      bool superseded = false;
      if (entries.size() > 1) {
        RW_ASSIGN_OR_RETURN(std::string key, KeyOf(*entry));
        superseded = !newer.insert(std::move(key)).second;
      }
      const int64_t age_ms = now_ms_ - entry->timestamp_ms;
      // A tombstone goes after everything it deletes. The last offset stays: it tells the
      // partition's end.
      const bool lone_tombstone =
          entry->tombstone && entries.size() == 1 && entry->offset + 1 < range_.end;
      if ((superseded && age_ms > lag_ms_) ||
          (lone_tombstone && age_ms > std::max(kTombstoneKeptMs, lag_ms_)))
        RW_RETURN_IF_ERROR(Delete(*entry));
      else if (superseded || entry->tombstone)
        work_left_ = true;
    }
    return Status::Ok();
  }

  // True when something may go later, by its age alone.
  bool work_left() const { return work_left_; }

  Status Finish() {
    const Status written =
        EmbeddedDb::ToStatus(db_->Write(rocksdb::WriteOptions(), &batch_), "embedded log: compact");
    batch_.Clear();
    return written;
  }

 private:
  Result<std::string> KeyOf(const IndexEntry& entry) const {
    std::string bytes;
    const auto got = db_->Get(rocksdb::ReadOptions(), family_,
                              RecordKey(topic_id_, partition_, entry.offset), &bytes);
    RW_RETURN_IF_ERROR(EmbeddedDb::ToStatus(got, "embedded log: compact"));
    Record record;
    RW_RETURN_IF_ERROR(DecodeRecord(bytes, &record));
    return record.key;
  }

  Status Delete(const IndexEntry& entry) {
    batch_.Delete(family_, RecordKey(topic_id_, partition_, entry.offset));
    batch_.Delete(db_.index(), IndexKey(topic_id_, partition_, entry.key_hash, entry.offset));
    return batch_.Count() < kDeletesPerWrite ? Status::Ok() : Finish();
  }

  const EmbeddedDb& db_;
  rocksdb::ColumnFamilyHandle* const family_;
  const uint32_t topic_id_;
  const int32_t partition_;
  const OffsetRange range_;
  const int64_t now_ms_;
  const int64_t lag_ms_;
  bool work_left_ = false;
  rocksdb::WriteBatch batch_;
};

}  // namespace

Status EmbeddedLog::Impl::CompactPartition(const std::string& name, const Topic& topic,
                                           int32_t partition) {
  OffsetRange range;
  {
    std::lock_guard guard(mutex);  // retention may just have moved the start
    range = topics.at(name).ranges[static_cast<size_t>(partition)];
  }
  Compactor compactor(db, topic.family, topic.id, partition, range, clock.NowMs(),
                      std::max(topic.compaction_lag_ms, kCompactionLagMinMs));
  const std::string prefix = PartitionPrefix(topic.id, partition);
  rocksdb::ReadOptions reading;
  reading.fill_cache = false;
  const std::unique_ptr<rocksdb::Iterator> it(db->NewIterator(reading, db.index()));
  Entries entries;
  for (it->Seek(prefix); it->Valid() && it->key().starts_with(prefix); it->Next()) {
    RW_ASSIGN_OR_RETURN(const IndexEntry entry,
                        DecodeIndexEntry(it->key().ToStringView(), it->value().ToStringView()));
    if (!entries.empty() && entries.front().key_hash != entry.key_hash) {
      RW_RETURN_IF_ERROR(compactor.Group(entries));
      entries.clear();
    }
    entries.push_back(entry);
  }
  RW_RETURN_IF_ERROR(EmbeddedDb::ToStatus(it->status(), "embedded log: compact " + name));
  RW_RETURN_IF_ERROR(compactor.Group(entries));
  if (compactor.work_left()) {
    std::lock_guard guard(mutex);
    topics.at(name).dirty = true;
  }
  return compactor.Finish();
}

}  // namespace racewatch::base
