#include "store/rocksdb_engine.h"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>
#include <rocksdb/write_buffer_manager.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <future>
#include <map>
#include <mutex>
#include <tuple>
#include <utility>

#include "base/disk_space.h"
#include "base/pause.h"
#include "store/failed_view.h"
#include "store/local_leases.h"
#include "store/migrations.h"
#include "store/position_row.h"

namespace racewatch::store {
namespace {

constexpr std::chrono::milliseconds kStallPause{2};
constexpr int kStallsMax = 5000;
constexpr size_t kLogBufferBytes = 4u << 20;
constexpr uint64_t kTextBytesMin = 2048;  // longer than almost all rows of counts, which change all the time
constexpr double kGarbageMax = 0.5;       // of the oldest files with texts
constexpr size_t kCountsAsideMin = 32;  // fewer are not worth a thread

rocksdb::Slice ToSlice(std::string_view s) { return {s.data(), s.size()}; }

std::string FullKey(Table table, std::string_view key) {
  std::string out;
  out.reserve(key.size() + 1);
  out.push_back(static_cast<char>(table));
  out.append(key);
  return out;
}

base::Status ToStatus(const rocksdb::Status& status, std::string_view what) {
  if (status.ok()) return {};
  const std::string text = std::string(what) + ": " + status.ToString();
  if (status.IsCorruption()) return base::DataLoss(text);
  if (status.IsNoSpace() || status.IsBusy() || status.IsTimedOut() || status.IsIncomplete()) return base::Unavailable(text);
  return base::Internal(text);
}

bool IsLocked(const rocksdb::Status& status) {
  return status.IsIOError() && status.ToString().find("lock") != std::string::npos;
}

base::Result<std::optional<std::string>> GetFrom(rocksdb::DB* db, const rocksdb::ReadOptions& options, Table table,
                                                 std::string_view key) {
  std::string value;
  const rocksdb::Status status = db->Get(options, FullKey(table, key), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  if (!status.ok()) return ToStatus(status, "store: read");
  return std::optional<std::string>(std::move(value));
}

base::Result<std::vector<std::optional<std::string>>> MultiGetFrom(rocksdb::DB* db, const rocksdb::ReadOptions& options,
                                                                   Table table,
                                                                   const std::vector<std::string_view>& keys) {
  std::vector<std::string> full;
  full.reserve(keys.size());
  for (const auto key : keys) full.push_back(FullKey(table, key));
  const std::vector<rocksdb::Slice> slices(full.begin(), full.end());
  std::vector<rocksdb::PinnableSlice> values(keys.size());
  std::vector<rocksdb::Status> statuses(keys.size());
  db->MultiGet(options, db->DefaultColumnFamily(), slices.size(), slices.data(), values.data(), statuses.data());
  std::vector<std::optional<std::string>> out(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    if (statuses[i].ok()) out[i] = values[i].ToString();
    else if (!statuses[i].IsNotFound()) return ToStatus(statuses[i], "store: read");
  }
  return out;
}

base::Status ScanFrom(rocksdb::DB* db, rocksdb::ReadOptions options, Table table, std::string_view begin,
                      std::string_view end, bool reverse, const View::Visit& visit) {
  const std::string low = FullKey(table, begin);
  const std::string high =
      end.empty() ? std::string(1, static_cast<char>(static_cast<uint8_t>(table) + 1)) : FullKey(table, end);
  const rocksdb::Slice low_slice(low), high_slice(high);
  options.iterate_lower_bound = &low_slice;
  options.iterate_upper_bound = &high_slice;
  const std::unique_ptr<rocksdb::Iterator> it(db->NewIterator(options));
  for (reverse ? it->SeekToLast() : it->SeekToFirst(); it->Valid(); reverse ? it->Prev() : it->Next()) {
    const rocksdb::Slice key = it->key(), value = it->value();
    if (!visit({key.data() + 1, key.size() - 1}, {value.data(), value.size()})) break;
  }
  return ToStatus(it->status(), "store: scan");
}

class SnapshotView final : public View {
 public:
  explicit SnapshotView(rocksdb::DB* db) : db_(db), snapshot_(db->GetSnapshot()) { options_.snapshot = snapshot_; }
  ~SnapshotView() override { db_->ReleaseSnapshot(snapshot_); }
  SnapshotView(const SnapshotView&) = delete;
  SnapshotView& operator=(const SnapshotView&) = delete;

  base::Result<std::optional<std::string>> Get(Table table, std::string_view key) const override {
    return GetFrom(db_, options_, table, key);
  }
  base::Result<std::vector<std::optional<std::string>>> MultiGet(
      Table table, const std::vector<std::string_view>& keys) const override {
    return MultiGetFrom(db_, options_, table, keys);
  }
  base::Status Scan(Table table, std::string_view begin, std::string_view end, bool reverse,
                    const Visit& visit) const override {
    return ScanFrom(db_, options_, table, begin, end, reverse, visit);
  }

 private:
  rocksdb::DB* db_;
  const rocksdb::Snapshot* snapshot_;
  rocksdb::ReadOptions options_;
};

// The writes by key: the memtable looks for the place of each one near that of the last, in memory just read. Writes
// of one key stay in order, and with a range among them all do.
std::vector<const Write*> InKeyOrder(const std::vector<Write>& writes) {
  std::vector<std::pair<uint64_t, const Write*>> order;
  order.reserve(writes.size());
  bool range = false;
  for (const Write& write : writes) {
    uint64_t start = static_cast<uint64_t>(write.table);
    for (size_t i = 0; i < 7; ++i) start = start << 8 | (i < write.key.size() ? static_cast<unsigned char>(write.key[i]) : 0);
    order.emplace_back(start, &write);
    range = range || write.kind == Write::Kind::kDeleteRange;
  }
  const auto before = [](const auto& a, const auto& b) {
    if (a.first != b.first) return a.first < b.first;
    const int compared = a.second->key.compare(b.second->key);
    return compared != 0 ? compared < 0 : a.second < b.second;
  };
  if (!range) std::sort(order.begin(), order.end(), before);
  std::vector<const Write*> out;
  out.reserve(order.size());
  for (const auto& [start, write] : order) out.push_back(write);
  return out;
}

rocksdb::Options MakeOptions(const RocksDbOptions& wanted) {
  rocksdb::Options options;
  if (wanted.env != nullptr) options.env = wanted.env;
  options.create_if_missing = true;
  options.max_open_files = 512;
  options.max_background_jobs = 2;
  options.write_buffer_size = wanted.memtable_bytes / 2;
  options.max_write_buffer_number = 3;
  options.max_total_wal_size = wanted.memtable_bytes * 2;
  options.keep_log_file_num = 2;
  options.max_log_file_size = 1u << 20;
  options.compression = rocksdb::kLZ4Compression;
  options.bottommost_compression = rocksdb::kZSTD;
  options.level_compaction_dynamic_level_bytes = true;
  // Texts lie in files of their own: compaction, which would write and compress each of them several times over, leaves them.
  options.enable_blob_files = true;
  options.min_blob_size = kTextBytesMin;
  options.blob_compression_type = rocksdb::kLZ4Compression;
  options.enable_blob_garbage_collection = true;
  options.blob_garbage_collection_force_threshold = kGarbageMax;
  // A batch goes to the log's file when it is synced, by the thread that does that: with room for one in the log's buffer.
  options.manual_wal_flush = true;
  options.writable_file_max_buffer_size = kLogBufferBytes;
  // A torn tail is what a power cut leaves; damage anywhere else must not pass for one.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  const auto cache = rocksdb::NewLRUCache(wanted.cache_bytes);
  options.write_buffer_manager = std::make_shared<rocksdb::WriteBufferManager>(wanted.memtable_bytes);
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  // In parts: the whole filter of a file outgrows a shard of the cache and would be read and checked at every look-up.
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

}  // namespace

struct RocksDbEngine::Impl {
  std::string path;
  uint64_t memtable_bytes = 0;
  std::unique_ptr<rocksdb::DB> db;
  std::shared_ptr<rocksdb::Cache> cache;
  std::mutex mutex;  // commits and claims
  std::mutex lease_mutex;  // before `mutex`
  LocalLeases leases;
  std::map<Table, uint64_t> last;  // number of the last row appended
  rocksdb::WriteBatch out;  // reused: several megabytes, fresh memory for each would cost as much as the copy
  // What a part of the counts writes: the ledger's keys, and values one behind the other.
  struct Counts {
    CountLedger ledger;
    struct Row {
      Table table;
      std::string_view key;
      size_t begin, bytes;
    };
    std::vector<Row> rows;
    std::string values;
  };
  std::array<Counts, 2> counts{Counts{CountLedger(CountLedger::Part::kHours), {}, {}},
                               Counts{CountLedger(CountLedger::Part::kOthers), {}, {}}};
  std::atomic<uint64_t> moment = 1;
  // How many unsynced commits were begun, are in the log, and are safe there.
  std::atomic<uint64_t> begun = 0, written = 0, durable = 0;
  std::mutex sync_mutex;  // after `mutex`
  bool fsync = true;

  rocksdb::Status WriteOut(bool sync);
  base::Status Commit(const Batch& batch, bool sync);
  base::Status Sync();
  base::Status Fill(const Batch& batch, std::map<Table, uint64_t>* numbers);
  base::Status Put(Table table, std::string_view key, std::string_view value);
  base::Status CheckOwners(const Batch& batch);
  base::Status CheckExpectations(const Batch& batch);
  base::Status AddAppends(const Batch& batch, std::map<Table, uint64_t>* numbers);
  base::Status Count(const Batch& batch, Counts* part);
  base::Status AddRows(const Batch& batch, std::map<Table, uint64_t>* numbers);
  base::Status AddCounts(const Counts& part);
  base::Status AddWrites(const Batch& batch);
};

// A write that waits for compaction must not wait for a disk that is full: nobody would make RocksDB go on.
rocksdb::Status RocksDbEngine::Impl::WriteOut(bool sync) {
  rocksdb::WriteOptions write_options;
  write_options.sync = sync && fsync;
  write_options.no_slowdown = true;
  for (int stalls = 0;; ++stalls) {
    const rocksdb::Status status = db->Write(write_options, &out);
    if (!status.IsIncomplete() || stalls == kStallsMax) return status;
    if (const rocksdb::Status resumed = db->Resume(); !resumed.ok()) return resumed;
    base::PauseFor(kStallPause);
  }
}

base::Status RocksDbEngine::Impl::CheckOwners(const Batch& batch) {
  for (const auto& owner : batch.owners()) {
    const std::string key = PositionKey(owner.claim.cluster_id, owner.claim.where);
    RW_ASSIGN_OR_RETURN(const auto stored, GetFrom(db.get(), {}, Table::kPosition, key));
    PositionRow row;
    if (!stored || !PositionRow::Decode(*stored, &row)) return base::DataLoss("store: position row missing or damaged");
    if (row.epoch != owner.claim.epoch)
      return base::FailedPrecondition("fenced: " + owner.claim.where.topic + "/" +
                                      std::to_string(owner.claim.where.partition) + " has epoch " +
                                      std::to_string(row.epoch) + ", ours is " + std::to_string(owner.claim.epoch));
    if (owner.next_offset < 0) continue;
    row.next_offset = owner.next_offset;
    RW_RETURN_IF_ERROR(ToStatus(out.Put(FullKey(Table::kPosition, key), row.Encode()), "store: batch"));
  }
  return {};
}

base::Status RocksDbEngine::Impl::CheckExpectations(const Batch& batch) {
  for (const Expectation& expected : batch.expectations()) {
    if (expected.moment == moment) continue;
    RW_ASSIGN_OR_RETURN(const auto stored, GetFrom(db.get(), {}, expected.table, expected.key));
    if (stored != expected.value) return base::Aborted("store: a row has changed since it was read");
  }
  return {};
}

base::Status RocksDbEngine::Impl::AddAppends(const Batch& batch, std::map<Table, uint64_t>* numbers) {
  for (const auto& [table, value] : batch.appends()) {
    const auto [at, is_new] = numbers->try_emplace(table, 0);
    if (is_new) {
      RW_ASSIGN_OR_RETURN(const auto stored, GetFrom(db.get(), {}, Table::kMeta, LastKey(table)));
      if (stored) at->second = Reader(*stored).Varint();
    }
    std::string key;
    AppendBig(&key, ++at->second);
    RW_RETURN_IF_ERROR(ToStatus(out.Put(FullKey(table, key), value), "store: batch"));
  }
  for (const auto& [table, number] : *numbers) {
    std::string value;
    AppendVarint(&value, number);
    RW_RETURN_IF_ERROR(ToStatus(out.Put(FullKey(Table::kMeta, LastKey(table)), value), "store: batch"));
  }
  return {};
}

base::Status RocksDbEngine::Impl::Count(const Batch& batch, Counts* part) {
  part->rows.clear();
  part->values.clear();
  const auto load = [&](CountLedger::Kind kind, std::string_view key) {
    return GetFrom(db.get(), {}, TableOf(kind), key);
  };
  const auto write = [&](CountLedger::Kind kind, std::string_view key, std::string_view value) {
    part->rows.push_back({TableOf(kind), key, part->values.size(), value.size()});
    part->values.append(value);
  };
  return part->ledger.Apply(batch.counts(), load, write);
}

base::Status RocksDbEngine::Impl::AddCounts(const Counts& part) {
  for (const auto& row : part.rows) {
    if (row.bytes > 0) RW_RETURN_IF_ERROR(Put(row.table, row.key, std::string_view(part.values).substr(row.begin, row.bytes)));
    else RW_RETURN_IF_ERROR(ToStatus(out.Delete(FullKey(row.table, row.key)), "store: batch"));
  }
  return {};
}

base::Status RocksDbEngine::Impl::Put(Table table, std::string_view key, std::string_view value) {
  const char number = static_cast<char>(table);
  const std::array<rocksdb::Slice, 2> full{rocksdb::Slice(&number, 1), ToSlice(key)};
  const rocksdb::Slice bytes = ToSlice(value);
  return ToStatus(out.Put({full.data(), 2}, {&bytes, 1}), "store: batch");
}

base::Status RocksDbEngine::Impl::AddWrites(const Batch& batch) {
  for (const Write* each : InKeyOrder(batch.writes())) {
    const Write& write = *each;
    base::Status added;
    switch (write.kind) {
      case Write::Kind::kPut: added = Put(write.table, write.key, write.value); break;
      case Write::Kind::kDelete: added = ToStatus(out.Delete(FullKey(write.table, write.key)), "store: batch"); break;
      case Write::Kind::kDeleteRange:
        added = ToStatus(out.DeleteRange(FullKey(write.table, write.key), FullKey(write.table, write.value)), "store: batch");
        break;
    }
    if (!added.ok()) return added;
  }
  return {};
}

base::Status RocksDbEngine::Impl::AddRows(const Batch& batch, std::map<Table, uint64_t>* numbers) {
  RW_RETURN_IF_ERROR(CheckExpectations(batch));
  RW_RETURN_IF_ERROR(AddAppends(batch, numbers));
  return AddWrites(batch);
}

// Counts depend on nothing else of the batch: a second thread begins with one part of them, and whoever is free first takes
// the other.
base::Status RocksDbEngine::Impl::Fill(const Batch& batch, std::map<Table, uint64_t>* numbers) {
  out.Clear();
  RW_RETURN_IF_ERROR(CheckOwners(batch));
  std::array<base::Status, std::tuple_size_v<decltype(counts)>> counted;
  std::atomic<size_t> next = 0;
  const auto count = [&] {
    for (size_t part; (part = next++) < counts.size();) counted[part] = Count(batch, &counts[part]);
  };
  std::future<void> other;
  if (batch.counts().size() >= kCountsAsideMin) other = std::async(std::launch::async, count);
  const base::Status rows = AddRows(batch, numbers);
  count();
  if (other.valid()) other.get();
  RW_RETURN_IF_ERROR(rows);
  for (const base::Status& status : counted) RW_RETURN_IF_ERROR(status);
  for (const Counts& part : counts) RW_RETURN_IF_ERROR(AddCounts(part));
  return {};
}

base::Status RocksDbEngine::Impl::Commit(const Batch& batch, bool sync) {
  const std::scoped_lock lock(mutex);
  std::map<Table, uint64_t> numbers = last;
  base::Status status = Fill(batch, &numbers);
  // Room for this batch twice (log and table) and for the memtables.
  if (status.ok()) status = base::RequireSpace(path, 2 * (out.GetDataSize() + memtable_bytes), "store: commit");
  // The log may go on in a new file with this write: were the end of the old one not safe yet, a power cut could take it and
  // leave what came after it.
  if (status.ok()) status = Sync();
  if (status.ok()) {
    if (!sync) ++begun;
    status = ToStatus(WriteOut(sync), "store: commit");
    ++moment;  // now that it is seen: who reads the moment first and then rows cannot take new ones for old
    written.store(begun);
    // After a failed write RocksDB refuses further ones until Resume; a full disk may have room again.
    if (!status.ok()) (void)db->Resume();
  }
  for (Counts& part : counts) status.ok() ? part.ledger.Committed() : part.ledger.RolledBack();
  if (status.ok()) last = std::move(numbers);
  return status;
}

// Without `mutex`, so that the next batch is prepared meanwhile.
base::Status RocksDbEngine::Impl::Sync() {
  if (durable >= begun || !fsync) return {};
  const std::scoped_lock lock(sync_mutex);
  const uint64_t done = written;
  if (durable >= begun) return {};
  const base::Status synced = ToStatus(db->FlushWAL(true), "store: sync");
  // Resume writes out the memtables, after which nothing depends on the log.
  if (!synced.ok()) return (void)db->Resume(), synced;
  durable.store(done);
  return {};
}

RocksDbEngine::RocksDbEngine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RocksDbEngine::~RocksDbEngine() { (void)impl_->Sync(); }

base::Result<std::unique_ptr<RocksDbEngine>> RocksDbEngine::Open(const RocksDbOptions& wanted) {
  std::error_code error;
  std::filesystem::create_directories(wanted.path, error);
  if (error) return base::Internal("state folder " + wanted.path + ": " + error.message());
  auto impl = std::make_unique<Impl>();
  rocksdb::DB* db = nullptr;
  const rocksdb::Options options = MakeOptions(wanted);
  const rocksdb::Status opened = rocksdb::DB::Open(options, wanted.path, &db);
  if (IsLocked(opened)) return base::FailedPrecondition("state folder " + wanted.path + ": in use by another process");
  if (!opened.ok()) return ToStatus(opened, "state folder " + wanted.path);
  impl->path = wanted.path;
  impl->memtable_bytes = wanted.memtable_bytes;
  impl->db.reset(db);
  impl->fsync = wanted.fsync;
  std::unique_ptr<RocksDbEngine> engine(new RocksDbEngine(std::move(impl)));
  RW_RETURN_IF_ERROR(Migrate(*engine).Annotate("state folder " + wanted.path));
  return engine;
}

base::Result<std::optional<Claim>> RocksDbEngine::TakeLease(const std::string& name, const std::string& holder,
                                                            std::chrono::milliseconds time) {
  const std::scoped_lock lock(impl_->lease_mutex);
  return impl_->leases.Take(name, holder, time, [this](const base::TopicPartition& where) { return TakeClaim("", where); });
}

base::Result<std::optional<std::string>> RocksDbEngine::Get(Table table, std::string_view key) const {
  return GetFrom(impl_->db.get(), {}, table, key);
}
base::Result<std::vector<std::optional<std::string>>> RocksDbEngine::MultiGet(
    Table table, const std::vector<std::string_view>& keys) const {
  return MultiGetFrom(impl_->db.get(), {}, table, keys);
}
base::Status RocksDbEngine::Scan(Table table, std::string_view begin, std::string_view end, bool reverse,
                                 const Visit& visit) const {
  return ScanFrom(impl_->db.get(), {}, table, begin, end, reverse, visit);
}
std::unique_ptr<View> RocksDbEngine::Snapshot() const {
  auto view = std::make_unique<SnapshotView>(impl_->db.get());
  // Nobody may act on what a power cut can take back.
  if (const base::Status synced = impl_->Sync(); !synced.ok()) return std::make_unique<FailedView>(synced);
  return view;
}

base::Result<Claim> RocksDbEngine::TakeClaim(const std::string& cluster_id, const base::TopicPartition& where) {
  const std::scoped_lock lock(impl_->mutex);
  const std::string key = PositionKey(cluster_id, where);
  RW_ASSIGN_OR_RETURN(const auto stored, Get(Table::kPosition, key));
  PositionRow row;
  if (stored && !PositionRow::Decode(*stored, &row)) return base::DataLoss("store: position row damaged");
  ++row.epoch;
  RW_RETURN_IF_ERROR(impl_->Sync());
  rocksdb::WriteOptions sync;
  sync.sync = true;
  RW_RETURN_IF_ERROR(ToStatus(impl_->db->Put(sync, FullKey(Table::kPosition, key), row.Encode()), "store: claim"));
  ++impl_->moment;
  return Claim{cluster_id, where, row.epoch, row.next_offset};
}

uint64_t RocksDbEngine::moment() const { return impl_->moment; }
base::Status RocksDbEngine::Commit(const Batch& batch) { return impl_->Commit(batch, true); }
base::Status RocksDbEngine::CommitUnsynced(const Batch& batch) { return impl_->Commit(batch, false); }
base::Status RocksDbEngine::Sync() const { return impl_->Sync(); }
bool RocksDbEngine::unsynced() const { return impl_->durable < impl_->begun; }

uint64_t RocksDbEngine::disk_bytes() const {
  uint64_t rows = 0, texts = 0;
  impl_->db->GetIntProperty(rocksdb::DB::Properties::kTotalSstFilesSize, &rows);
  impl_->db->GetIntProperty(rocksdb::DB::Properties::kTotalBlobFileSize, &texts);
  return rows + texts;
}

uint64_t RocksDbEngine::memory_bytes() const {
  uint64_t memtables = 0, cache = 0;
  impl_->db->GetIntProperty(rocksdb::DB::Properties::kCurSizeAllMemTables, &memtables);
  impl_->db->GetIntProperty(rocksdb::DB::Properties::kBlockCacheUsage, &cache);
  return memtables + cache;
}

}  // namespace racewatch::store
