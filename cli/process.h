// What every long-running command shares: the common flags, the configuration, log, metrics, HTTP server
// and lifecycle. One Process per command; role components are made after it, added in start order
// (sinks first) and outlive Run.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/config.h"
#include "base/http_server.h"
#include "base/lifecycle.h"
#include "base/log.h"
#include "base/status.h"
#include "cli/command.h"
#include "racewatch/v1/config.pb.h"

namespace CLI {
class App;
}
namespace prometheus {
class Registry;
}

namespace racewatch::cli {

struct RoleFlags {
  std::string config;  // --config
  bool check = false;  // --check
  std::string state;   // --state
  std::string http;    // --http, overrides the configuration
  std::string grpc;    // --grpc, likewise
};

// Adds the flags a role takes to `app`.
void AddRoleFlags(CLI::App& app, RoleFlags* flags, bool with_state, bool with_grpc);

// Parses argv. Returns -1 to go on, or the exit code (--help, usage).
int ParseFlags(CLI::App& app, int argc, char** argv);

// Reads --config, if given, into `config`. Returns -1 to go on, or the exit code after one line on stderr.
int LoadConfigFlag(const RoleFlags& flags, google::protobuf::Message* config);

// With --check: prints the effective configuration, or every problem, and returns the exit code. Without:
// -1 when there is no problem, else kExitConfig after one line on stderr.
int CheckConfig(const RoleFlags& flags, const google::protobuf::Message& effective, const base::Problems& problems);

class Process {
 public:
  Process(std::string role, const v1::LogConfig& log, const v1::HttpConfig& http);
  ~Process();

  base::Log& log();
  prometheus::Registry& registry();
  base::HttpServer& http();

  // Components start in the order added and outlive Run. The HTTP server starts before them all.
  void Add(base::Component& component);
  // Ends Run with this reason; any thread.
  void RequestStop(base::Status reason);
  // Runs until a signal or RequestStop. SIGHUP calls `on_reload` if it is set. Returns the exit code; what
  // went wrong is one line on stderr.
  int Run(std::function<void()> on_reload = nullptr);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace racewatch::cli
