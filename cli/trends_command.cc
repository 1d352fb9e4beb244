// `racewatch trends`: counts of a running store, as table, JSON (one object per series) or CSV.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/process.h"
#include "cli/selection_flags.h"
#include "cli/store_client.h"

namespace racewatch::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string SeriesText(const Json& key) {
  std::string out;
  for (const char* name : {"theme", "target", "position", "lean", "language", "publisher_group", "query"}) {
    if (!key.contains(name) || key[name] == "") continue;
    out += (out.empty() ? "" : ",") + std::string(name) + "=" + key[name].get<std::string>();
  }
  return out.empty() ? "all" : out;
}

void PrintTable(const Json& answer) {
  std::printf("%-20s %8s %8s %10s %8s %9s %8s  %s\n", "START", "ARTICLES", "STORIES", "PUBLISHERS", "SHARE", "CORRECTED", "COVERAGE", "SERIES");
  for (const Json& series : answer["series"])
    for (const Json& point : series["points"])
      std::printf("%-20s %8s %8s %10s %8s %9s %8s  %s\n", Text(point, "start").c_str(), Text(point, "articles").c_str(),
                  Text(point, "stories").c_str(), Text(point, "publishers").c_str(), Text(point, "share").c_str(),
                  Text(point, "adjusted_share").c_str(), Text(point, "coverage").c_str(), SeriesText(series["key"]).c_str());
}

}  // namespace

int RunTrends(int argc, char** argv) {
  CLI::App app("Shows the counts of a running store.\nusage: racewatch trends [--theme ID] [--target T --position P] [--window hour|day|all]",
               "racewatch trends");
  SelectionFlags flags;
  std::string output = "table", window = "all", group, model_version;
  bool zeros = false;
  AddSelectionFlags(app, &flags);
  app.add_option("--group", group, "Publisher group: us, china, europe or other");
  app.add_option("--window", window, "all (default), day or hour");
  app.add_option("--model-version", model_version, "Series of a model that a re-tag replaced, or is building");
  app.add_flag("--zeros", zeros, "Show empty windows too");
  app.add_option("--output", output, "table (default), json or csv")->check(CLI::IsMember({"table", "json", "csv"}));
  if (const int code = ParseFlags(app, argc, argv); code >= 0) return code;
  const Parameters asked = WithSelection(flags, {{"publisher_group", group}, {"window", window}, {"model_version", model_version},
                                                 {"include_zeros", zeros ? "true" : ""}, {"format", output == "csv" ? "csv" : ""}});
  if (output == "csv") {
    const auto body = AskStore(flags.server, "trends", asked);
    if (!body.ok()) return FailToAsk("trends", body.status());
    std::fputs(body->c_str(), stdout);
    return kExitOk;
  }
  const auto answer = AskStoreFor("series", flags.server, "trends", asked);
  if (!answer.ok()) return FailToAsk("trends", answer.status());
  if (output == "table") PrintTable(*answer);
  else
    for (const Json& series : (*answer)["series"]) std::puts(series.dump().c_str());
  return kExitOk;
}

}  // namespace racewatch::cli
