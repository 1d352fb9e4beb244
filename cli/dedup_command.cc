// `racewatch dedup [FILE.jsonl]`: articles in arrival order through the store's own story index, one JSON
// line each (design of the command line). Reads standard input without FILE; no state, no network.
#include <simdjson.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/commands.h"
#include "store/story/story_index.h"

namespace racewatch::cli {
namespace {

// Days since 1970-01-01 (H. Hinnant, days_from_civil); the hour of day plays no part in story decisions.
base::UnixMs ParseDate(std::string_view text) {
  int year = 0, month = 0, day = 0;
  if (std::sscanf(std::string(text.substr(0, 10)).c_str(), "%4d-%2d-%2d", &year, &month, &day) != 3) return 0;
  if (month < 1 || month > 12 || day < 1 || day > 31) return 0;
  const std::chrono::sys_days days = std::chrono::year(year) / month / day;
  return std::chrono::duration_cast<std::chrono::milliseconds>(days.time_since_epoch()).count();
}


std::string_view Text(const simdjson::dom::object& object, const char* name) {
  std::string_view value;
  return object[name].get(value) == simdjson::SUCCESS ? value : std::string_view();
}

std::string Line(std::string_view id, const store::StoryDecision& decision) {
  nlohmann::ordered_json line;
  line["id"] = std::string(id);
  line["story"] = decision.story;
  line["relation"] = std::string(store::RelationName(decision.relation));
  if (decision.kind != store::StoryKind::kNone) line["kind"] = std::string(store::KindName(decision.kind));
  if (decision.of.empty()) {
    line["of"] = nullptr;
  } else {
    line["of"] = decision.of;
  }
  line["similarity"] = std::round(decision.similarity * 1e4) / 1e4;
  return line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

// False when the line is no article; `error` says why.
bool Handle(const std::string& text, simdjson::dom::parser* parser, store::StoryIndex* index, std::string* out) {
  simdjson::dom::object object;
  if (parser->parse(text).get(object) != simdjson::SUCCESS) return *out = "not a JSON object", false;
  store::StoryInput article;
  article.id = Text(object, "id");
  article.title = Text(object, "title");
  article.text = Text(object, "text");
  article.url = Text(object, "url");
  article.published_ms = ParseDate(Text(object, "published"));
  if (article.id.empty()) return *out = "no id", false;
  *out = Line(article.id, index->Add(article));
  return true;
}

int Dedup(std::istream& in, uint32_t window) {
  store::StoryIndex index({window});
  simdjson::dom::parser parser;
  std::string text, out;
  int code = kExitOk;
  for (uint64_t number = 1; std::getline(in, text); ++number) {
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    if (!Handle(text, &parser, &index, &out)) code = Fail(kExitBadData, "dedup: line " + std::to_string(number) + ": " + out);
    else std::puts(out.c_str());
  }
  return std::fflush(stdout) == 0 ? code : Fail(kExitIo, "dedup: standard output: write failed");
}

}  // namespace

int RunDedup(int argc, char** argv) {
  CLI::App app("Groups articles that tell one story: copies, spun copies, cut copies, revisions.", "racewatch dedup");
  std::string file;
  uint32_t window = 200000;
  app.add_option("FILE", file, "articles as JSON lines in arrival order; standard input if absent");
  app.add_option("--window", window, "articles remembered")->check(CLI::Range(1u, 50000000u));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error), kExitOk;
    return Fail(kExitUsage, std::string("dedup: ") + error.what());
  }
  if (file.empty()) return Dedup(std::cin, window);
  std::ifstream in(file);
  if (!in) return Fail(kExitIo, "dedup: " + file + ": cannot be read");
  return Dedup(in, window);
}

}  // namespace racewatch::cli
