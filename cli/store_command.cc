// `racewatch store`: tagged articles from Kafka to exact trends, API and alerts, as a process of its own. SIGHUP reads
// rules, subscribers, silences and the model's errors again.
#include <CLI/CLI.hpp>

#include "base/grpc_server.h"
#include "cli/bus.h"
#include "cli/commands.h"
#include "cli/error_rates.h"
#include "cli/process.h"
#include "cli/store_reload.h"
#include "store/store_role.h"

namespace racewatch::cli {

int RunStore(int argc, char** argv) {
  const std::string_view verb = argc > 1 ? argv[1] : "";
  if (verb == "backup") return RunStoreBackup(argc - 1, argv + 1);
  if (verb == "restore") return RunStoreRestore(argc - 1, argv + 1);
  CLI::App app("Counts tagged articles exactly, serves trends and sends alerts.\nusage: racewatch store --config F --state DIR\n"
               "       racewatch store backup|restore FILE (--help explains)",
               "racewatch store");
  RoleFlags flags;
  AddRoleFlags(app, &flags, true, true);
  if (const int code = ParseFlags(app, argc, argv); code >= 0) return code;

  v1::StoreConfig config;
  if (const int code = LoadConfigFlag(flags, &config); code >= 0) return code;
  if (!flags.http.empty()) config.mutable_http()->set_listen(flags.http);
  if (!flags.grpc.empty()) config.set_grpc_listen(flags.grpc);
  config = store::WithDefaults(std::move(config));
  base::Problems problems;
  CheckKafkaBus(config.bus(), &problems);
  store::ValidateStoreConfig(config, &problems);
  const bool shared = config.has_postgresql();
  if (flags.state.empty() && !shared) problems.Add("--state", "is required: counts must survive a restart");
  if (const int code = CheckConfig(flags, config, problems); code >= 0) return code;

  Process process("store", config.log(), config.http());
  base::SystemClock clock;
  auto bus = Bus::Open(config.bus(), "store", "", clock, process.log());
  if (!bus.ok()) return Fail(kExitConfig, bus.status().message());
  auto sink = (*bus)->MakeSink();
  if (!sink.ok()) return Fail(kExitConfig, sink.status().message());
  store::StoreRole role(config, **sink, clock, process.registry(), process.log(), process.http(), flags.state);
  if (const auto status = GiveErrorRates(config.model(), role, process.log()); !status.ok()) return Fail(kExitIo, status.message());
  role.OnFatal([&process](base::Status status) { process.RequestStop(std::move(status)); });
  base::SourceOptions options;
  options.topics = store::StoreRole::Topics();
  options.listener = &role;
  if (shared) options.group = (*bus)->Group("store");
  auto source = (*bus)->MakeSource(options);
  if (!source.ok()) return Fail(kExitConfig, source.status().message());
  role.SetSource(**source);
  role.SetRetagSource([&bus](base::AssignmentListener& listener) { return MakeRetagSource(**bus, listener); });
  process.http().SetReadiness([&role] { return role.NotReady(); });
  base::GrpcServer server({config.grpc_listen(), config.reflection()});
  server.AddService(store::kStoreServiceName, role.service());
  SinkCloser sink_closer(**sink);
  SourceCloser source_closer(**source);
  process.Add(sink_closer);
  process.Add(source_closer);
  process.Add(server);
  process.Add(role);
  return process.Run([&] {
    v1::StoreConfig next;
    if (LoadConfigFlag(flags, &next) < 0) ReloadStore(next, role, process.log());
  });
}

}  // namespace racewatch::cli
