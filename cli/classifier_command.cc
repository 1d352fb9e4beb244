// `racewatch classifier`: the gRPC classifier as a process. SIGHUP loads the model file again.
#include <CLI/CLI.hpp>

#include "base/grpc_server.h"
#include "classify/classifier_role.h"
#include "classify/classifier_service.h"
#include "cli/commands.h"
#include "cli/process.h"

namespace racewatch::cli {

int RunClassifier(int argc, char** argv) {
  CLI::App app("Serves the classifier over gRPC.\nusage: racewatch classifier [--config F] [--check]", "racewatch classifier");
  RoleFlags flags;
  AddRoleFlags(app, &flags, false, true);
  if (const int code = ParseFlags(app, argc, argv); code >= 0) return code;

  v1::ClassifierConfig config;
  if (const int code = LoadConfigFlag(flags, &config); code >= 0) return code;
  if (!flags.http.empty()) config.mutable_http()->set_listen(flags.http);
  if (!flags.grpc.empty()) config.set_grpc_listen(flags.grpc);
  config = classify::WithDefaults(std::move(config));
  base::Problems problems;
  classify::ValidateClassifierConfig(config, &problems);
  if (const int code = CheckConfig(flags, config, problems); code >= 0) return code;

  Process process("classifier", config.log(), config.http());
  classify::ClassifierRole role(config, process.registry(), process.log());
  if (const auto status = role.Load(); !status.ok()) return Fail(kExitIo, status.message());
  base::GrpcServer server({config.grpc_listen(), config.reflection()});
  server.AddService(classify::kClassifierServiceName, role.service());
  process.Add(server);
  process.Add(role);
  return process.Run([&role] { (void)role.Reload(); });
}

}  // namespace racewatch::cli
