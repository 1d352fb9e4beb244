#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>
#include <xxhash.h>

#include <iterator>
#include <utility>

#include "base/bus/embedded_format.h"
#include "base/bus/embedded_log_impl.h"
#include "base/bus/partitioner.h"
#include "base/disk_space.h"

namespace racewatch::base {

namespace {

// One fsync covers at most this much, so that nobody waits long behind a burst.
constexpr size_t kBatchBytesMax = 8u << 20;

}  // namespace

void EmbeddedLog::Append(const void* owner, Record record,
                         std::function<void(const Delivery&)> done) {
  if (record.timestamp_ms == 0) record.timestamp_ms = impl_->clock.NowMs();
  std::lock_guard guard(impl_->mutex);
  impl_->queue.push_back({owner, std::move(record), std::move(done)});
  if (impl_->queue.size() == 1) impl_->queued.notify_one();
}

void EmbeddedLog::Withdraw(const void* owner, const Status& status) {
  std::deque<Impl::Pending> kept, withdrawn;
  {
    std::lock_guard guard(impl_->mutex);
    for (Impl::Pending& pending : impl_->queue)
      (pending.owner == owner ? withdrawn : kept).push_back(std::move(pending));
    impl_->queue.swap(kept);
  }
  for (const Impl::Pending& pending : withdrawn) pending.done({status, {}});
}

void EmbeddedLog::Impl::Write(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::deque<Pending> batch = TakeBatch(stop);
    if (!batch.empty()) AppendBatch(std::move(batch));
  }
}

std::deque<EmbeddedLog::Impl::Pending> EmbeddedLog::Impl::TakeBatch(const std::stop_token& stop) {
  std::unique_lock guard(mutex);
  queued.wait(guard, [&] { return !queue.empty() || stop.stop_requested(); });
  size_t bytes = 0;
  auto end = queue.begin();
  while (end != queue.end() && bytes < kBatchBytesMax) bytes += (end++)->record.ByteSize();
  std::deque<Pending> batch(std::make_move_iterator(queue.begin()), std::make_move_iterator(end));
  queue.erase(queue.begin(), end);
  return batch;
}

int32_t EmbeddedLog::Impl::ChoosePartition(const Record& record, int32_t partitions) {
  if (record.partition >= 0) return record.partition;
  if (record.key.empty())
    return static_cast<int32_t>(next_keyless++ % static_cast<uint32_t>(partitions));
  return PartitionForKey(record.key, partitions);
}

void EmbeddedLog::Impl::AssignOffsets(const std::deque<Pending>& batch,
                                      std::vector<Delivery>* deliveries, std::vector<Place>* places,
                                      Ends* ends) {
  std::lock_guard guard(mutex);
  for (size_t i = 0; i < batch.size(); ++i) {
    const Record& record = batch[i].record;
    Topic& topic = topics.at(record.topic);
    (*places)[i] = {topic.id, topic.family, topic.compacted};
    Position& at = (*deliveries)[i].position;
    at.where = {record.topic, ChoosePartition(record, static_cast<int32_t>(topic.ranges.size()))};
    const int64_t end = topic.ranges[static_cast<size_t>(at.where.partition)].end;
    at.offset = ends->try_emplace(at.where, end).first->second++;
  }
}

// Only this thread moves an end, and only after the batch is durable: what a reader sees is never
// lost.
void EmbeddedLog::Impl::AppendBatch(std::deque<Pending> batch) {
  std::vector<Delivery> deliveries(batch.size());
  std::vector<Place> places(batch.size());
  Ends ends;
  AssignOffsets(batch, &deliveries, &places, &ends);
  rocksdb::WriteBatch writes;
  for (size_t i = 0; i < batch.size(); ++i) {
    const Record& record = batch[i].record;
    const Position& at = deliveries[i].position;
    const uint32_t id = places[i].topic_id;
    writes.Put(places[i].family, RecordKey(id, at.where.partition, at.offset), EncodeRecord(record));
    if (places[i].indexed && !record.key.empty())
      writes.Put(db.index(),
                 IndexKey(id, at.where.partition, XXH3_64bits(record.key.data(), record.key.size()),
                          at.offset),
                 EncodeIndexValue(record.timestamp_ms, record.tombstone));
  }
  // After a failed write RocksDB refuses all others until it is told that the cause may have gone.
  Status status =
      write_failed ? EmbeddedDb::ToStatus(db->Resume(), "embedded log: resume") : Status::Ok();
  // Room for this batch twice (log and table) and for the memtables.
  if (status.ok())
    status = RequireSpace(options.dir, 2 * (writes.GetDataSize() + options.memtable_bytes),
                          "embedded log: append");
  if (status.ok()) {
    rocksdb::WriteOptions durable;
    durable.sync = options.fsync;
    status = EmbeddedDb::ToStatus(db->Write(durable, &writes), "embedded log: append");
  }
  write_failed = !status.ok();
  if (status.ok()) {
    std::lock_guard guard(mutex);
    for (const auto& [where, end] : ends) {
      Topic& topic = *Find(where);
      topic.ranges[static_cast<size_t>(where.partition)].end = end;
      topic.dirty = true;
    }
    ++change_count;
    changed.notify_all();
  }
  for (size_t i = 0; i < batch.size(); ++i) {
    deliveries[i].status = status;
    batch[i].done(deliveries[i]);
  }
}

}  // namespace racewatch::base
