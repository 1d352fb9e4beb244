#include "store/alert/alert_engine.h"

#include <xxhash.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <set>
#include <utility>

#include "base/taxonomy.h"
#include "racewatch/v1/alert.pb.h"
#include "racewatch/v1/config.pb.h"
#include "store/alert/alert_state.h"
#include "store/alert/burst.h"
#include "store/alert/rule_config.h"

namespace racewatch::store {
namespace {

constexpr uint32_t kCalmSteps = 3;             // half an hour at the closing level closes
constexpr double kGrowth = 2;                  // an open alert is updated when its count doubled …
constexpr int64_t kGrowthPauseMs = kHourMs;    // … but not more often than this
constexpr int64_t kRecoveryMs = 2 * kHourMs;   // coverage must have held this long before a window

google::protobuf::Timestamp Time(base::UnixMs ms) {
  google::protobuf::Timestamp time;
  time.set_seconds(ms / 1000);
  time.set_nanos(static_cast<int32_t>(ms % 1000) * 1000000);
  return time;
}

std::string WindowText(uint32_t window_s) {
  if (window_s % 86400 == 0) return std::to_string(window_s / 86400) + "d";
  if (window_s % 3600 == 0) return std::to_string(window_s / 3600) + "h";
  return std::to_string(window_s / 60) + "m";
}

std::string AlertId(const std::string& rule, const std::string& key, base::UnixMs from, base::UnixMs to) {
  const std::string text = rule + "|" + key + "|" + std::to_string(from) + "|" + std::to_string(to);
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  char id[33];
  std::snprintf(id, sizeof(id), "%016llx%016llx", static_cast<unsigned long long>(hash.high64),
                static_cast<unsigned long long>(hash.low64));
  return id;
}

struct Span {
  base::UnixMs from, to;
};

// One rule's view of one series in one step.
struct Judgement {
  Span window;  // the rule's own, or the part of it that scores highest
  WindowCounts counts;
  uint32_t whole = 0;  // articles of the rule's own window
  double expected = 0;
  double score = 0;
  double coverage = 0;
  bool held = false;  // coverage too low to say anything
  bool high = false;  // reaches the opening level, with enough publishers
  bool calm = false;  // at or below the closing level
};

Judgement JudgeThreshold(const v1::RuleConfig& rule, Judgement judgement) {
  const v1::ThresholdRule& threshold = rule.threshold();
  judgement.expected = threshold.open();
  judgement.score = judgement.counts.articles / threshold.open();
  judgement.high = judgement.counts.articles >= threshold.open();
  judgement.calm = judgement.counts.articles <= threshold.close();
  return judgement;
}

// `open_since`: start of the opening window of an open alert; its own articles stay out of the baseline.
Judgement JudgeBurst(const v1::RuleConfig& rule, const WatchedSeries& series, std::optional<base::UnixMs> open_since,
                     const SeriesView& view, Judgement judgement) {
  const v1::BurstRule& burst = rule.burst();
  const Span window = judgement.window;
  if (judgement.counts.articles < burst.observed_min() && !open_since) return judgement;
  const base::UnixMs end = std::min(window.from, open_since.value_or(window.from)) / kHourMs * kHourMs;
  const base::UnixMs start = end - int64_t{burst.baseline_weeks()} * 168 * kHourMs;
  const Baseline baseline(view.Hours(series, start, end), start);
  judgement.held |= !baseline.ready();
  // A sharp rise stands out in the last third or sixth of the window long before it fills the whole.
  for (const int64_t part : {1, 3, 6}) {
    const int64_t length = (window.to - window.from) / part / kSlotMs * kSlotMs;
    if (length == 0) continue;
    const Span span{window.to - length, window.to};
    const WindowCounts counts = part == 1 ? judgement.counts : view.Count(series, span.from, span.to);
    const double expected = baseline.Expected(span.from, span.to);
    const double score = ExcessScore(counts.articles, expected, baseline.Variance(span.from, span.to));
    if (part != 1 && (score <= judgement.score || counts.articles < burst.observed_min())) continue;
    judgement.window = span;
    judgement.counts = counts;
    judgement.expected = expected;
    judgement.score = score;
  }
  judgement.high = judgement.score >= burst.score_open() && judgement.counts.articles >= burst.observed_min();
  judgement.calm = judgement.score <= burst.score_close();
  return judgement;
}

}  // namespace

struct AlertEngine::Impl {
  std::vector<v1::RuleConfig> rules;
  AlertOptions options;
  AlertState state;

