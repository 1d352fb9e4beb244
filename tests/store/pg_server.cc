#include "tests/store/pg_server.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>

namespace racewatch::store {
namespace {

bool Fixture(const std::string& verb, const std::string& dir) {
  return std::system((RACEWATCH_SOURCE_DIR "/tests/store/postgresql_fixture " + verb + " " + dir + " >/dev/null").c_str()) == 0;
}

std::string FirstLine(const std::string& path) {
  std::string line;
  std::ifstream file(path);
  std::getline(file, line);
  return line;
}

}  // namespace

PgServer::PgServer() : conninfo_(FirstLine(RACEWATCH_BINARY_DIR "/postgresql/conninfo")) {
  if (conninfo_.empty()) why_ = "needs PostgreSQL 15 (package postgresql; ctest fixture postgresql)";
}

PgServer::PgServer(const std::string& dir) : dir_(dir) {
  const bool started = Fixture("start", dir_);
  conninfo_ = FirstLine(dir_ + "/conninfo");
  if (!started || conninfo_.empty()) why_ = "needs PostgreSQL 15 (package postgresql)";
}

PgServer::~PgServer() {
  if (!dir_.empty()) (void)Fixture("stop", dir_);
}

bool PgServer::Crash() const { return Fixture("crash", dir_); }
bool PgServer::Restart() const { return Fixture("restart", dir_); }

std::string PgServer::NewSchema() {
  static int last = 0;
  return "test_" + std::to_string(getpid()) + "_" + std::to_string(++last);
}

}  // namespace racewatch::store
