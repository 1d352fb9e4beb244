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

void CheckSeries(const std::string& at, const v1::RuleSeries& series, const std::vector<std::string>& queries, base::Problems* problems) {
  const std::string& dimension = series.dimension();
  if (dimension != "theme" && dimension != "stance" && dimension != "lean" && dimension != "query") {
    problems->Add(at + ".dimension", dimension.empty() ? "missing; theme, stance, lean or query"
                                                       : "unknown dimension '" + dimension + "'; theme, stance, lean or query");
  } else {
    if (dimension != "query") CheckUnused(at + ".query", series.query(), dimension, problems);
    else if (std::find(queries.begin(), queries.end(), series.query()) == queries.end())
      problems->Add(at + ".query", series.query().empty() ? "missing; the name of a saved query" : "no query is named '" + series.query() + "'");
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

void CheckHours(const std::string& field, uint32_t window_s, uint32_t hours_min, uint32_t hours_max, base::Problems* problems) {
  if (window_s < hours_min * 3600 || window_s > hours_max * 3600 || window_s % 3600 != 0)
    problems->Add(field, std::to_string(window_s) + " s: must be whole hours from " + std::to_string(hours_min) + " to " + std::to_string(hours_max));
}

// What the rules with a baseline share.
template <typename Rule>
void CheckScores(const std::string& at, const Rule& rule, double score_max, base::Problems* problems) {
  if (!(rule.score_open() >= 1 && rule.score_open() <= score_max))
    problems->Add(at + ".score_open", "must be from 1 to " + std::to_string(static_cast<int>(score_max)));
  if constexpr (requires { rule.score_close(); })
    if (!(rule.score_close() >= 0 && rule.score_close() < rule.score_open()))
      problems->Add(at + ".score_close", "must be at least 0 and below score_open");
  if (rule.baseline_weeks() < 1 || rule.baseline_weeks() > 12) problems->Add(at + ".baseline_weeks", "must be from 1 to 12");
}

void CheckBurst(const std::string& at, const v1::BurstRule& rule, base::Problems* problems) {
  CheckWindow(at + ".window_s", rule.window_s(), kDayS, problems);
  CheckScores(at, rule, 20, problems);
}

void CheckShareShift(const std::string& at, const v1::ShareShiftRule& rule, base::Problems* problems) {
  CheckHours(at + ".window_s", rule.window_s(), 1, 168, problems);
  CheckScores(at, rule, 20, problems);
  if (!(rule.shift_min() > 0 && rule.shift_min() < 1)) problems->Add(at + ".shift_min", "must be above 0 and below 1");
}

void CheckChangePoint(const std::string& at, const v1::ChangePointRule& rule, base::Problems* problems) {
  CheckHours(at + ".window_s", rule.window_s(), 6, 14 * 24, problems);
  CheckScores(at, rule, 100, problems);
  if (!(rule.ratio() >= 1.2 && rule.ratio() <= 10)) problems->Add(at + ".ratio", "must be from 1.2 to 10");
  if (rule.hours_min() * 3600 > rule.window_s()) problems->Add(at + ".hours_min", "is longer than window_s");
}

void CheckSilence(const std::string& at, const v1::SilenceRule& rule, base::Problems* problems) {
  CheckWindow(at + ".window_s", rule.window_s(), 14 * kDayS, problems);
  CheckScores(at, rule, 20, problems);
  if (!(rule.expected_min() >= 1)) problems->Add(at + ".expected_min", "must be at least 1");
}

void CheckStanceFlip(const std::string& at, const v1::StanceFlipRule& rule, base::Problems* problems) {
  CheckHours(at + ".window_s", rule.window_s(), 1, 14 * 24, problems);
  CheckScores(at, rule, 20, problems);
  if (!(rule.lead_min() > 0 && rule.lead_min() < 0.5)) problems->Add(at + ".lead_min", "must be above 0 and below 0.5");
}

// The kind of the rule and what only some kinds ask of the series.
void CheckKind(const std::string& at, const v1::RuleConfig& rule, base::Problems* problems) {
  if (rule.series().dimension() == "query" && rule.has_share_shift())
    problems->Add(at + ".series.dimension", "a share shift watches theme, stance or lean: a query is a share of no whole of its own");
  switch (rule.kind_case()) {
    case v1::RuleConfig::kThreshold: return CheckThreshold(at + ".threshold", rule.threshold(), problems);
    case v1::RuleConfig::kBurst: return CheckBurst(at + ".burst", rule.burst(), problems);
    case v1::RuleConfig::kShareShift: return CheckShareShift(at + ".share_shift", rule.share_shift(), problems);
    case v1::RuleConfig::kChangePoint: return CheckChangePoint(at + ".change_point", rule.change_point(), problems);
    case v1::RuleConfig::kSilence: return CheckSilence(at + ".silence", rule.silence(), problems);
    case v1::RuleConfig::kStanceFlip:
      if (rule.series().dimension() != "stance") problems->Add(at + ".series.dimension", "a stance flip watches stance");
      if (!rule.series().position().empty()) problems->Add(at + ".series.position", "a stance flip watches favor against against");
      return CheckStanceFlip(at + ".stance_flip", rule.stance_flip(), problems);
    case v1::RuleConfig::KIND_NOT_SET:
      problems->Add(at, "has no kind; threshold, burst, share_shift, change_point, silence or stance_flip");
  }
}

// Sets a numeric field that is zero.
#define DEFAULT(message, field, value) \
  if ((message).field() == 0) (message).set_##field(value)

void FillKind(v1::RuleConfig* rule) {
  if (rule->has_threshold()) DEFAULT(*rule->mutable_threshold(), close, rule->threshold().open() / 2);
  if (rule->has_burst()) {
    v1::BurstRule& burst = *rule->mutable_burst();
    DEFAULT(burst, window_s, 3600);
    DEFAULT(burst, score_open, 3.6);
    DEFAULT(burst, score_close, 2);
    DEFAULT(burst, observed_min, 5);
    DEFAULT(burst, baseline_weeks, 4);
  }
  if (rule->has_share_shift()) {
    v1::ShareShiftRule& shift = *rule->mutable_share_shift();
    DEFAULT(shift, window_s, kDayS);
    DEFAULT(shift, score_open, 4);
    DEFAULT(shift, score_close, 2);
    DEFAULT(shift, shift_min, 0.1);
    DEFAULT(shift, observed_min, 30);
    DEFAULT(shift, baseline_weeks, 4);
  }
  if (rule->has_change_point()) {
    v1::ChangePointRule& change = *rule->mutable_change_point();
    DEFAULT(change, window_s, 3 * kDayS);
    DEFAULT(change, score_open, 12);
    DEFAULT(change, score_close, 4);
    DEFAULT(change, ratio, 2);
    DEFAULT(change, hours_min, 6);
    DEFAULT(change, observed_min, 10);
    DEFAULT(change, baseline_weeks, 4);
  }
  if (rule->has_silence()) {
    v1::SilenceRule& silence = *rule->mutable_silence();
    DEFAULT(silence, window_s, 6 * 3600);
    DEFAULT(silence, score_open, 3);
    DEFAULT(silence, expected_min, 5);
    DEFAULT(silence, baseline_weeks, 4);
  }
  if (rule->has_stance_flip()) {
    v1::StanceFlipRule& flip = *rule->mutable_stance_flip();
    DEFAULT(flip, window_s, kDayS);
    DEFAULT(flip, score_open, 3);
    DEFAULT(flip, lead_min, 0.05);
    DEFAULT(flip, observed_min, 20);
    DEFAULT(flip, baseline_weeks, 4);
  }
}

#undef DEFAULT

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

void ValidateRules(std::string_view field, const std::vector<v1::RuleConfig>& rules, const std::vector<std::string>& queries,
                   base::Problems* problems) {
  std::set<std::string> names;
  for (size_t i = 0; i < rules.size(); ++i) {
    const std::string at = std::string(field) + "[" + std::to_string(i) + "]";
    const v1::RuleConfig rule = RuleWithDefaults(rules[i]);
    if (!ValidName(rule.name())) problems->Add(at + ".name", "must be 1 to 64 of a-z 0-9 _ -, not '" + rule.name() + "'");
    if (!rule.name().empty() && !names.insert(rule.name()).second) problems->Add(at + ".name", "'" + rule.name() + "' is used twice");
    CheckSeries(at + ".series", rule.series(), queries, problems);
    CheckKind(at, rule, problems);
    if (!(rule.coverage_min() >= 0 && rule.coverage_min() <= 1)) problems->Add(at + ".coverage_min", "must be from 0 to 1");
    if (rule.deadman_s() % kSlotS != 0 || rule.deadman_s() > 30 * kDayS)
      problems->Add(at + ".deadman_s", std::to_string(rule.deadman_s()) + " s: must be a multiple of 600, at most 30 days");
  }
}

v1::RuleConfig RuleWithDefaults(const v1::RuleConfig& given) {
  v1::RuleConfig rule = given;
  if (rule.publishers_min() == 0) rule.set_publishers_min(2);
  if (rule.coverage_min() == 0) rule.set_coverage_min(0.5);
  FillKind(&rule);
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
  } else if (rule.has_stance_flip()) {
    for (const std::string& target : Chosen(wanted.target(), base::kTargets)) series.push_back({.target = target});
  } else if (wanted.dimension() == "stance") {
    for (const std::string& target : Chosen(wanted.target(), base::kTargets))
      for (const std::string& position : Chosen(wanted.position(), base::kPositions))
        series.push_back({.target = target, .position = position});
  } else if (wanted.dimension() == "lean") {
    for (const std::string& lean : Chosen(wanted.lean(), base::kLeans)) series.push_back({.lean = lean});
  } else if (wanted.dimension() == "query") {
    series.push_back({.query = wanted.query()});
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
  add("query", series.query);
  return key;
}

}  // namespace racewatch::store
