// The shared conformance suite through the library, by the rules at the head of score_feeds.py: at
// least kMustPass of its cases, and no feed empty that the reference fills.
#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>

#include "ingest/feed/entities.h"
#include "ingest/feed/feed_json.h"
#include "ingest/feed/feed_parser.h"
#include "ingest/feed/text_type.h"

namespace racewatch::ingest {
namespace {

using nlohmann::json;

constexpr const char* kCases = RACEWATCH_SOURCE_DIR "/../shared/cases/feeds/";
constexpr size_t kMustPass = 828;

std::string ReadAll(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string Collapsed(const std::string& text) { return feed::Collapse(text); }

// Tags out, entities decoded, white space collapsed.
std::string Flat(std::string text) {
  for (size_t at = text.find("<!--"); at != std::string::npos; at = text.find("<!--", at)) {
    const size_t end = text.find("-->", at);
    if (end == std::string::npos) break;
    text.erase(at, end + 3 - at);
  }
  for (size_t at = text.find('<'); at != std::string::npos; at = text.find('<', at)) {
    const size_t end = text.find('>', at);
    const char next = at + 1 < text.size() ? text[at + 1] : ' ';
    const bool tag = end != std::string::npos && (std::isalpha(static_cast<unsigned char>(next)) ||
                                                  next == '/' || next == '!' || next == '?');
    if (tag)
      text.erase(at, end + 1 - at);
    else
      ++at;
  }
  std::string decoded;
  feed::AppendDecoded(text, nullptr, &decoded);
  return Collapsed(decoded);
}

std::string Unescaped(const std::string& text) {
  std::string out;
  feed::AppendDecoded(text, nullptr, &out);
  return out;
}

std::string TextOf(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

bool Same(const std::string& field, const std::string& got, const std::string& want) {
  if (field == "summary" || field == "content" || field == "description")
    return Flat(got) == Flat(want) || Flat(got) == Collapsed(want);
  if (field == "title" || field == "author") return Collapsed(got) == Collapsed(want);
  return feed::Collapse(got) == feed::Collapse(want);
}

// The values a path leads to; a step may name alternatives ("content|summary").
std::vector<json> Reach(const json& root, const json& path) {
  std::vector<json> found = {root};
  for (const json& step : path) {
    std::vector<json> after;
    for (const json& node : found) {
      if (step.is_number() && node.is_array() && step.get<size_t>() < node.size())
        after.push_back(node[step.get<size_t>()]);
      if (!step.is_string() || !node.is_object()) continue;
      std::string names = step.get<std::string>() + "|";
      for (size_t bar = names.find('|'); bar != std::string::npos;
           names.erase(0, bar + 1), bar = names.find('|'))
        if (node.contains(names.substr(0, bar))) after.push_back(node[names.substr(0, bar)]);
    }
    found = std::move(after);
  }
  return found;
}

bool Holds(const json& check, const json& output) {
  const std::vector<json> got = Reach(output, check["path"]);
  if (check.contains("len")) return (got.empty() ? 0 : got[0].size()) == check["len"].get<size_t>();
  if (check.contains("has")) {
    for (const json& list : got)
      for (const json& member : list)
        if (Collapsed(TextOf(member)) == Collapsed(TextOf(check["has"]))) return true;
    return false;
  }
  if (check.contains("contains")) {
    for (const json& node : got) {
      bool all = true;
      for (const json& part : check["contains"])
        all = all && Unescaped(TextOf(node)).find(part.get<std::string>()) != std::string::npos;
      if (all) return true;
    }
    return false;
  }
  const json& last = check["path"].back();
  const std::string names = last.is_string() ? last.get<std::string>() : "";
  const std::string field = names.substr(0, names.find('|'));
  const json wanted = check.contains("any") ? check["any"] : json::array({check["value"]});
  for (const json& want : wanted) {
    if (got.empty() && TextOf(want).empty()) return true;
    for (const json& node : got)
      if (Same(field, TextOf(node), TextOf(want))) return true;
  }
  return false;
}

// True when every check of the case holds; failed ones are printed.
bool Passes(const json& test, size_t* filled_but_empty) {
  ParseOptions options;
  options.content_type = test.value("content_type", "");
  options.base_url = test.value("base", "");
  const auto feed = ParseFeed(ReadAll(kCases + test["file"].get<std::string>()), options);
  if (test.value("error", false)) return !feed.ok();
  if (!feed.ok()) return false;
  std::string text;
  AppendFeedJson(*feed, {}, &text);
  const json output = json::parse(text);
  bool good = true;
  for (const json& check : test["expect"]) {
    if (Holds(check, output)) continue;
    good = false;
    if (check.contains("len") && check["len"] > 0 && feed->entries.empty()) ++*filled_but_empty;
    std::cout << test["file"] << " fails " << check.dump().substr(0, 200) << "\n";
  }
  return good;
}

TEST(SharedSuite, NearlyEveryCasePasses) {
  std::ifstream cases(std::string(kCases) + "cases.jsonl");
  if (!cases) GTEST_SKIP() << "needs ../shared/cases/feeds";
  size_t passed = 0, total = 0, filled_but_empty = 0;
  for (std::string line; std::getline(cases, line);) {
    if (line.empty()) continue;
    ++total;
    passed += Passes(json::parse(line), &filled_but_empty);
  }
  std::cout << passed << " of " << total << " cases pass\n";
  EXPECT_GE(passed, kMustPass);
  EXPECT_EQ(filled_but_empty, 0u);
}

}  // namespace
}  // namespace racewatch::ingest
