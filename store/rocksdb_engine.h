// The embedded engine: one RocksDB in the state folder, one write-ahead log, fsync per commit or, of unsynced ones, whenever
// Sync or Snapshot asks for it. A batch is encoded by two threads: its counts, and everything else. The folder is
// locked by its process. Memory is bounded by `memtable_bytes` (all memtables together), `cache_bytes` (blocks,
// indexes, filters), the ledgers' row caches and 4 MB for each file being written. Threads and errors as engine.h says.
#pragma once

#include <memory>
#include <string>

#include "store/engine.h"

namespace rocksdb {
class Env;
}

namespace racewatch::store {

struct RocksDbOptions {
  std::string path;                      // created when missing
  uint64_t memtable_bytes = 64u << 20;   // more: fewer flushes, longer recovery
  uint64_t cache_bytes = 64u << 20;
  bool fsync = true;                     // false only in benches that show the cost
  rocksdb::Env* env = nullptr;           // tests: files that a power cut takes; outlives the engine
};

class RocksDbEngine final : public Engine {
 public:
  // FAILED_PRECONDITION: another process holds the folder, or a newer build wrote it; DATA_LOSS: damaged.
  // A torn tail of the write-ahead log (power lost in mid-write) is dropped, since it was never acknowledged.
  static base::Result<std::unique_ptr<RocksDbEngine>> Open(const RocksDbOptions& options);
  ~RocksDbEngine() override;

  base::Result<std::optional<std::string>> Get(Table table, std::string_view key) const override;
  base::Result<std::vector<std::optional<std::string>>> MultiGet(
      Table table, const std::vector<std::string_view>& keys) const override;
  base::Status Scan(Table table, std::string_view begin, std::string_view end, bool reverse,
                    const Visit& visit) const override;
  base::Result<Claim> TakeClaim(const std::string& cluster_id, const base::TopicPartition& where) override;
  base::Result<std::optional<Claim>> TakeLease(const std::string& name, const std::string& holder,
                                               std::chrono::milliseconds time) override;
  uint64_t moment() const override;
  base::Status Commit(const Batch& batch) override;
  base::Status CommitUnsynced(const Batch& batch) override;
  base::Status Sync() const override;
  bool unsynced() const override;
  std::unique_ptr<View> Snapshot() const override;

  // Bytes of state on disk and of memtables and cache in memory, for gauges.
  uint64_t disk_bytes() const;
  uint64_t memory_bytes() const;

 private:
  struct Impl;
  explicit RocksDbEngine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace racewatch::store
