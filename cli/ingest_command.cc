// `racewatch ingest`: feeds and pages in, articles out to Kafka, as a process of its own.
#include <CLI/CLI.hpp>

#include "cli/bus.h"
#include "cli/commands.h"
#include "cli/process.h"
#include "ingest/ingest_role.h"

namespace racewatch::cli {

int RunIngest(int argc, char** argv) {
  CLI::App app("Fetches feeds and pages and streams articles into Kafka.\nusage: racewatch ingest --config F --state DIR",
               "racewatch ingest");
  RoleFlags flags;
  AddRoleFlags(app, &flags, true, false);
  if (const int code = ParseFlags(app, argc, argv); code >= 0) return code;

  v1::IngestConfig config;
  if (const int code = LoadConfigFlag(flags, &config); code >= 0) return code;
  if (!flags.http.empty()) config.mutable_http()->set_listen(flags.http);
  config = ingest::WithDefaults(std::move(config));
  base::Problems problems;
  CheckKafkaBus(config.bus(), &problems);
  ingest::ValidateIngestConfig(config, &problems);
  if (flags.state.empty()) problems.Add("--state", "is required: seen articles must survive a restart");
  if (const int code = CheckConfig(flags, config, problems); code >= 0) return code;

  Process process("ingest", config.log(), config.http());
  base::SystemClock clock;
  auto bus = Bus::Open(config.bus(), "ingest", "", clock, process.log());
  if (!bus.ok()) return Fail(kExitConfig, bus.status().message());
  auto sink = (*bus)->MakeSink();
  if (!sink.ok()) return Fail(kExitConfig, sink.status().message());
  ingest::IngestRole role(config, **sink, clock, process.registry(), process.log(), process.http(), flags.state);
  role.ShareThrough([&bus](base::SourceOptions options) {
    if (!options.group.empty()) options.group = (*bus)->Group(options.group);
    return (*bus)->MakeSource(std::move(options));
  });
  role.OnFatal([&process](base::Status status) { process.RequestStop(std::move(status)); });
  SinkCloser closer(**sink);
  process.Add(closer);
  process.Add(role);
  return process.Run();
}

}  // namespace racewatch::cli
