// `racewatch where`: one article's path through the pipeline, with drop reasons, asked of a running store.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/process.h"
#include "cli/store_client.h"

namespace racewatch::cli {

int RunWhere(int argc, char** argv) {
  CLI::App app("Shows where an article is and what happened to it.\nusage: racewatch where URL|ID", "racewatch where");
  std::string server = kDefaultStoreServer, output = "table", article;
  app.add_option("article", article, "Address or id of the article")->required();
  AddServerFlag(app, &server);
  app.add_option("--output", output, "table (default) or json")->check(CLI::IsMember({"table", "json"}));
  if (const int code = ParseFlags(app, argc, argv); code >= 0) return code;
  const auto asked = AskStoreFor("steps", server, "where", {{"article", article}});
  if (!asked.ok()) return FailToAsk("where", asked.status());
  const nlohmann::ordered_json& answer = *asked;
  if (output == "json") {
    std::puts(answer.dump().c_str());
    return kExitOk;
  }
  std::printf("article %s\n", Text(answer, "article_id").c_str());
  if (answer.contains("article") && answer["article"].contains("article"))
    std::printf("title   %s\n", Text(answer["article"]["article"], "title").c_str());
  if (Text(answer, "story_id") != "") std::printf("story   %s\n", Text(answer, "story_id").c_str());
  for (const auto& step : answer["steps"]) {
    const std::string reason = Text(step, "reason");
    std::printf("%-24s %-7s %s%s\n", Text(step, "at").c_str(), Text(step, "stage").c_str(), Text(step, "what").c_str(),
                reason.empty() ? "" : (" (" + reason + ")").c_str());
  }
  return kExitOk;
}

}  // namespace racewatch::cli
