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
#include "store/alert/judge.h"
#include "store/alert/rule_config.h"

namespace racewatch::store {
namespace {

constexpr uint32_t kCalmSteps = 3;             // half an hour at the closing level closes
constexpr double kGrowth = 2;                  // an open alert is updated when its count doubled …
constexpr int64_t kGrowthPauseMs = kHourMs;    // … but not more often than this
constexpr int64_t kDeadmanLookBackMs = 168 * kHourMs;

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

}  // namespace

struct AlertEngine::Impl {
  std::vector<v1::RuleConfig> rules;
  AlertOptions options;
  AlertState state;

  bool MayOpen(const Judgement& judgement, const KeyState& key, base::UnixMs step_end) const;
  KeyState Known(const std::string& rule, const std::string& key) const;
  void Remember(const std::string& rule, const std::string& key, base::UnixMs step_end, KeyState value);
  void StepKey(const v1::RuleConfig& rule, const WatchedSeries& series, base::UnixMs step_end, const SeriesView& view,
               std::vector<v1::Alert>* alerts);
  void StepDeadman(const v1::RuleConfig& rule, base::UnixMs step_end, const SeriesView& view, std::vector<v1::Alert>* alerts);
  void CloseForgottenRules(base::UnixMs step_end, std::vector<v1::Alert>* alerts);
  v1::Alert Describe(const std::string& rule, const std::string& key, const WatchedSeries& series, const Judgement& judgement,
                     const SeriesView& view) const;
  v1::Alert Send(v1::AlertState what, v1::Alert alert, base::UnixMs step_end, KeyState* key) const;
};

bool AlertEngine::Impl::MayOpen(const Judgement& judgement, const KeyState& key, base::UnixMs step_end) const {
  if (!judgement.high || judgement.held || judgement.after_gap) return false;
  return key.closed_at == 0 || step_end >= key.closed_at + options.reopen_ms;
}

KeyState AlertEngine::Impl::Known(const std::string& rule, const std::string& key) const {
  const auto known = state.keys.find({rule, key});
  return known == state.keys.end() ? KeyState() : known->second;
}

void AlertEngine::Impl::Remember(const std::string& rule, const std::string& key, base::UnixMs step_end, KeyState value) {
  const bool forget = !value.open && (value.closed_at == 0 || step_end >= value.closed_at + options.reopen_ms);
  if (forget) state.keys.erase({rule, key});
  else state.keys[{rule, key}] = std::move(value);
}

// The alert as it would open now; Send puts in what earlier states fixed.
v1::Alert AlertEngine::Impl::Describe(const std::string& rule, const std::string& key, const WatchedSeries& series,
                                      const Judgement& judgement, const SeriesView& view) const {
  const Span window = judgement.window;
  v1::Alert alert;
  alert.set_rule(rule);
  alert.set_key(key);
  alert.set_id(AlertId(alert.rule(), alert.key(), window.from, window.to));
  *alert.mutable_opened_at() = *alert.mutable_at() = Time(window.to);
  alert.mutable_series()->set_theme(series.theme);
  alert.mutable_series()->set_target(series.target);
  alert.mutable_series()->set_position(series.position);
  alert.mutable_series()->set_lean(series.lean);
  alert.mutable_series()->set_query(series.query);
  alert.set_window(WindowText(static_cast<uint32_t>((window.to - window.from) / 1000)));
  alert.set_observed(judgement.observed);
  alert.set_expected(judgement.expected);
  alert.set_score(judgement.score);
  alert.set_publishers(judgement.counts.publishers);
  alert.set_stories(judgement.counts.stories);
  alert.set_coverage(judgement.coverage);
  for (v1::AlertEvidence& evidence :
       view.Evidence(judgement.shown, judgement.evidence.from, judgement.evidence.to, options.evidence_max))
    *alert.add_evidence() = std::move(evidence);
  alert.set_model_version(view.ModelVersion());
  alert.set_taxonomy_version(std::string(base::kTaxonomyVersion));
  return alert;
}

v1::Alert AlertEngine::Impl::Send(v1::AlertState what, v1::Alert alert, base::UnixMs step_end, KeyState* key) const {
  v1::Alert last;
  if (what != v1::ALERT_STATE_OPEN) last.ParseFromString(key->last_sent);
  alert.set_state(what);
  if (what != v1::ALERT_STATE_UPDATE) alert.clear_repeat();
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
  const std::string key_text = SeriesKeyText(series);
  KeyState key = Known(rule.name(), key_text);
  const Judgement judgement = Judge(rule, series, step_end, key.open ? std::optional(key.window_from) : std::nullopt, view);
  std::optional<v1::AlertState> what;
  bool repeats = false;
  if (!key.open) {
    if (MayOpen(judgement, key, step_end)) what = v1::ALERT_STATE_OPEN;
  } else {
    // Held judgements neither close nor count as calm: a gap is not a drop.
    key.calm_steps = judgement.held ? key.calm_steps : judgement.calm ? key.calm_steps + 1 : 0;
    const bool grown = judgement.whole > 0 && judgement.whole >= kGrowth * key.sent_whole && step_end - key.sent_at >= kGrowthPauseMs;
    if (key.calm_steps >= kCalmSteps) what = v1::ALERT_STATE_CLOSE;
    else if (step_end - key.sent_at >= options.resend_ms || (grown && !judgement.held)) what = v1::ALERT_STATE_UPDATE;
    repeats = what == v1::ALERT_STATE_UPDATE && !(grown && !judgement.held);
  }
  if (what) {
    if (*what == v1::ALERT_STATE_OPEN) key.window_from = judgement.window.from;
    v1::Alert alert = Describe(rule.name(), key_text, series, judgement, view);
    // Without an article to show there is no alert; the next step decides anew.
    if (*what == v1::ALERT_STATE_OPEN && alert.evidence().empty()) return;
    key.sent_whole = judgement.whole;
    alert.set_repeat(repeats);
    alerts->push_back(Send(*what, std::move(alert), step_end, &key));
  }
  Remember(rule.name(), key_text, step_end, std::move(key));
}

// The rule about the rule: coverage has kept it from judging for too long, so its silence means nothing.
void AlertEngine::Impl::StepDeadman(const v1::RuleConfig& rule, base::UnixMs step_end, const SeriesView& view,
                                    std::vector<v1::Alert>* alerts) {
  base::UnixMs& judged = state.judged.try_emplace(rule.name(), step_end).first->second;
  Judgement judgement;
  judgement.coverage = view.Coverage(step_end - int64_t{RuleWindowS(rule)} * 1000, step_end);
  const bool blind = judgement.coverage < rule.coverage_min();
  judgement.window = {judged, step_end};
  if (!blind) judged = step_end;
  KeyState key = Known(rule.name(), std::string(kDeadmanKey));
  std::optional<v1::AlertState> what;
  const int64_t limit_ms = int64_t{rule.deadman_s()} * 1000;
  judgement.high = blind && step_end - judged >= limit_ms;
  if (key.open) {
    if (!blind) what = v1::ALERT_STATE_CLOSE;
    else if (step_end - key.sent_at >= options.resend_ms) what = v1::ALERT_STATE_UPDATE;
  } else if (MayOpen(judgement, key, step_end)) {
    what = v1::ALERT_STATE_OPEN;
  }
  if (what) {
    if (*what == v1::ALERT_STATE_OPEN) key.window_from = judgement.window.from;
    judgement.evidence = {judgement.window.from - kDeadmanLookBackMs, step_end};
    judgement.counts = view.Count({}, judgement.evidence.from, judgement.evidence.to);
    judgement.observed = view.Count({}, judgement.window.from, step_end).articles;
    judgement.score = static_cast<double>(step_end - judgement.window.from) / static_cast<double>(limit_ms);
    v1::Alert alert = Describe(rule.name(), std::string(kDeadmanKey), {}, judgement, view);
    alert.set_repeat(*what == v1::ALERT_STATE_UPDATE);
    if (*what == v1::ALERT_STATE_OPEN && alert.evidence().empty()) return;
    alerts->push_back(Send(*what, std::move(alert), step_end, &key));
  }
  Remember(rule.name(), std::string(kDeadmanKey), step_end, std::move(key));
}

void AlertEngine::Impl::CloseForgottenRules(base::UnixMs step_end, std::vector<v1::Alert>* alerts) {
  std::set<std::pair<std::string, std::string>> watched;
  std::set<std::string> guarded;
  for (const v1::RuleConfig& rule : rules) {
    for (const WatchedSeries& series : SeriesOfRule(rule)) watched.insert({rule.name(), SeriesKeyText(series)});
    if (rule.deadman_s() == 0) continue;
    watched.insert({rule.name(), std::string(kDeadmanKey)});
    guarded.insert(rule.name());
  }
  std::erase_if(state.judged, [&](const auto& one) { return guarded.count(one.first) == 0; });
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
  SetRules(rules);
  impl_->options = options;
}

void AlertEngine::SetRules(const std::vector<v1::RuleConfig>& rules) {
  impl_->rules.clear();
  for (const v1::RuleConfig& rule : rules) impl_->rules.push_back(RuleWithDefaults(rule));
}

AlertEngine::~AlertEngine() = default;

std::vector<v1::Alert> AlertEngine::Step(base::UnixMs step_end, base::UnixMs now, const SeriesView& view) {
  std::vector<v1::Alert> alerts;
  if (step_end <= impl_->state.last_step) return alerts;
  impl_->state.last_step = step_end;
  if (now - step_end > impl_->options.notify_age_ms_max) {
    for (auto& [rule, judged] : impl_->state.judged) judged = step_end;  // nobody looked
    return alerts;
  }
  for (const v1::RuleConfig& rule : impl_->rules) {
    if (rule.deadman_s() > 0) impl_->StepDeadman(rule, step_end, view, &alerts);
    if (IsHourly(rule) && step_end % kHourMs != 0) continue;
    for (const WatchedSeries& series : SeriesOfRule(rule)) impl_->StepKey(rule, series, step_end, view, &alerts);
  }
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
