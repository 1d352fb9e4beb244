// `racewatch dlq`: the dead letters, of Kafka (--bootstrap) or of a running `racewatch up` (--server).
#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "cli/bus.h"
#include "cli/commands.h"
#include "cli/dead_letters.h"
#include "cli/process.h"
#include "cli/store_client.h"

namespace racewatch::cli {
namespace {

struct DlqFlags {
  std::string server = kDefaultStoreServer;
  std::string bootstrap;
  std::string stage, reason, topic;
  std::vector<std::string> positions;
  std::string position;
  size_t limit = 100;
  bool all = false;
  bool raw = false;
};

LetterFilter FilterOf(const DlqFlags& flags) {
  return {flags.stage, flags.reason, flags.topic, {flags.positions.begin(), flags.positions.end()}};
}

// Over Kafka, in this process.
base::Result<std::string> WithKafka(const DlqFlags& flags, const std::function<base::Result<std::string>(DeadLetters&)>& work) {
  v1::BusConfig config;
  config.mutable_kafka()->set_bootstrap_servers(flags.bootstrap);
  base::SystemClock clock;
  base::Log log({.json = false, .level = base::LogLevel::kError, .role = "dlq"});
  RW_ASSIGN_OR_RETURN(const auto bus, Bus::Open(config, "dlq", "", clock, log));
  DeadLetters letters(*bus);
  return work(letters);
}

int Print(const base::Result<std::string>& answer) {
  if (!answer.ok())
    return Fail(answer.status().code() == base::Code::kNotFound ? kExitBadData : ExitCodeFor(answer.status()), "dlq: " + answer.status().message());
  std::fwrite(answer->data(), 1, answer->size(), stdout);
  return kExitOk;
}

int List(const DlqFlags& flags) {
  if (!flags.bootstrap.empty())
    return Print(WithKafka(flags, [&](DeadLetters& letters) { return letters.List(FilterOf(flags), flags.limit); }));
  return Print(AskStore(flags.server, "dlq",
                        {{"stage", flags.stage}, {"reason", flags.reason}, {"topic", flags.topic}, {"limit", std::to_string(flags.limit)}}));
}

int Show(const DlqFlags& flags) {
  if (!flags.bootstrap.empty())
    return Print(WithKafka(flags, [&](DeadLetters& letters) { return flags.raw ? letters.Value(flags.position) : letters.Show(flags.position); }));
  return Print(AskStore(flags.server, "dlq/" + flags.position + (flags.raw ? "/value" : ""), {}));
}

int Requeue(const DlqFlags& flags) {
  if (!flags.all && flags.positions.empty() && flags.stage.empty() && flags.reason.empty() && flags.topic.empty())
    return Fail(kExitUsage, "dlq requeue: say which: POSITION..., --stage, --reason, --topic, or --all");
  if (!flags.bootstrap.empty()) return Print(WithKafka(flags, [&](DeadLetters& letters) { return letters.Requeue(FilterOf(flags)); }));
  nlohmann::ordered_json body{{"positions", flags.positions}, {"all", flags.all}};
  if (!flags.stage.empty()) body["stage"] = flags.stage;
  if (!flags.reason.empty()) body["reason"] = flags.reason;
  if (!flags.topic.empty()) body["topic"] = flags.topic;
  return Print(TellStore(flags.server, "dlq/requeue", body.dump()));
}

void AddFilter(CLI::App* command, DlqFlags* flags) {
  command->add_option("--stage", flags->stage, "Only of this stage: ingest, tagger, store");
  command->add_option("--reason", flags->reason, "Only with this reason");
  command->add_option("--topic", flags->topic, "Only what came from this topic");
}

}  // namespace

int RunDlq(int argc, char** argv) {
  CLI::App app("Lists, shows and requeues dead letters; one JSON object a line.\nusage: racewatch dlq list|show|requeue", "racewatch dlq");
  DlqFlags flags;
  app.require_subcommand(1);
  app.fallthrough();
  auto* server = app.add_option("--server", flags.server, "HTTP address of a running up (default 127.0.0.1:8470)");
  app.add_option("--bootstrap", flags.bootstrap, "Kafka brokers, HOST:PORT, instead of a server")->excludes(server);
  auto* list = app.add_subcommand("list", "The newest letters, oldest first");
  AddFilter(list, &flags);
  list->add_option("--limit", flags.limit, "At most so many (default 100, at most 10000)");
  auto* show = app.add_subcommand("show", "One letter with its headers and value");
  show->add_option("position", flags.position, "PARTITION/OFFSET, as list prints it")->required();
  show->add_flag("--raw", flags.raw, "The bytes of its value and nothing else");
  auto* requeue = app.add_subcommand("requeue", "Send originals to the topics they came from; the letters stay");
  requeue->add_option("positions", flags.positions, "PARTITION/OFFSET, as list prints them");
  AddFilter(requeue, &flags);
  requeue->add_flag("--all", flags.all, "Every letter");
  if (const int code = ParseFlags(app, argc, argv); code >= 0) return code;
  if (list->parsed()) return List(flags);
  return show->parsed() ? Show(flags) : Requeue(flags);
}

}  // namespace racewatch::cli
