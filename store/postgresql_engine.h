// The shared engine: the same tables in one schema of a PostgreSQL database (libpq), for several store processes at
// once. A commit is one transaction: it takes the lock of the schema, reads owners, expected rows and what the counts need,
// and sends its rows in pieces, on which the server works while the next ones are packed. The answers to the reads are looked
// at before anything is committed; rows of counts are read once more when another process committed in between. So commits
// happen one after the other in all processes, their numbers are theirs in that order, and no two writers can deadlock. A
// process that stops in between is thrown out after `idle_ms_max`, and whoever waits goes on.
//
// Reads use connections of their own, one for each thread that reads, closed when more than a few lie idle. Values
// beyond a few hundred bytes are stored compressed (zstd). Threads and errors as engine.h says.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "store/engine.h"

namespace racewatch::store {

struct PostgreSqlOptions {
  std::string conninfo;              // libpq connection string or URI; empty: the PG* environment variables
  std::string schema = "racewatch";  // [a-z_][a-z0-9_]*; made when missing
  // A process that stops inside a transaction holds up all others for at most this long. Less: a slow network may cost
  // a retry.
  std::chrono::milliseconds idle_ms_max{5000};
};

class PostgreSqlEngine final : public Engine {
 public:
  // UNAVAILABLE: the server does not answer; FAILED_PRECONDITION: a newer build wrote the schema; INTERNAL: the
  // server refused to make the schema.
  static base::Result<std::unique_ptr<PostgreSqlEngine>> Open(const PostgreSqlOptions& options);
  ~PostgreSqlEngine() override;

  base::Result<std::optional<std::string>> Get(Table table, std::string_view key) const override;
  base::Result<std::vector<std::optional<std::string>>> MultiGet(
      Table table, const std::vector<std::string_view>& keys) const override;
  base::Status Scan(Table table, std::string_view begin, std::string_view end, bool reverse,
                    const Visit& visit) const override;
  base::Result<Claim> TakeClaim(const std::string& cluster_id, const base::TopicPartition& where) override;
  base::Result<std::optional<Claim>> TakeLease(const std::string& name, const std::string& holder,
                                               std::chrono::milliseconds time) override;
  base::Status Commit(const Batch& batch) override;
  std::unique_ptr<View> Snapshot() const override;
  bool shared() const override { return true; }

 private:
  struct Impl;
  explicit PostgreSqlEngine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace racewatch::store
