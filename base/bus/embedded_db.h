// The RocksDB database behind the embedded log: its options, the lock on its folder, and RocksDB's
// errors as our Status. Internal to the embedded log. Thread-safe as RocksDB is; closed by
// the destructor. RocksDB's own headers stay in the .cc files.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"

namespace rocksdb {
class DB;
class ColumnFamilyHandle;
class Status;
}  // namespace rocksdb

namespace racewatch::base {

// Holds an exclusive lock on a file until destroyed (or until the process ends, however it ends).
class FolderLock {
 public:
  FolderLock() = default;
  ~FolderLock();
  FolderLock(FolderLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FolderLock& operator=(FolderLock&& other) noexcept;

  // FAILED_PRECONDITION when another process, or another lock of this one, holds `dir`.
  static Result<FolderLock> Take(const std::string& dir);

 private:
  int fd_ = -1;
};

class EmbeddedDb {
 public:
  EmbeddedDb();
  ~EmbeddedDb();
  EmbeddedDb(const EmbeddedDb&) = delete;
  EmbeddedDb& operator=(const EmbeddedDb&) = delete;

  // The folder exists and is locked. DATA_LOSS: damaged.
  Status Open(const std::string& dir, size_t memtable_bytes, size_t cache_bytes);

  rocksdb::DB* operator->() const { return db_.get(); }
  rocksdb::DB* get() const { return db_.get(); }
  rocksdb::ColumnFamilyHandle* meta() const { return meta_; }          // topics, starts, commits
  rocksdb::ColumnFamilyHandle* records() const { return records_; }    // the log itself
  rocksdb::ColumnFamilyHandle* expiring() const { return expiring_; }  // the same of topics that expire
  rocksdb::ColumnFamilyHandle* index() const { return index_; }        // keys of compacted topics

  // The value of a meta key, or an empty string when there is none.
  Result<std::string> GetMeta(const std::string& key) const;

  // `what` annotates the message: what we tried, on what.
  static Status ToStatus(const rocksdb::Status& status, std::string_view what);

 private:
  std::unique_ptr<rocksdb::DB> db_;
  rocksdb::ColumnFamilyHandle* meta_ = nullptr;
  rocksdb::ColumnFamilyHandle* records_ = nullptr;
  rocksdb::ColumnFamilyHandle* expiring_ = nullptr;
  rocksdb::ColumnFamilyHandle* index_ = nullptr;
};

}  // namespace racewatch::base