  Judgement Judge(const v1::RuleConfig& rule, const WatchedSeries& series, Span window, const KeyState& key,
                  const SeriesView& view) const;
  bool MayOpen(const v1::RuleConfig& rule, const Judgement& judgement, const KeyState& key, Span window,
               const SeriesView& view) const;
  void StepKey(const v1::RuleConfig& rule, const WatchedSeries& series, base::UnixMs step_end, const SeriesView& view,
               std::vector<v1::Alert>* alerts);
  void CloseForgottenRules(base::UnixMs step_end, std::vector<v1::Alert>* alerts);
  v1::Alert Describe(const v1::RuleConfig& rule, const WatchedSeries& series, const Judgement& judgement,
                     const SeriesView& view) const;
  v1::Alert Send(v1::AlertState what, v1::Alert alert, base::UnixMs step_end, KeyState* key) const;
};

Judgement AlertEngine::Impl::Judge(const v1::RuleConfig& rule, const WatchedSeries& series, Span window, const KeyState& key,
                                   const SeriesView& view) const {
  Judgement judgement;
  judgement.window = window;
  judgement.counts = view.Count(series, window.from, window.to);
  judgement.whole = judgement.counts.articles;
  judgement.coverage = view.Coverage(window.from, window.to);
  judgement.held = judgement.coverage < rule.coverage_min();
  if (rule.has_threshold()) {
    judgement = JudgeThreshold(rule, judgement);
  } else {
    judgement = JudgeBurst(rule, series, key.open ? std::optional(key.window_from) : std::nullopt, view, judgement);
  }
  judgement.high = judgement.high && judgement.counts.publishers >= rule.publishers_min();
  return judgement;
}

bool AlertEngine::Impl::MayOpen(const v1::RuleConfig& rule, const Judgement& judgement, const KeyState& key, Span window,
                                const SeriesView& view) const {
  if (!judgement.high || judgement.held || judgement.counts.articles == 0) return false;
  if (key.closed_at != 0 && window.to < key.closed_at + options.reopen_ms) return false;
  // What piled up during an outage and arrives together afterwards is no burst.
  return !rule.has_burst() || view.Coverage(window.from - kRecoveryMs, window.from) >= rule.coverage_min();
}

// The alert as it would open now; Send puts in what earlier states fixed.
v1::Alert AlertEngine::Impl::Describe(const v1::RuleConfig& rule, const WatchedSeries& series, const Judgement& judgement,
                                      const SeriesView& view) const {
  const Span window = judgement.window;
  v1::Alert alert;
  alert.set_rule(rule.name());
  alert.set_key(SeriesKeyText(series));
  alert.set_id(AlertId(alert.rule(), alert.key(), window.from, window.to));
  *alert.mutable_opened_at() = *alert.mutable_at() = Time(window.to);
  alert.mutable_series()->set_theme(series.theme);
  alert.mutable_series()->set_target(series.target);
  alert.mutable_series()->set_position(series.position);
  alert.mutable_series()->set_lean(series.lean);
  alert.set_window(WindowText(static_cast<uint32_t>((window.to - window.from) / 1000)));
  alert.set_observed(judgement.counts.articles);
  alert.set_expected(judgement.expected);
  alert.set_score(judgement.score);
  alert.set_publishers(judgement.counts.publishers);
  alert.set_stories(judgement.counts.stories);
  alert.set_coverage(judgement.coverage);
  for (v1::AlertEvidence& evidence : view.Evidence(series, window.from, window.to, options.evidence_max))
    *alert.add_evidence() = std::move(evidence);
  alert.set_model_version(view.ModelVersion());
  alert.set_taxonomy_version(std::string(base::kTaxonomyVersion));
  return alert;
}

v1::Alert AlertEngine::Impl::Send(v1::AlertState what, v1::Alert alert, base::UnixMs step_end, KeyState* key) const {
  v1::Alert last;
  if (what != v1::ALERT_STATE_OPEN) last.ParseFromString(key->last_sent);
  alert.set_state(what);
  alert.set_sequence(last.sequence() + 1);
  if (what != v1::ALERT_STATE_OPEN) {
    alert.set_id(last.id());
    *alert.mutable_opened_at() = last.opened_at();
    if (alert.evidence().empty()) *alert.mutable_evidence() = last.evidence();
  }
  key->open = what != v1::ALERT_STATE_CLOSE;
  key->sent_at = step_end;
  key->calm_steps = 0;
  key->last_sent = key->open ? alert.SerializeAsString() : std::string();
  if (!key->open) key->closed_at = step_end;
  return alert;
}

void AlertEngine::Impl::StepKey(const v1::RuleConfig& rule, const WatchedSeries& series, base::UnixMs step_end,
                                const SeriesView& view, std::vector<v1::Alert>* alerts) {
  const uint32_t window_s = rule.has_burst() ? rule.burst().window_s() : rule.threshold().window_s();
  const Span window{step_end - int64_t{window_s} * 1000, step_end};
  const std::string key_text = SeriesKeyText(series);
  const auto known = state.keys.find({rule.name(), key_text});
  KeyState key = known == state.keys.end() ? KeyState() : known->second;
  const Judgement judgement = Judge(rule, series, window, key, view);
  std::optional<v1::AlertState> what;
  if (!key.open) {
    if (MayOpen(rule, judgement, key, window, view)) what = v1::ALERT_STATE_OPEN;
  } else {
    // Held judgements neither close nor count as calm: a gap is not a drop.
    key.calm_steps = judgement.held ? key.calm_steps : judgement.calm ? key.calm_steps + 1 : 0;
    const bool grown = judgement.whole >= kGrowth * key.sent_whole && step_end - key.sent_at >= kGrowthPauseMs;
    if (key.calm_steps >= kCalmSteps) what = v1::ALERT_STATE_CLOSE;
    else if (step_end - key.sent_at >= options.resend_ms || (grown && !judgement.held)) what = v1::ALERT_STATE_UPDATE;
  }
  if (what) {
    if (*what == v1::ALERT_STATE_OPEN) key.window_from = judgement.window.from;
    v1::Alert alert = Describe(rule, series, judgement, view);
    // Without an article to show there is no alert; the next step decides anew.
    if (*what == v1::ALERT_STATE_OPEN && alert.evidence().empty()) return;
    key.sent_whole = judgement.whole;
    alerts->push_back(Send(*what, std::move(alert), step_end, &key));
  }
  const bool forget = !key.open && (key.closed_at == 0 || step_end >= key.closed_at + options.reopen_ms);
  if (forget) {
    state.keys.erase({rule.name(), key_text});
  } else {
    state.keys[{rule.name(), key_text}] = std::move(key);
  }
}

void AlertEngine::Impl::CloseForgottenRules(base::UnixMs step_end, std::vector<v1::Alert>* alerts) {
  std::set<std::pair<std::string, std::string>> watched;
  for (const v1::RuleConfig& rule : rules)
    for (const WatchedSeries& series : SeriesOfRule(rule)) watched.insert({rule.name(), SeriesKeyText(series)});
  for (auto at = state.keys.begin(); at != state.keys.end();) {
    if (watched.count(at->first) != 0) {
      ++at;
      continue;
    }
    if (v1::Alert alert; at->second.open && alert.ParseFromString(at->second.last_sent)) {
      *alert.mutable_at() = Time(step_end);
      alerts->push_back(Send(v1::ALERT_STATE_CLOSE, alert, step_end, &at->second));
    }
    at = state.keys.erase(at);
  }
}

AlertEngine::AlertEngine(const std::vector<v1::RuleConfig>& rules, AlertOptions options) : impl_(std::make_unique<Impl>()) {
  for (const v1::RuleConfig& rule : rules) impl_->rules.push_back(RuleWithDefaults(rule));
  impl_->options = options;
}

AlertEngine::~AlertEngine() = default;

std::vector<v1::Alert> AlertEngine::Step(base::UnixMs step_end, base::UnixMs now, const SeriesView& view) {
  std::vector<v1::Alert> alerts;
  if (step_end <= impl_->state.last_step) return alerts;
  impl_->state.last_step = step_end;
  if (now - step_end > impl_->options.notify_age_ms_max) return alerts;
  for (const v1::RuleConfig& rule : impl_->rules)
    for (const WatchedSeries& series : SeriesOfRule(rule)) impl_->StepKey(rule, series, step_end, view, &alerts);
  impl_->CloseForgottenRules(step_end, &alerts);
  return alerts;
}

base::UnixMs AlertEngine::last_step() const { return impl_->state.last_step; }

std::vector<v1::Alert> AlertEngine::OpenAlerts() const {
  std::vector<v1::Alert> alerts;
  for (const auto& [name, key] : impl_->state.keys)
    if (v1::Alert alert; key.open && alert.ParseFromString(key.last_sent)) alerts.push_back(std::move(alert));
  return alerts;
}

std::string AlertEngine::SaveState() const { return EncodeAlertState(impl_->state); }

base::Status AlertEngine::LoadState(std::string_view bytes) {
  AlertState state;
  if (!DecodeAlertState(bytes, &state)) return base::DataLoss("alert state: damaged or of another version");
  impl_->state = std::move(state);
  return {};
}

}  // namespace racewatch::store
