// `racewatch sample`: a random sample of the articles behind a count, to check its labels by reading.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/commands.h"
#include "cli/process.h"
#include "cli/selection_flags.h"
#include "cli/store_client.h"

namespace racewatch::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string LabelWords(const Json& tags) {
  if (!tags.contains("relevance") || !tags["relevance"].value("label", false)) return "not relevant";
  std::string out;
  const auto add = [&out](const std::string& word) { out += (out.empty() ? "" : ", ") + word; };
  for (const Json& theme : tags["themes"]) add(Text(theme, "id"));
  for (const Json& stance : tags["stance"]) add(Text(stance, "target") + "=" + Text(stance, "position"));
  if (tags.contains("lean") && tags["lean"].is_object()) add("lean " + Text(tags["lean"], "label"));
  return out;
}

void PrintCount(std::FILE* out, const Json& answer) {
  std::fprintf(out, "%zu of %s articles, seed %s\n", answer["articles"].size(), Text(answer, "matched").c_str(), Text(answer, "seed").c_str());
}

void PrintTable(const Json& answer) {
  PrintCount(stdout, answer);
  for (const Json& one : answer["articles"]) {
    const Json& article = one["article"];
    std::printf("\n%s\n  %s, %s, %s\n  %s\n  %s\n", Text(article, "title").c_str(), Text(article, "publisher").c_str(), Text(article, "published").c_str(),
                Text(article, "id").c_str(), LabelWords(one["tags"]).c_str(), Text(article, "url").c_str());
  }
}

}  // namespace

int RunSample(int argc, char** argv) {
  CLI::App app("Draws a random sample of the articles behind a count; each is as likely as any other.\n"
               "usage: racewatch sample [--theme ID] [--target T --position P] [--lean L] [--size N] [--seed S]",
               "racewatch sample");
  SelectionFlags flags;
  std::string output = "table", publisher, text, size, seed;
  bool relevant = false;
  AddSelectionFlags(app, &flags);
  app.add_option("--publisher", publisher, "Registrable domain of its publisher");
  app.add_option("--text", text, "Words that must all occur in title or text");
  app.add_flag("--relevant", relevant, "Only articles on the race");
  app.add_option("--size", size, "Articles drawn; default 20, at most 200");
  app.add_option("--seed", seed, "The same seed gives the same sample of the same articles; default: a new one");
  app.add_option("--output", output, "table (default) or json, one article a line")->check(CLI::IsMember({"table", "json"}));
  if (const int code = ParseFlags(app, argc, argv); code >= 0) return code;
  const auto answer = AskStoreFor("articles", flags.server, "sample",
                                  WithSelection(flags, {{"publisher", publisher}, {"text", text}, {"relevant_only", relevant ? "true" : ""},
                                                        {"size", size}, {"seed", seed}}));
  if (!answer.ok()) return FailToAsk("sample", answer.status());
  if (output == "table") {
    PrintTable(*answer);
    return kExitOk;
  }
  for (const Json& one : (*answer)["articles"]) std::puts(one.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
  PrintCount(stderr, *answer);
  return kExitOk;
}

}  // namespace racewatch::cli
