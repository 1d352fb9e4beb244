#include "store/open_engine.h"

#include "racewatch/v1/config.pb.h"
#include "store/backup.h"
#include "store/postgresql_engine.h"
#include "store/rocksdb_engine.h"

namespace racewatch::store {

namespace {

base::Result<std::unique_ptr<Engine>> OpenOf(const v1::StoreConfig& config, const std::string& state_dir) {
  if (config.has_postgresql()) {
    RW_ASSIGN_OR_RETURN(auto engine, PostgreSqlEngine::Open({.conninfo = config.postgresql().conninfo(), .schema = config.postgresql().schema()}));
    return std::unique_ptr<Engine>(std::move(engine));
  }
  RW_ASSIGN_OR_RETURN(auto engine, RocksDbEngine::Open({.path = state_dir,
                                                        .memtable_bytes = config.memtable_bytes(),
                                                        .cache_bytes = config.cache_bytes()}));
  return std::unique_ptr<Engine>(std::move(engine));
}

}  // namespace

base::Result<std::unique_ptr<Engine>> OpenEngine(const v1::StoreConfig& config, const std::string& state_dir) {
  RW_ASSIGN_OR_RETURN(auto engine, OpenOf(config, state_dir));
  RW_RETURN_IF_ERROR(CheckRestored(*engine));
  return engine;
}

}  // namespace racewatch::store
