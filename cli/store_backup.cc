// `racewatch store backup` copies the state of a running store into a file; `racewatch store restore` puts such a file into
// an empty state of either engine.
#include <httplib.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "cli/commands.h"
#include "cli/process.h"
#include "cli/store_client.h"
#include "store/backup.h"
#include "store/open_engine.h"
#include "store/store_config.h"

namespace racewatch::cli {
namespace {

base::Status Fetch(const std::string& server, std::ofstream& file, uint64_t* bytes) {
  httplib::Client client("http://" + server);
  client.set_read_timeout(60);
  int status = 0;
  const auto result = client.Get(
      "/api/v1/backup",
      [&status](const httplib::Response& response) { return (status = response.status) == 200; },
      [&](const char* data, size_t size) {
        *bytes += size;
        return static_cast<bool>(file.write(data, static_cast<std::streamsize>(size)));
      });
  if (!file) return base::NotFound("the file cannot be written");
  if (status != 0 && status != 200) return base::Unavailable("server " + server + ": HTTP " + std::to_string(status));
  if (!result) return base::Unavailable("server " + server + ": " + httplib::to_string(result.error()));
  return {};
}

// A stream that broke off on the server's side ends early without an error; only the last block tells.
base::Status CheckWhole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  file.seekg(-12, std::ios::end);
  std::string head(4, 'x');
  file.read(head.data(), 4);
  return file && head == std::string(4, '\0') ? base::Status() : base::Unavailable("the store stopped in the middle");
}

store::BackupRead ReaderOf(std::ifstream& file) {
  return [&file](size_t size, std::string* bytes) {
    bytes->resize(size);
    file.read(bytes->data(), static_cast<std::streamsize>(size));
    bytes->resize(static_cast<size_t>(file.gcount()));
    return base::Status();
  };
}

}  // namespace

int RunStoreBackup(int argc, char** argv) {
  CLI::App app("Copies the state of a running store into FILE, consistently, while it goes on.\n"
               "usage: racewatch store backup [--server ADDR] FILE", "racewatch store backup");
  std::string server = kDefaultStoreServer, path;
  AddServerFlag(app, &server);
  app.add_option("FILE", path, "where the copy goes; must not exist")->required();
  if (const int code = ParseFlags(app, argc, argv); code >= 0) return code;
  if (std::filesystem::exists(path)) return Fail(kExitIo, "backup " + path + ": exists already");
  const std::string part = path + ".part";
  uint64_t bytes = 0;
  base::Status status;
  {
    std::ofstream file(part, std::ios::binary | std::ios::trunc);
    if (!file) return Fail(kExitIo, "backup " + part + ": cannot be written");
    status = Fetch(server, file, &bytes);
  }
  if (status.ok()) status = CheckWhole(part);
  std::error_code error;
  if (status.ok()) std::filesystem::rename(part, path, error);
  else std::filesystem::remove(part, error);
  if (status.ok() && error) status = base::NotFound(error.message());
  if (!status.ok()) return Fail(ExitCodeFor(status), "backup " + path + ": " + status.message());
  std::printf("{\"file\":\"%s\",\"bytes\":%llu}\n", path.c_str(), static_cast<unsigned long long>(bytes));
  return kExitOk;
}

int RunStoreRestore(int argc, char** argv) {
  CLI::App app("Puts a backup into an empty state: a folder, or the database that the configuration names.\n"
               "usage: racewatch store restore [--config F] [--state DIR] FILE", "racewatch store restore");
  RoleFlags flags;
  std::string path;
  app.add_option("--config", flags.config, "configuration of the store");
  app.add_option("--state", flags.state, "state folder, without a database");
  app.add_option("FILE", path, "a file that racewatch store backup wrote")->required();
  if (const int code = ParseFlags(app, argc, argv); code >= 0) return code;
  v1::StoreConfig config;
  if (const int code = LoadConfigFlag(flags, &config); code >= 0) return code;
  config = store::WithDefaults(std::move(config));
  if (!config.has_postgresql() && flags.state.empty()) return Fail(kExitUsage, "restore: --state, or a --config with postgresql, is required");
  std::ifstream file(path, std::ios::binary);
  if (!file) return Fail(kExitIo, "restore " + path + ": cannot be read");
  auto engine = store::OpenEngine(config, flags.state);
  if (!engine.ok()) return Fail(engine.status().code() == base::Code::kFailedPrecondition ? kExitIo : ExitCodeFor(engine.status()), "restore: " + engine.status().message());
  const auto rows = store::RestoreBackup(ReaderOf(file), **engine);
  if (!rows.ok()) return Fail(rows.status().code() == base::Code::kFailedPrecondition ? kExitIo : ExitCodeFor(rows.status()), path + ": " + rows.status().message());
  std::printf("{\"file\":\"%s\",\"rows\":%llu}\n", path.c_str(), static_cast<unsigned long long>(*rows));
  return kExitOk;
}

}  // namespace racewatch::cli
