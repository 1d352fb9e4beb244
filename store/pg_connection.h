// One connection to PostgreSQL over libpq: parameters and results in binary form, statements prepared at first use,
// several of them in one round trip. Internal to PostgreSqlEngine. One thread at a time. Errors: UNAVAILABLE = server
// away, out of room or busy, and whether a commit under way happened is unknown; ABORTED = a row was not as expected.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/status.h"

struct pg_conn;
struct pg_result;

namespace racewatch::store {

// One statement with its parameters. The SQL text is also the key under which it is kept prepared, so it must come
// from a small closed set.
class PgCall {
 public:
  explicit PgCall(std::string sql) : sql_(std::move(sql)) {}
  PgCall& Bytes(std::string_view value);
  PgCall& Text(std::string_view value);
  PgCall& Number(int64_t value);
  PgCall& BytesArray(const std::vector<std::string_view>& values);

 private:
  friend class PgConnection;
  std::string sql_;
  std::vector<unsigned> types_;
  std::vector<std::string> values_;
};

// Rows of one statement; every value is read as the bytes PostgreSQL sent.
class PgRows {
 public:
  explicit PgRows(pg_result* result);
  pg_result* get() const { return result_.get(); }
  bool ok() const;      // the statement succeeded
  bool synced() const;  // the end of a round trip
  int size() const;
  std::string_view Bytes(int row, int column) const;
  int64_t Number(int row, int column) const;  // of an int8 column

 private:
  std::unique_ptr<pg_result, void (*)(pg_result*)> result_;
};

class PgConnection {
 public:
  // Connects and runs `setup` (statements without results).
  static base::Result<std::unique_ptr<PgConnection>> Open(const std::string& conninfo, const std::string& setup);
  ~PgConnection();
  PgConnection(const PgConnection&) = delete;
  PgConnection& operator=(const PgConnection&) = delete;

  // Statements without parameters and results, as they stand.
  base::Status Run(const std::string& sql);
  // Sends all calls in one go and waits for all answers. The first error ends it; inside a transaction a ROLLBACK
  // must follow.
  base::Result<std::vector<PgRows>> Ask(const std::vector<PgCall>& calls);
  base::Result<PgRows> Ask(const PgCall& call);

  bool broken() const;  // nothing can be asked any more

 private:
  explicit PgConnection(pg_conn* connection);
  base::Status Prepare(const PgCall& call);
  base::Status Error(const pg_result* result) const;

  std::unique_ptr<pg_conn, void (*)(pg_conn*)> connection_;
  std::unordered_map<std::string, std::string> prepared_;  // SQL → name
};

}  // namespace racewatch::store
