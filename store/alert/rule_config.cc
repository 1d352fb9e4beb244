#include "store/alert/rule_config.h"

#include <algorithm>
#include <set>
#include <string>

#include "base/taxonomy.h"
#include "racewatch/v1/config.pb.h"

namespace racewatch::store {
namespace {

constexpr uint32_t kSlotS = kSlotMs / 1000;
constexpr uint32_t kDayS = 24 * 3600;

template <size_t N>
void CheckLabel(const std::string& field, const std::string& value, const std::array<std::string_view, N>& set,
                base::Problems* problems) {
  if (!value.empty() && !base::IndexOf(set, value)) problems->Add(field, "unknown label '" + value + "'");
}

void CheckUnused(const std::string& field, const std::string& value, const std::string& dimension, base::Problems* problems) {
  if (!value.empty()) problems->Add(field, "does not belong to dimension " + dimension);
}

void CheckSeries(const std::string& at, const v1::RuleSeries& series, base::Problems* problems) {
  const std::string& dimension = series.dimension();
  if (dimension != "theme" && dimension != "stance" && dimension != "lean") {
    problems->Add(at + ".dimension", dimension.empty() ? "missing; theme, stance or lean"
                                                       : "unknown dimension '" + dimension + "'; theme, stance or lean");
  } else {
    if (dimension != "theme") CheckUnused(at + ".theme", series.theme(), dimension, problems);
    if (dimension != "stance") CheckUnused(at + ".target", series.target(), dimension, problems);
    if (dimension != "stance") CheckUnused(at + ".position", series.position(), dimension, problems);
    if (dimension != "lean") CheckUnused(at + ".lean", series.lean(), dimension, problems);
  }
  CheckLabel(at + ".theme", series.theme(), base::kThemes, problems);
  CheckLabel(at + ".target", series.target(), base::kTargets, problems);
  CheckLabel(at + ".position", series.position(), base::kPositions, problems);
  CheckLabel(at + ".lean", series.lean(), base::kLeans, problems);
}

void CheckWindow(const std::string& field, uint32_t window_s, uint32_t max_s, base::Problems* problems) {
  if (window_s < kSlotS || window_s > max_s || window_s % kSlotS != 0)
    problems->Add(field, std::to_string(window_s) + " s: must be a multiple of 600 from 600 to " + std::to_string(max_s));
}

void CheckThreshold(const std::string& at, const v1::ThresholdRule& rule, base::Problems* problems) {
  CheckWindow(at + ".window_s", rule.window_s(), 30 * kDayS, problems);
  if (!(rule.open() >= 1)) problems->Add(at + ".open", "must be at least 1");
  if (rule.close() < 0 || rule.close() >= std::max(rule.open(), 1.0)) problems->Add(at + ".close", "must be at least 0 and below open");
}

void CheckBurst(const std::string& at, const v1::BurstRule& rule, base::Problems* problems) {
  CheckWindow(at + ".window_s", rule.window_s(), kDayS, problems);
  if (!(rule.score_open() >= 1 && rule.score_open() <= 20)) problems->Add(at + ".score_open", "must be from 1 to 20");
  if (!(rule.score_close() >= 0 && rule.score_close() < rule.score_open()))
    problems->Add(at + ".score_close", "must be at least 0 and below score_open");
  if (rule.baseline_weeks() < 1 || rule.baseline_weeks() > 12) problems->Add(at + ".baseline_weeks", "must be from 1 to 12");
}

bool ValidName(const std::string& name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

v1::RuleConfig Burst(const std::string& name, const std::string& dimension, const std::string& position) {
  v1::RuleConfig rule;
  rule.set_name(name);
  rule.mutable_burst();
  rule.mutable_series()->set_dimension(dimension);
  rule.mutable_series()->set_position(position);
  return RuleWithDefaults(rule);
}

template <size_t N>
std::vector<std::string> Chosen(const std::string& one, const std::array<std::string_view, N>& all) {
  if (!one.empty()) return {one};
  std::vector<std::string> values;
  for (const std::string_view value : all)
    if (value != "unsure") values.emplace_back(value);
  return values;
}

}  // namespace

void ValidateRules(std::string_view field, const std::vector<v1::RuleConfig>& rules, base::Problems* problems) {
  std::set<std::string> names;
  for (size_t i = 0; i < rules.size(); ++i) {
    const std::string at = std::string(field) + "[" + std::to_string(i) + "]";
    const v1::RuleConfig rule = RuleWithDefaults(rules[i]);
    if (!ValidName(rule.name())) problems->Add(at + ".name", "must be 1 to 64 of a-z 0-9 _ -, not '" + rule.name() + "'");
    if (!rule.name().empty() && !names.insert(rule.name()).second) problems->Add(at + ".name", "'" + rule.name() + "' is used twice");
    CheckSeries(at + ".series", rule.series(), problems);
    if (rule.has_threshold()) CheckThreshold(at + ".threshold", rule.threshold(), problems);
    if (rule.has_burst()) CheckBurst(at + ".burst", rule.burst(), problems);
    if (!rule.has_threshold() && !rule.has_burst()) problems->Add(at, "has no kind; threshold or burst");
    if (!(rule.coverage_min() >= 0 && rule.coverage_min() <= 1)) problems->Add(at + ".coverage_min", "must be from 0 to 1");
  }
}

v1::RuleConfig RuleWithDefaults(const v1::RuleConfig& given) {
  v1::RuleConfig rule = given;
  if (rule.publishers_min() == 0) rule.set_publishers_min(2);
  if (rule.coverage_min() == 0) rule.set_coverage_min(0.5);
  if (rule.has_threshold()) {
    if (rule.threshold().close() == 0) rule.mutable_threshold()->set_close(rule.threshold().open() / 2);
  }
  if (rule.has_burst()) {
    v1::BurstRule& burst = *rule.mutable_burst();
    if (burst.window_s() == 0) burst.set_window_s(3600);
    if (burst.score_open() == 0) burst.set_score_open(4);
    if (burst.score_close() == 0) burst.set_score_close(2);
    if (burst.observed_min() == 0) burst.set_observed_min(5);
    if (burst.baseline_weeks() == 0) burst.set_baseline_weeks(4);
  }
  return rule;
}

std::vector<v1::RuleConfig> DefaultRules() {
  v1::RuleConfig threshold;
  threshold.set_name("chips_threshold");
  threshold.mutable_series()->set_dimension("theme");
  threshold.mutable_series()->set_theme("chips_compute");
  threshold.mutable_threshold()->set_window_s(3600);
  threshold.mutable_threshold()->set_open(20);
  return {Burst("theme_burst", "theme", ""), Burst("stance_burst_favor", "stance", "favor"),
          Burst("stance_burst_against", "stance", "against"), RuleWithDefaults(threshold)};
}

std::vector<WatchedSeries> SeriesOfRule(const v1::RuleConfig& rule) {
  const v1::RuleSeries& wanted = rule.series();
  std::vector<WatchedSeries> series;
  if (wanted.dimension() == "theme") {
    for (const std::string& theme : Chosen(wanted.theme(), base::kThemes)) series.push_back({.theme = theme});
  } else if (wanted.dimension() == "stance") {
    for (const std::string& target : Chosen(wanted.target(), base::kTargets))
      for (const std::string& position : Chosen(wanted.position(), base::kPositions))
        series.push_back({.target = target, .position = position});
  } else if (wanted.dimension() == "lean") {
    for (const std::string& lean : Chosen(wanted.lean(), base::kLeans)) series.push_back({.lean = lean});
  }
  return series;
}

std::string SeriesKeyText(const WatchedSeries& series) {
  std::string key;
  const auto add = [&](const char* name, const std::string& value) {
    if (value.empty()) return;
    if (!key.empty()) key += ',';
    key += name;
    key += '=';
    key += value;
  };
  add("theme", series.theme);
  add("target", series.target);
  add("position", series.position);
  add("lean", series.lean);
  return key;
}

}  // namespace racewatch::store
