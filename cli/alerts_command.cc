// `racewatch alerts`: list, show and follow the alerts of a running store, and try a rule on its history; one JSON object
// per line.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/pause.h"
#include "cli/commands.h"
#include "cli/process.h"
#include "cli/store_client.h"
#include "store/alert/rule_config.h"

namespace racewatch::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::chrono::milliseconds kLookEvery{1000};

struct AlertFlags {
  std::string server = kDefaultStoreServer;
  std::string rule;
  std::string id;
  bool open_only = false;
  bool from_start = false;
  std::string file;
  std::string from;
  std::string to;
};

int Failed(const base::Status& status) { return Fail(ExitCodeFor(status), "alerts: " + status.message()); }

// Calls `visit` with each alert, newest first, page by page, until it returns false.
template <typename Visit>
base::Status ForEach(const AlertFlags& flags, const Visit& visit) {
  std::string token;
  do {
    RW_ASSIGN_OR_RETURN(const Json answer, AskStoreFor("alerts", flags.server, "alerts", {{"rule", flags.rule}, {"open_only", flags.open_only ? "true" : ""},
                                                                                          {"page_size", "500"}, {"page_token", token}}));
    for (const Json& alert : answer["alerts"])
      if (!visit(alert)) return {};
    token = answer.value("next_page_token", "");
  } while (!token.empty());
  return {};
}

int List(const AlertFlags& flags) {
  const base::Status status = ForEach(flags, [](const Json& alert) { return std::puts(alert.dump().c_str()), true; });
  return status.ok() ? kExitOk : Failed(status);
}

int Show(const AlertFlags& flags) {
  bool found = false;
  const base::Status status = ForEach(flags, [&](const Json& alert) {
    if (alert.value("id", "") != flags.id) return true;
    std::puts(alert.dump(2).c_str());
    found = true;
    return false;
  });
  if (!status.ok()) return Failed(status);
  return found ? kExitOk : Fail(kExitBadData, "alerts show: no alert '" + flags.id + "'");
}

// Asks once a second for what came after the last token; ends with Ctrl-C or when the server goes.
int Tail(const AlertFlags& flags) {
  std::string token = flags.from_start ? "0" : "";
  if (token.empty()) {
    // Where the log stands now: the last token of everything so far.
    const auto all = AskStore(flags.server, "alerts/watch", {{"resume_token", "0"}, {"follow", "false"}});
    if (!all.ok()) return Failed(all.status());
    token = "0";
    std::istringstream lines(*all);
    for (std::string line; std::getline(lines, line);)
      if (const Json item = Json::parse(line, nullptr, false); item.is_object()) token = item.value("resume_token", token);
  }
  return Failed(base::LookUntil(kLookEvery, [&]() -> base::Result<bool> {
    RW_ASSIGN_OR_RETURN(const std::string body, AskStore(flags.server, "alerts/watch", {{"rule", flags.rule}, {"resume_token", token}, {"follow", "false"}}));
    std::istringstream lines(body);
    for (std::string line; std::getline(lines, line);) {
      const Json item = Json::parse(line, nullptr, false);
      if (!item.is_object() || !item.contains("alert")) continue;
      token = item.value("resume_token", token);
      std::puts(item["alert"].dump().c_str());
      std::fflush(stdout);
    }
    return false;
  }));
}

// The rule to try: the one of that name, or the only one of the file.
base::Result<v1::RuleConfig> ReadRule(const AlertFlags& flags) {
  v1::StoreConfig config;
  RW_RETURN_IF_ERROR(base::LoadConfig(flags.file, &config));
  const std::vector<v1::RuleConfig> rules(config.rules().begin(), config.rules().end());
  base::Problems problems;
  std::vector<std::string> queries;
  for (const auto& query : config.queries()) queries.push_back(query.name());
  store::ValidateRules("rules", rules, queries, &problems);
  RW_RETURN_IF_ERROR(problems.ToStatus(flags.file));
  if (flags.rule.empty() && rules.size() == 1) return rules.front();
  for (const v1::RuleConfig& rule : rules)
    if (rule.name() == flags.rule) return rule;
  return base::InvalidArgument(flags.file + ": " + (flags.rule.empty() ? std::to_string(rules.size()) + " rules; choose one with --rule"
                                                                         : "no rule '" + flags.rule + "'"));
}

int TestRule(const AlertFlags& flags) {
  const auto rule = ReadRule(flags);
  if (!rule.ok()) return Fail(rule.status().code() == base::Code::kNotFound ? kExitIo : kExitConfig, "alerts test-rule: " + rule.status().message());
  Json request{{"rule", base::PrintConfig(*rule)}};
  if (!flags.from.empty()) request["from"] = flags.from;
  if (!flags.to.empty()) request["to"] = flags.to;
  const auto lines = TellStore(flags.server, "alerts/test", request.dump());
  if (!lines.ok()) return Failed(lines.status());
  std::fputs(lines->c_str(), stdout);
  size_t opened = 0;
  std::istringstream in(*lines);
  for (std::string line; std::getline(in, line);)
    if (const Json alert = Json::parse(line, nullptr, false); alert.is_object()) opened += alert.value("state", "") == "open";
  std::fprintf(stderr, "rule %s: %zu opened\n", rule->name().c_str(), opened);
  return kExitOk;
}

}  // namespace

int RunAlerts(int argc, char** argv) {
  CLI::App app("Lists, shows and follows alerts; tries rules.\nusage: racewatch alerts list|show|tail|test-rule", "racewatch alerts");
  AlertFlags flags;
  app.require_subcommand(1);
  AddServerFlag(app, &flags.server);
  app.fallthrough();
  auto* list = app.add_subcommand("list", "The last state of each alert, newest first");
  list->add_flag("--open", flags.open_only, "Only what is open");
  list->add_option("--rule", flags.rule, "Name of a rule");
  auto* show = app.add_subcommand("show", "One alert with its evidence");
  show->add_option("id", flags.id, "Id of the alert")->required();
  auto* tail = app.add_subcommand("tail", "Alerts as they open, change and close");
  tail->add_option("--rule", flags.rule, "Name of a rule");
  tail->add_flag("--all", flags.from_start, "Begin with everything kept");
  auto* test = app.add_subcommand("test-rule", "What a rule would have sent, on the history of a running store");
  test->add_option("file", flags.file, "Store configuration that holds the rule: rules { … }")->required();
  test->add_option("--rule", flags.rule, "Name of the rule, if the file has several");
  test->add_option("--from", flags.from, "RFC 3339; default 7 days before --to, at most 31");
  test->add_option("--to", flags.to, "RFC 3339; default now");
  if (const int code = ParseFlags(app, argc, argv); code >= 0) return code;
  if (test->parsed()) return TestRule(flags);
  if (list->parsed()) return List(flags);
  if (show->parsed()) return Show(flags);
  return Tail(flags);
}

}  // namespace racewatch::cli
