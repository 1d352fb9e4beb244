// How tests reach PostgreSQL: the server of the ctest fixture `postgresql` (postgresql_fixture), or one of their own.
#pragma once

#include <string>

namespace racewatch::store {

class PgServer {
 public:
  // The fixture's server.
  PgServer();
  // One of its own with its files in `dir`, stopped at the end.
  explicit PgServer(const std::string& dir);
  ~PgServer();
  PgServer(const PgServer&) = delete;
  PgServer& operator=(const PgServer&) = delete;

  const std::string& why() const { return why_; }            // empty: it runs; else what it needs
  const std::string& conninfo() const { return conninfo_; }
  // SIGKILL to the server, as in a crash, and a start that recovers.
  bool Crash() const;
  bool Restart() const;
  // A schema name that no other test has.
  static std::string NewSchema();

 private:
  std::string dir_;  // empty: not ours
  std::string conninfo_;
  std::string why_;
};

}  // namespace racewatch::store
