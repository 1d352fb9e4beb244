// How the tables of engine.h look in PostgreSQL: names, the statements that make them, values as stored, and reading
// over a pool of connections. Internal to PostgreSqlEngine.
#pragma once

#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "store/engine.h"
#include "store/pg_connection.h"

namespace racewatch::store {

// Quoted; fit to stand in a statement.
std::string PgTable(Table table);
// Makes what the tables `present` lack, for a schema that is first in the search path; empty: nothing. Leaves those that are
// there alone: a store of the build before may still work on them.
std::string PgSchemaStatements(const std::set<std::string>& present);

// A value as stored: one byte that says how, then the bytes, compressed when that pays.
void PgPack(std::string_view value, std::string* out);  // appends
base::Result<std::string> PgUnpack(std::string_view stored);

base::Result<std::vector<std::optional<std::string>>> PgMultiGet(PgConnection& connection, Table table,
                                                                 const std::vector<std::string_view>& keys);
base::Status PgScan(PgConnection& connection, Table table, std::string_view begin, std::string_view end, bool reverse,
                    const View::Visit& visit);

// Connections for reading. Any thread.
class PgPool {
 public:
  PgPool(std::string conninfo, std::string setup) : conninfo_(std::move(conninfo)), setup_(std::move(setup)) {}

  // Goes back to the pool when dropped, unless it is broken.
  using Lease = std::unique_ptr<PgConnection, std::function<void(PgConnection*)>>;
  base::Result<Lease> Take();

 private:
  static constexpr size_t kIdleMax = 4;
  const std::string conninfo_;
  const std::string setup_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<PgConnection>> idle_;
};

}  // namespace racewatch::store
