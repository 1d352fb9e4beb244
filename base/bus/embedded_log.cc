#include "base/bus/embedded_log.h"

#include <rocksdb/db.h>
#include <rocksdb/iterator.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <filesystem>
#include <random>
#include <system_error>
#include <utility>

#include "base/bus/embedded_format.h"
#include "base/bus/embedded_log_impl.h"
#include "racewatch/v1/config.pb.h"

namespace racewatch::base {

namespace {

constexpr std::string_view kFormatVersion = "1";
constexpr size_t kHeadersMax = 1000;

std::string StartKey(uint32_t topic_id, int32_t partition) {
  return "start/" + PartitionPrefix(topic_id, partition);
}

// The group comes last: retention asks for all groups of a partition.
std::string CommitPrefix(const TopicPartition& where) {
  return "commit/" + where.topic + '\0' + PartitionPrefix(0, where.partition);
}

std::string NewClusterId() {
  static constexpr char kAlphabet[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::random_device random;
  std::string id;
  for (int i = 0; i < 22; ++i) id.push_back(kAlphabet[random() % 64]);
  return id;
}

std::string Name(const TopicPartition& where) {
  return where.topic + "/" + std::to_string(where.partition);
}

rocksdb::Slice Slice(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

EmbeddedLogOptions EmbeddedLogOptionsFrom(const v1::EmbeddedLogConfig& config, std::string dir) {
  EmbeddedLogOptions options;
  options.dir = std::move(dir);
  if (config.memtable_bytes() > 0) options.memtable_bytes = config.memtable_bytes();
  if (config.partitions() > 0) options.partitions = static_cast<int32_t>(config.partitions());
  if (config.has_fsync()) options.fsync = config.fsync();
  if (config.retention_hours() > 0)
    options.retention_ms = int64_t{config.retention_hours()} * 3600 * 1000;
  return options;
}

EmbeddedLog::EmbeddedLog(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

EmbeddedLog::~EmbeddedLog() {
  for (std::jthread* thread : {&impl_->maintainer, &impl_->writer}) thread->request_stop();
  std::lock_guard guard(
      impl_->mutex);  // the writer is either before its test of the token, or waits
  impl_->queued.notify_all();
}

Result<std::unique_ptr<EmbeddedLog>> EmbeddedLog::Open(EmbeddedLogOptions options,
                                                       const Clock& clock, Log* log) {
  const std::string dir = options.dir;
  std::error_code error;
  std::filesystem::create_directory(dir, error);
  if (error) return Unavailable("embedded log " + dir + ": make folder: " + error.message());
  auto impl = std::make_unique<Impl>(std::move(options), clock, log);
  RW_ASSIGN_OR_RETURN(impl->lock, FolderLock::Take(dir));
  RW_RETURN_IF_ERROR(impl->db.Open(dir, impl->options.memtable_bytes, impl->options.cache_bytes));
  RW_RETURN_IF_ERROR(impl->OpenTopics());
  Impl* inside = impl.get();
  inside->writer = std::jthread([inside](const std::stop_token& stop) { inside->Write(stop); });
  inside->maintainer =
      std::jthread([inside](const std::stop_token& stop) { inside->Maintain(stop); });
  return std::unique_ptr<EmbeddedLog>(new EmbeddedLog(std::move(impl)));
}

Status EmbeddedLog::Impl::OpenTopics() {
  RW_ASSIGN_OR_RETURN(const std::string format, db.GetMeta("format"));
  RW_ASSIGN_OR_RETURN(cluster_id, db.GetMeta("cluster"));
  if (format.empty() && cluster_id.empty()) {
    cluster_id = NewClusterId();
    rocksdb::WriteBatch batch;
    batch.Put(db.meta(), "format", Slice(kFormatVersion));
    batch.Put(db.meta(), "cluster", cluster_id);
    rocksdb::WriteOptions durable;
    durable.sync = true;
    RW_RETURN_IF_ERROR(
        EmbeddedDb::ToStatus(db->Write(durable, &batch), "embedded log: first write"));
  } else if (format != kFormatVersion) {
    return FailedPrecondition("embedded log " + options.dir + ": format '" + format +
                              "' is not of this version");
  }
  for (const TopicSpec& spec : AllTopics()) RW_RETURN_IF_ERROR(AddTopic(spec));
  return Status::Ok();
}

Status EmbeddedLog::Impl::AddTopic(const TopicSpec& spec) {
  const std::string name(spec.name);
  // Where a topic lies is settled when it is made: in a log of an older build all of them lie in one family.
  const std::string key = "topic/" + name, family_key = "expiring/" + name;
  RW_ASSIGN_OR_RETURN(const std::string stored, db.GetMeta(key));
  RW_ASSIGN_OR_RETURN(const std::string expiring, db.GetMeta(family_key));
  std::lock_guard guard(mutex);
  const auto known = topics.find(name);
  Topic topic = known != topics.end() ? known->second : Topic{};
  if (known == topics.end()) {
    int64_t partitions = std::min(spec.partitions, options.partitions);
    topic.id = static_cast<uint32_t>(topics.size());
    if (stored.empty()) {
      for (const auto& [other, t] : topics) topic.id = std::max(topic.id, t.id + 1);
      rocksdb::WriteBatch batch;
      batch.Put(db.meta(), key, EncodeInt(int64_t{topic.id} << 32 | partitions));
      if (spec.expires) batch.Put(db.meta(), family_key, "1");
      rocksdb::WriteOptions durable;
      durable.sync = true;
      RW_RETURN_IF_ERROR(
          EmbeddedDb::ToStatus(db->Write(durable, &batch), "embedded log: make " + name));
    } else {
      RW_ASSIGN_OR_RETURN(const int64_t packed, DecodeInt(stored));
      topic.id = static_cast<uint32_t>(packed >> 32);
      partitions = packed & 0xffffffff;
    }
    topic.family = (stored.empty() ? spec.expires : !expiring.empty()) ? db.expiring() : db.records();
    topic.ranges.resize(static_cast<size_t>(partitions));
    topic.dirty = true;
    RW_RETURN_IF_ERROR(LoadRanges(&topic));
  }
  const bool feeds_only =
      spec.name == kArticlesTopic || spec.name == kBackfillTopic || spec.name == kRetagTopic;
  topic.retention_ms = feeds_only ? options.retention_ms : spec.retention_ms;
  topic.compacted = spec.compacted;
  topic.expires = spec.expires;
  topic.compaction_lag_ms = spec.compaction_lag_ms;
  topics[name] = std::move(topic);
  return Status::Ok();
}

// The last record of a partition is never compacted away, so it tells the end; `start` tells it
// when retention took everything.
Status EmbeddedLog::Impl::LoadRanges(Topic* topic) {
  const std::unique_ptr<rocksdb::Iterator> it(
      db->NewIterator(rocksdb::ReadOptions(), topic->family));
  for (size_t p = 0; p < topic->ranges.size(); ++p) {
    const auto partition = static_cast<int32_t>(p);
    RW_ASSIGN_OR_RETURN(const std::string start, db.GetMeta(StartKey(topic->id, partition)));
    OffsetRange& range = topic->ranges[p];
    if (!start.empty()) {
      RW_ASSIGN_OR_RETURN(range.start, DecodeInt(start));
    }
    range.end = range.start;
    it->SeekForPrev(RecordKey(topic->id, partition, INT64_MAX));
    if (it->Valid() && it->key().starts_with(PartitionPrefix(topic->id, partition)))
      range.end = std::max(range.end, OffsetOfRecordKey(it->key().ToStringView()) + 1);
    RW_RETURN_IF_ERROR(
        EmbeddedDb::ToStatus(it->status(), "embedded log " + options.dir + ": find the end"));
  }
  return Status::Ok();
}

const EmbeddedLog::Impl::Topic* EmbeddedLog::Impl::Find(const TopicPartition& where) const {
  const auto it = topics.find(where.topic);
  if (it == topics.end() || where.partition < 0 ||
      static_cast<size_t>(where.partition) >= it->second.ranges.size())
    return nullptr;
  return &it->second;
}

EmbeddedLog::Impl::Topic* EmbeddedLog::Impl::Find(const TopicPartition& where) {
  return const_cast<Topic*>(std::as_const(*this).Find(where));
}

void EmbeddedLog::Impl::Changed() {
  std::lock_guard guard(mutex);
  ++change_count;
  changed.notify_all();
}

Status EmbeddedLog::CreateTopic(const TopicSpec& spec) {
  if (spec.name.empty() || spec.partitions < 1)
    return InvalidArgument("embedded log: a topic needs a name and partitions");
  return impl_->AddTopic(spec);
}

int32_t EmbeddedLog::partitions(const std::string& topic) const {
  std::lock_guard guard(impl_->mutex);
  const auto it = impl_->topics.find(topic);
  return it == impl_->topics.end() ? 0 : static_cast<int32_t>(it->second.ranges.size());
}

const std::string& EmbeddedLog::cluster_id() const { return impl_->cluster_id; }

Result<OffsetRange> EmbeddedLog::Range(const TopicPartition& where) const {
  std::lock_guard guard(impl_->mutex);
  const Impl::Topic* topic = std::as_const(*impl_).Find(where);
  if (!topic) return NotFound("embedded log: no partition " + Name(where));
  return topic->ranges[static_cast<size_t>(where.partition)];
}

Result<int64_t> EmbeddedLog::Read(const TopicPartition& where, int64_t from,
                                  const PollLimits& limits, size_t* bytes,
                                  std::vector<Record>* out) const {
  uint32_t id = 0;
  rocksdb::ColumnFamilyHandle* family = nullptr;
  OffsetRange range;
  {
    std::lock_guard guard(impl_->mutex);
    const Impl::Topic* topic = std::as_const(*impl_).Find(where);
    if (!topic) return NotFound("embedded log: no partition " + Name(where));
    id = topic->id;
    family = topic->family;
    range = topic->ranges[static_cast<size_t>(where.partition)];
  }
  const std::string end_key = RecordKey(id, where.partition, range.end);
  const rocksdb::Slice end_slice(end_key);
  rocksdb::ReadOptions options;
  options.iterate_upper_bound = &end_slice;
  options.readahead_size = 0;  // RocksDB's own: grows with sequential reads
  const std::unique_ptr<rocksdb::Iterator> it(impl_->db->NewIterator(options, family));
  for (it->Seek(RecordKey(id, where.partition, std::max(from, range.start))); it->Valid();
       it->Next()) {
    Record record;
    record.offset = OffsetOfRecordKey(it->key().ToStringView());
    const Status decoded = DecodeRecord(it->value().ToStringView(), &record);
    if (!decoded.ok())
      return decoded.Annotate("embedded log: " + Name(where) + " at " +
                              std::to_string(record.offset));
    record.topic = where.topic;
    record.partition = where.partition;
    const size_t size = record.ByteSize();
    if (out->size() >= limits.records_max || (!out->empty() && *bytes + size > limits.bytes_max))
      return record.offset;
    *bytes += size;
    out->push_back(std::move(record));
  }
  RW_RETURN_IF_ERROR(EmbeddedDb::ToStatus(it->status(), "embedded log: read " + Name(where)));
  return range.end;
}

// Without fsync: a commit lost on power failure only hands records out again. kill -9 does not lose
// it.
Status EmbeddedLog::Commit(const std::string& group, const std::vector<Position>& next) {
  rocksdb::WriteBatch batch;
  for (const Position& p : next)
    batch.Put(impl_->db.meta(), CommitPrefix(p.where) + group, EncodeInt(p.offset));
  return EmbeddedDb::ToStatus(impl_->db->Write(rocksdb::WriteOptions(), &batch),
                              "embedded log: commit of " + group);
}

Result<int64_t> EmbeddedLog::Committed(const std::string& group,
                                       const TopicPartition& where) const {
  RW_ASSIGN_OR_RETURN(const std::string stored, impl_->db.GetMeta(CommitPrefix(where) + group));
  if (stored.empty()) return int64_t{-1};
  return DecodeInt(stored);
}

Result<int64_t> EmbeddedLog::Impl::LowestCommit(const TopicPartition& where,
                                                int64_t otherwise) const {
  int64_t lowest = otherwise;
  const std::string prefix = CommitPrefix(where);
  const std::unique_ptr<rocksdb::Iterator> it(db->NewIterator(rocksdb::ReadOptions(), db.meta()));
  for (it->Seek(prefix); it->Valid() && it->key().starts_with(prefix); it->Next()) {
    RW_ASSIGN_OR_RETURN(const int64_t offset, DecodeInt(it->value().ToStringView()));
    lowest = std::min(lowest, offset);
  }
  RW_RETURN_IF_ERROR(
      EmbeddedDb::ToStatus(it->status(), "embedded log: read the commits of " + Name(where)));
  return lowest;
}

Status EmbeddedLog::DeleteBefore(const TopicPartition& where, int64_t offset) {
  return impl_->DeleteBefore(where, offset);
}

Status EmbeddedLog::Impl::DeleteBefore(const TopicPartition& where, int64_t offset) {
  rocksdb::WriteBatch batch;
  std::string from, to;
  {
    std::lock_guard guard(mutex);
    Topic* topic = Find(where);
    if (!topic) return NotFound("embedded log: no partition " + Name(where));
    OffsetRange& range = topic->ranges[static_cast<size_t>(where.partition)];
    offset = std::min(offset, range.end);
    if (offset <= range.start) return Status::Ok();
    from = RecordKey(topic->id, where.partition, 0);
    to = RecordKey(topic->id, where.partition, offset);
    batch.Put(db.meta(), StartKey(topic->id, where.partition), EncodeInt(offset));
    batch.DeleteRange(topic->family, from, to);
    RW_RETURN_IF_ERROR(EmbeddedDb::ToStatus(db->Write(rocksdb::WriteOptions(), &batch),
                                            "embedded log: expire " + Name(where)));
    range.start = offset;
    topic->dirty = true;
  }
  return Status::Ok();
}

Status EmbeddedLog::CheckRecord(const Record& record) const {
  const std::string what = "send to " + record.topic + ": ";
  const int32_t count = partitions(record.topic);
  if (count == 0) return InvalidArgument(what + "unknown topic");
  if (record.partition >= count)
    return InvalidArgument(what + "no partition " + std::to_string(record.partition));
  if (record.headers.size() > kHeadersMax) return InvalidArgument(what + "more than 1000 headers");
  if (record.ByteSize() > kRecordBytesMax)
    return InvalidArgument(what + "record of " + std::to_string(record.ByteSize()) +
                           " bytes is too large");
  return Status::Ok();
}

Status EmbeddedLog::RunMaintenance() { return impl_->RunMaintenance(); }
GroupCoordinator& EmbeddedLog::groups() { return impl_->groups; }
void EmbeddedLog::Wake() { impl_->Changed(); }

uint64_t EmbeddedLog::changes() const {
  std::lock_guard guard(impl_->mutex);
  return impl_->change_count;
}

void EmbeddedLog::WaitForChange(uint64_t seen,
                                std::chrono::steady_clock::time_point deadline) const {
  std::unique_lock guard(impl_->mutex);
  impl_->changed.wait_until(guard, deadline, [&] { return impl_->change_count != seen; });
}

}  // namespace racewatch::base
