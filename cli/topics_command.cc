// `racewatch topics`: makes or verifies the topics of a Kafka cluster, from the one table in the code.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "base/bus/topic_admin.h"
#include "base/config.h"
#include "base/log.h"
#include "cli/commands.h"
#include "racewatch/v1/config.pb.h"

namespace racewatch::cli {

namespace {

struct TopicFlags {
  std::string action;
  std::string bootstrap;
  std::vector<std::string> properties;
  base::TopicOptions topics;
};

// NAME=VALUE of --property, into the configuration.
base::Status AddProperties(const std::vector<std::string>& properties, v1::KafkaConfig* config) {
  for (const std::string& property : properties) {
    const size_t equals = property.find('=');
    if (equals == std::string::npos || equals == 0)
      return base::InvalidArgument("--property " + property + ": NAME=VALUE is needed");
    (*config->mutable_properties())[property.substr(0, equals)] = property.substr(equals + 1);
  }
  return base::Status::Ok();
}

// check: 65 when something differs. apply: prints what was done.
int Run(const TopicFlags& flags) {
  v1::KafkaConfig config;
  config.set_bootstrap_servers(flags.bootstrap);
  const base::Status added = AddProperties(flags.properties, &config);
  if (!added.ok()) return Fail(kExitUsage, "topics: " + added.message());
  base::Log log({.json = false, .level = base::LogLevel::kError, .role = "topics"});
  const bool apply = flags.action == "apply";
  const auto notes = apply ? base::ApplyTopics(config, base::AllTopics(), flags.topics, &log)
                           : base::CheckTopics(config, base::AllTopics(), flags.topics, &log);
  if (!notes.ok()) {
    const bool mistake = notes.status().code() == base::Code::kInvalidArgument;
    return Fail(mistake ? kExitConfig : ExitCodeFor(notes.status()),
                "topics " + flags.action + " on " + flags.bootstrap + ": " + notes.status().message());
  }
  for (const base::TopicNote& note : *notes) std::printf("%s %s\n", note.topic.c_str(), note.what.c_str());
  if (notes->empty()) std::puts("all topics are as they should be");
  return apply || notes->empty() ? kExitOk : kExitBadData;
}

}  // namespace

int RunTopics(int argc, char** argv) {
  CLI::App app(
      "Makes the topics of racewatch on a Kafka cluster, or tells how they differ from what they should be.\n"
      "usage: racewatch topics apply|check --bootstrap HOST:PORT [--replication N] [--partitions N]",
      "racewatch topics");
  TopicFlags flags;
  app.add_option("ACTION", flags.action, "apply: make or correct them; check: change nothing, exit 65 on a difference")
      ->required()
      ->check(CLI::IsMember({"apply", "check"}));
  app.add_option("--bootstrap", flags.bootstrap, "brokers, HOST:PORT, comma separated")->required();
  app.add_option("--replication", flags.topics.replication, "copies of each new topic; default 1")->check(CLI::Range(1, 99));
  app.add_option("--partitions", flags.topics.partitions, "partitions of each new topic; default: per topic")
      ->check(CLI::Range(1, 10000));
  app.add_option("--property", flags.properties, "any librdkafka property, NAME=VALUE, for TLS and the like");
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    app.exit(help);
    return kExitOk;
  } catch (const CLI::ParseError& error) {
    return Fail(kExitUsage, std::string("topics: ") + error.what());
  }
  return Run(flags);
}

}  // namespace racewatch::cli
