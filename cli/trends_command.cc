// `racewatch trends`: counts of a running store, as table, JSON (one object per series) or CSV.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/process.h"
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
  CLI::App app("Shows the counts of a running store.\nusage: racewatch trends [--theme ID] [--window hour|day|all]", "racewatch trends");
  std::string server = kDefaultStoreServer, output = "table", window = "all";
  std::string theme, target, position, lean, language, group, query, from, to, model_version;
  bool zeros = false;
  app.add_option("--server", server, "HTTP address of the store (default 127.0.0.1:8470, that of up)");
  app.add_option("--theme", theme, "Theme id");
  app.add_option("--target", target, "Stance target, with --position");
  app.add_option("--position", position, "favor, against, neutral or unsure, with --target");
  app.add_option("--lean", lean, "us, china, neutral or unsure");
  app.add_option("--language", language, "en, zh, de, fr, es, ja, ru, pt, it, ko or other");
  app.add_option("--group", group, "Publisher group: us, china, europe or other");
  app.add_option("--query", query, "Name of a saved query");
  app.add_option("--window", window, "all (default), day or hour");
  app.add_option("--from", from, "First window: RFC 3339, a day or Unix seconds");
  app.add_option("--to", to, "End, exclusive");
  app.add_option("--model-version", model_version, "Series of a model that a re-tag replaced, or is building");
  app.add_flag("--zeros", zeros, "Show empty windows too");
  app.add_option("--output", output, "table (default), json or csv")->check(CLI::IsMember({"table", "json", "csv"}));
  if (const int code = ParseFlags(app, argc, argv); code >= 0) return code;
  const auto body = AskStore(server, "trends",
                             {{"theme", theme}, {"target", target}, {"position", position}, {"lean", lean}, {"language", language},
                              {"publisher_group", group}, {"query", query},
                              {"window", window}, {"from", from}, {"to", to}, {"model_version", model_version},
                              {"include_zeros", zeros ? "true" : ""}, {"format", output == "csv" ? "csv" : ""}});
  if (!body.ok()) {
    const bool usage = body.status().code() == base::Code::kInvalidArgument;
    const bool unknown = body.status().code() == base::Code::kNotFound;  // a model version without series
    return Fail(usage ? kExitUsage : unknown ? kExitBadData : ExitCodeFor(body.status()), "trends: " + body.status().message());
  }
  if (output == "csv") {
    std::fputs(body->c_str(), stdout);
    return kExitOk;
  }
  const Json answer = Json::parse(*body, nullptr, false);
  if (answer.is_discarded() || !answer.contains("series")) return Fail(kExitUnavailable, "trends: server " + server + ": no trends in the answer");
  if (output == "table") PrintTable(answer);
  else
    for (const Json& series : answer["series"]) std::puts(series.dump().c_str());
  return kExitOk;
}

}  // namespace racewatch::cli
