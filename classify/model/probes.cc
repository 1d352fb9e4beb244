#include "classify/model/probes.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "classify/model/training.h"

namespace racewatch::classify {
namespace {

using nlohmann::json;

bool IsField(const std::string& field) {
  if (field == "lean" || field == "relevance") return true;
  if (field.starts_with("stance:")) return base::IndexOf(base::kTargets, field.substr(7)).has_value();
  return field.starts_with("theme:") && base::IndexOf(base::kThemes, field.substr(6)).has_value();
}

// Throws json::exception.
Probe FromJson(const json& object) {
  Probe probe;
  probe.id = object.at("id").get<std::string>();
  probe.kind = object.at("kind").get<std::string>();
  probe.field = object.at("expect").at("field").get<std::string>();
  for (size_t side = 0; side < 2; ++side) {
    const char* key = side ? "b" : "a";
    LabelledDocument& d = probe.sides[side];
    d.id = probe.id + key;
    d.title = object.at(key).value("title", "");
    d.text = object.at(key).value("text", "");
    d.language = object.at(key).value("lang", "");
    probe.expected[side] = object.at("expect").at(key).get<std::string>();
  }
  return probe;
}

}  // namespace

base::Result<std::vector<Probe>> ReadProbes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return base::NotFound("read " + path + ": " + std::strerror(errno));
  std::vector<Probe> probes;
  std::string line;
  for (size_t number = 1; std::getline(in, line); ++number) {
    if (line.empty()) continue;
    const auto fail = [&](const std::string& what) { return base::InvalidArgument(path + ":" + std::to_string(number) + ": " + what); };
    try {
      probes.push_back(FromJson(json::parse(line)));
    } catch (const json::exception& error) {
      return fail(error.what());
    }
    if (!IsField(probes.back().field)) return fail("no label field '" + probes.back().field + "'");
  }
  return probes;
}

std::string AnswerOf(const Decision& decision, const std::string& field) {
  if (field == "relevance") return decision.relevant ? "relevant" : "irrelevant";
  if (field == "lean") {
    if (!decision.relevant) return "none";
    return std::string(base::kLeans[decision.lean == kUnsure ? 3 : static_cast<size_t>(decision.lean)]);
  }
  if (field.starts_with("theme:"))
    return decision.relevant && decision.themes[*base::IndexOf(base::kThemes, field.substr(6))] ? "present" : "absent";
  const int position = decision.relevant ? decision.stance[*base::IndexOf(base::kTargets, field.substr(7))] : int{kAbsent};
  if (position == kAbsent) return "absent";
  return std::string(base::kPositions[position == kUnsure ? 3 : static_cast<size_t>(position)]);
}

std::vector<ProbeScore> ScoreProbes(const Model& model, const std::vector<Probe>& probes) {
  std::vector<LabelledDocument> documents;
  for (const Probe& probe : probes) documents.insert(documents.end(), probe.sides.begin(), probe.sides.end());
  const std::vector<Judged> judged = JudgeWithModel(model, documents);
  std::vector<ProbeScore> scores;
  for (size_t i = 0; i < probes.size(); ++i) {
    const Probe& probe = probes[i];
    auto score = std::find_if(scores.begin(), scores.end(), [&](const ProbeScore& s) { return s.kind == probe.kind; });
    if (score == scores.end()) score = scores.insert(score, ProbeScore{probe.kind});
    size_t right = 0;
    for (size_t side = 0; side < 2; ++side)
      right += AnswerOf(judged[2 * i + side].decision, probe.field) == probe.expected[side];
    ++score->pairs;
    score->sides_right += right;
    score->right += right == 2;
  }
  return scores;
}

std::string FormatProbes(const std::vector<ProbeScore>& scores) {
  std::string out;
  const auto line = [&](const ProbeScore& s) {
    char text[128];
    const auto pairs = static_cast<double>(std::max<size_t>(1, s.pairs));
    std::snprintf(text, sizeof text, "%-24s %6zu %12.2f %12.2f\n", s.kind.c_str(), s.pairs,
                  static_cast<double>(s.right) / pairs, static_cast<double>(s.sides_right) / (2 * pairs));
    out += text;
  };
  out += "probes                    pairs   both right   side right\n";
  ProbeScore all{"all"};
  for (const ProbeScore& s : scores) {
    line(s);
    all.pairs += s.pairs, all.right += s.right, all.sides_right += s.sides_right;
  }
  line(all);
  return out;
}

}  // namespace racewatch::classify
