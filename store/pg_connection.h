// One connection to PostgreSQL over libpq: parameters and results in binary form, statements prepared at first use,
// several of them in one round trip. Internal to PostgreSqlEngine. One thread at a time. Errors: UNAVAILABLE = server
// away, out of room or busy, and whether a commit under way happened is unknown; ABORTED = a row was not as expected.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
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
  // `append(i, &out)` adds the bytes of element i.
  template <typename Append>
  PgCall& BytesArray(size_t elements, const Append& append) {
    std::string& out = BeginArray(elements);
    for (size_t i = 0; i < elements; ++i) {
      const size_t at = BeginElement(&out);
      append(i, &out);
      EndElement(at, &out);
    }
    return *this;
  }

 private:
  friend class PgConnection;
  std::string& BeginArray(size_t elements);
  static size_t BeginElement(std::string* out);
  static void EndElement(size_t at, std::string* out);

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
  // The server ends a statement after a minute. One that says nothing for longer never will: the connection is given up, and
  // with it the transaction, rather than that a store stands still for ever.
  static constexpr std::chrono::milliseconds kSilenceMax{70000};
  // Connects and runs `setup` (statements without results).
  static base::Result<std::unique_ptr<PgConnection>> Open(const std::string& conninfo, const std::string& setup,
                                                          std::chrono::milliseconds silence_max = kSilenceMax);
  ~PgConnection();
  PgConnection(const PgConnection&) = delete;
  PgConnection& operator=(const PgConnection&) = delete;

  // Statements without parameters and results, as they stand.
  base::Status Run(const std::string& sql);
  // Sends all calls in one go and waits for all answers. The first error ends it; inside a transaction a ROLLBACK
  // must follow.
  base::Result<std::vector<PgRows>> Ask(const std::vector<PgCall>& calls);
  base::Result<PgRows> Ask(const PgCall& call);

  // The same in pieces, so that the server works on one call while the next is made. Send hands a call over; Await returns the
  // answers of the first `calls` that nobody has waited for, without an end to what follows; Finish those of all the rest, and
  // ends it. After an error of either, or Drop, nothing is under way any more.
  base::Status Send(const PgCall& call);
  base::Status Push();   // onto the wire: small calls are kept back otherwise
  base::Status Flush();  // the server answers what it has got, without waiting for more
  base::Result<std::vector<PgRows>> Await(size_t calls);
  base::Result<std::vector<PgRows>> Finish();
  void Drop();
  size_t under_way() const { return static_cast<size_t>(std::count(under_way_.begin(), under_way_.end(), true)); }  // calls not waited for

  bool broken() const;  // nothing can be asked any more

 private:
  PgConnection(pg_conn* connection, std::chrono::milliseconds silence_max);
  base::Status SendPrepare(const PgCall& call);
  base::Status Error(const pg_result* result) const;
  base::Status Fail(const pg_result* result);
  base::Status AwaitOne();  // until there is something to take; UNAVAILABLE, and broken, after `silence_max` without
  base::Status Drain();

  std::unique_ptr<pg_conn, void (*)(pg_conn*)> connection_;
  const std::chrono::milliseconds silence_max_;
  std::unordered_map<std::string, std::string> prepared_;  // SQL → name
  uint64_t names_ = 0;
  // What is under way: for each answer to come, whether it is that of a call (or of a statement's preparation).
  std::deque<bool> under_way_;
  std::vector<std::string> preparing_;  // SQL of what was prepared meanwhile, and may not be
  bool ended_ = false;                  // the end has been sent
  bool silent_ = false;                 // given up
};

}  // namespace racewatch::store
