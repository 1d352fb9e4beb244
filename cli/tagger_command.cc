// `racewatch tagger`: articles from Kafka through a classifier to the tagged topics, as a process of its own.
#include <CLI/CLI.hpp>

#include "base/bus/topics.h"
#include "classify/classifier_client.h"
#include "classify/tagger_role.h"
#include "cli/bus.h"
#include "cli/commands.h"
#include "cli/process.h"

namespace racewatch::cli {

int RunTagger(int argc, char** argv) {
  CLI::App app("Streams articles through a classifier.\nusage: racewatch tagger --config F", "racewatch tagger");
  RoleFlags flags;
  AddRoleFlags(app, &flags, false, false);
  if (const int code = ParseFlags(app, argc, argv); code >= 0) return code;

  v1::TaggerConfig config;
  if (const int code = LoadConfigFlag(flags, &config); code >= 0) return code;
  if (!flags.http.empty()) config.mutable_http()->set_listen(flags.http);
  config = classify::WithDefaults(std::move(config));
  base::Problems problems;
  CheckKafkaBus(config.bus(), &problems);
  classify::ValidateTaggerConfig(config, &problems);
  if (const int code = CheckConfig(flags, config, problems); code >= 0) return code;

  Process process("tagger", config.log(), config.http());
  base::SystemClock clock;
  auto bus = Bus::Open(config.bus(), "tagger", "", clock, process.log());
  if (!bus.ok()) return Fail(kExitConfig, bus.status().message());
  auto sink = (*bus)->MakeSink();
  if (!sink.ok()) return Fail(kExitConfig, sink.status().message());
  const auto client = classify::MakeGrpcClassifierClient(classify::MakeClassifierChannel(config.classifier()));
  classify::TaggerRole role(config, *client, **sink, clock, process.registry(), process.log());
  role.OnFatal([&process](base::Status status) { process.RequestStop(std::move(status)); });
  base::SourceOptions options;
  options.topics = {std::string(base::kArticlesTopic), std::string(base::kBackfillTopic)};
  options.group = (*bus)->Group("tagger");
  options.listener = &role;
  auto source = (*bus)->MakeSource(options);
  if (!source.ok()) return Fail(kExitConfig, source.status().message());
  role.SetSource(**source, options.group);
  process.http().SetReadiness([&role] { return role.NotReady(); });
  SinkCloser sink_closer(**sink);
  SourceCloser source_closer(**source);
  process.Add(sink_closer);
  process.Add(source_closer);
  process.Add(role);
  return process.Run();
}

}  // namespace racewatch::cli
