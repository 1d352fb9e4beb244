#include "base/bus/embedded_db.h"

#include <fcntl.h>
#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/sst_partitioner.h>
#include <rocksdb/table.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <vector>

#include "base/bus/wal_check.h"

namespace racewatch::base {

namespace {

constexpr size_t kPartitionPrefixBytes = 8;  // topic id and partition
constexpr uint64_t kBlobBytesMin = 1024;     // smaller values stay beside their keys
constexpr double kOldestBlobs = 0.1;         // of the blob files; only these are ever written anew
constexpr double kGarbageMax = 0.4;

rocksdb::CompressionType Supported(rocksdb::CompressionType wanted) {
  const auto supported = rocksdb::GetSupportedCompressions();
  return std::find(supported.begin(), supported.end(), wanted) != supported.end()
             ? wanted
             : rocksdb::kNoCompression;
}

rocksdb::DBOptions DatabaseOptions(size_t memtable_bytes) {
  rocksdb::DBOptions options;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.paranoid_checks = true;
  // Only an unfinished record at the tail is forgiven. kPointInTimeRecovery would also cut off,
  // without a word, everything acknowledged after a flipped bit.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  options.track_and_verify_wals_in_manifest =
      true;  // a missing or shortened synced log is an error
  options.db_write_buffer_size = memtable_bytes;
  options.max_total_wal_size = 4 * memtable_bytes;
  options.max_background_jobs = 2;
  options.bytes_per_sync = 1u << 20;
  options.max_open_files = 512;
  options.keep_log_file_num = 4;
  options.max_log_file_size = 1u << 20;
  options.info_log_level = rocksdb::WARN_LEVEL;
  return options;
}

rocksdb::ColumnFamilyOptions FamilyOptions(size_t write_buffer_bytes,
                                           const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.cache_index_and_filter_blocks = true;
  table.checksum = rocksdb::kXXH3;
  table.block_size = 16u << 10;
  table.format_version = 5;
  rocksdb::ColumnFamilyOptions options;
  options.write_buffer_size = write_buffer_bytes;
  options.max_write_buffer_number = 3;
  options.compression = Supported(rocksdb::kLZ4Compression);
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

// Records of a partition only ever grow at its end. With files that end at partition borders, files
// below level 1 never overlap and move down without being rewritten.
rocksdb::ColumnFamilyOptions RecordOptions(size_t memtable_bytes,
                                           const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::ColumnFamilyOptions options = FamilyOptions(memtable_bytes / 2, cache);
  options.sst_partitioner_factory =
      rocksdb::NewSstPartitionerFixedPrefixFactory(kPartitionPrefixBytes);
  options.target_file_size_base = 64u << 20;
  options.bottommost_compression = Supported(rocksdb::kZSTD);
  options.bottommost_compression_opts.enabled = true;
  options.bottommost_compression_opts.level = 1;
  return options;
}

// What expires soon is written once, into blob files: compaction moves keys only. The oldest records go first, so the oldest
// files are soon empty, or nearly, and what is left of them is written anew.
rocksdb::ColumnFamilyOptions ExpiringOptions(size_t memtable_bytes,
                                             const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::ColumnFamilyOptions options = FamilyOptions(memtable_bytes / 2, cache);
  options.sst_partitioner_factory =
      rocksdb::NewSstPartitionerFixedPrefixFactory(kPartitionPrefixBytes);
  options.max_bytes_for_level_base = 8u << 20;
  options.max_bytes_for_level_multiplier = 1000;
  options.enable_blob_files = true;
  options.min_blob_size = kBlobBytesMin;
  options.blob_file_size = 64u << 20;
  options.blob_compression_type = Supported(rocksdb::kLZ4Compression);
  options.enable_blob_garbage_collection = true;
  options.blob_garbage_collection_age_cutoff = kOldestBlobs;
  options.blob_garbage_collection_force_threshold = kGarbageMax;
  return options;
}

// A folder with data but without its entry file would look new to RocksDB, and be overwritten.
Status CheckNotHalfGone(const std::string& dir) {
  std::error_code error;
  bool has_data = false;
  for (const auto& entry : std::filesystem::directory_iterator(dir, error)) {
    const auto extension = entry.path().extension();
    if (entry.path().filename() == "CURRENT") return Status::Ok();
    has_data = has_data || extension == ".sst" || extension == ".log" || extension == ".blob";
  }
  if (has_data) return DataLoss("embedded log " + dir + ": data files without CURRENT");
  return Status::Ok();
}

}  // namespace

FolderLock::~FolderLock() {
  if (fd_ >= 0) ::close(fd_);
}

FolderLock& FolderLock::operator=(FolderLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

Result<FolderLock> FolderLock::Take(const std::string& dir) {
  const std::string path = dir + "/lock";
  FolderLock lock;
  lock.fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock.fd_ < 0)
    return Unavailable("embedded log " + dir + ": open lock: " + std::strerror(errno));
  if (::flock(lock.fd_, LOCK_EX | LOCK_NB) != 0)
    return FailedPrecondition("embedded log " + dir + ": folder is in use by another process");
  return lock;
}

EmbeddedDb::EmbeddedDb() = default;

EmbeddedDb::~EmbeddedDb() {
  if (!db_) return;
  for (rocksdb::ColumnFamilyHandle* family : {meta_, records_, index_, expiring_})
    db_->DestroyColumnFamilyHandle(family);
  db_->Close().PermitUncheckedError();
}

Status EmbeddedDb::Open(const std::string& dir, size_t memtable_bytes, size_t cache_bytes) {
  RW_RETURN_IF_ERROR(CheckNotHalfGone(dir));
  RW_RETURN_IF_ERROR(CheckWals(dir));
  const auto cache = rocksdb::NewLRUCache(cache_bytes);
  const std::vector<rocksdb::ColumnFamilyDescriptor> families = {
      {rocksdb::kDefaultColumnFamilyName, FamilyOptions(memtable_bytes / 8, cache)},
      {"records", RecordOptions(memtable_bytes, cache)},
      {"index", FamilyOptions(memtable_bytes / 8, cache)},
      {"expiring", ExpiringOptions(memtable_bytes, cache)},
  };
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  const rocksdb::Status opened =
      rocksdb::DB::Open(DatabaseOptions(memtable_bytes), dir, families, &handles, &db);
  if (!opened.ok()) {
    // The folder was there and locked by us: whatever RocksDB misses in it is damage.
    if (opened.IsNotFound() || opened.IsPathNotFound() || opened.IsInvalidArgument())
      return DataLoss("embedded log " + dir + ": open: " + opened.ToString());
    return ToStatus(opened, "embedded log " + dir + ": open");
  }
  db_.reset(db);
  meta_ = handles[0];
  records_ = handles[1];
  index_ = handles[2];
  expiring_ = handles[3];
  return Status::Ok();
}

Result<std::string> EmbeddedDb::GetMeta(const std::string& key) const {
  std::string value;
  const rocksdb::Status got = db_->Get(rocksdb::ReadOptions(), meta_, key, &value);
  if (got.IsNotFound()) return std::string();
  RW_RETURN_IF_ERROR(ToStatus(got, "embedded log: read " + key));
  return value;
}

Status EmbeddedDb::ToStatus(const rocksdb::Status& status, std::string_view what) {
  if (status.ok()) return Status::Ok();
  std::string message = std::string(what) + ": " + status.ToString();
  if (status.IsCorruption()) return DataLoss(std::move(message));
  if (status.IsIOError() || status.IsNoSpace() || status.IsBusy() || status.IsTryAgain() ||
      status.IsTimedOut())
    return Unavailable(std::move(message));
  return Internal(std::move(message));
}

}  // namespace racewatch::base
