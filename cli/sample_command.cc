// `racewatch sample`: a random sample of the articles behind a count, to check its labels by reading.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/commands.h"
#include "cli/process.h"
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

void PrintTable(const Json& answer) {
  std::printf("%zu of %s articles, seed %s\n", answer["articles"].size(), Text(answer, "matched").c_str(), Text(answer, "seed").c_str());
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
  std::string server = kDefaultStoreServer, output = "table";
  std::string theme, target, position, lean, language, publisher, text, query, from, to, size, seed;
  bool relevant = false;
  app.add_option("--server", server, "HTTP address of the store (default 127.0.0.1:8470, that of up)");
  app.add_option("--theme", theme, "Theme the article has");
  app.add_option("--target", target, "Stance target it speaks to");
  app.add_option("--position", position, "favor, against, neutral or unsure");
  app.add_option("--lean", lean, "us, china, neutral or unsure");
  app.add_option("--language", language, "en, zh, de, fr, es, ja, ru, pt, it, ko or other");
  app.add_option("--publisher", publisher, "Registrable domain of its publisher");
  app.add_option("--text", text, "Words that must all occur in title or text");
  app.add_option("--query", query, "Name of a saved query that met it");
  app.add_flag("--relevant", relevant, "Only articles on the race");
  app.add_option("--from", from, "Published at or after: RFC 3339, a day or Unix seconds");
  app.add_option("--to", to, "Published before");
  app.add_option("--size", size, "Articles drawn; default 20, at most 200");
  app.add_option("--seed", seed, "The same seed gives the same sample of the same articles; default: a new one");
  app.add_option("--output", output, "table (default) or json, one article a line")->check(CLI::IsMember({"table", "json"}));
  if (const int code = ParseFlags(app, argc, argv); code >= 0) return code;
  const auto body = AskStore(server, "sample",
                             {{"theme", theme}, {"target", target}, {"position", position}, {"lean", lean}, {"language", language},
                              {"publisher", publisher}, {"text", text}, {"query", query}, {"relevant_only", relevant ? "true" : ""},
                              {"from", from}, {"to", to}, {"size", size}, {"seed", seed}});
  if (!body.ok()) return Fail(body.status().code() == base::Code::kInvalidArgument ? kExitUsage : ExitCodeFor(body.status()), "sample: " + body.status().message());
  const Json answer = Json::parse(*body, nullptr, false);
  if (!answer.is_object() || !answer.contains("articles")) return Fail(kExitUnavailable, "sample: server " + server + ": no articles in the answer");
  if (output == "table") {
    PrintTable(answer);
    return kExitOk;
  }
  for (const Json& one : answer["articles"]) std::puts(one.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
  std::fprintf(stderr, "%zu of %s articles, seed %s\n", answer["articles"].size(), Text(answer, "matched").c_str(), Text(answer, "seed").c_str());
  return kExitOk;
}

}  // namespace racewatch::cli
