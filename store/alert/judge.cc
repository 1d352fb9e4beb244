#include "store/alert/judge.h"

#include <algorithm>
#include <cmath>

#include "base/taxonomy.h"
#include "racewatch/v1/config.pb.h"
#include "store/alert/burst.h"
#include "store/alert/change_point.h"
#include "store/alert/share.h"

namespace racewatch::store {
namespace {

constexpr int64_t kWeekMs = 168 * kHourMs;
constexpr int64_t kRecoveryMs = 3 * kHourMs;  // coverage must have held this long before a window

base::UnixMs HourBefore(base::UnixMs time) { return time / kHourMs * kHourMs; }

void JudgeThreshold(const v1::RuleConfig& rule, Judgement* judgement) {
  const v1::ThresholdRule& threshold = rule.threshold();
  judgement->whole = judgement->counts.articles;
  judgement->expected = threshold.open();
  judgement->score = judgement->counts.articles / threshold.open();
  judgement->high = judgement->counts.articles >= threshold.open();
  judgement->calm = judgement->counts.articles <= threshold.close();
}

void JudgeBurst(const v1::RuleConfig& rule, const WatchedSeries& series, std::optional<base::UnixMs> open_since,
                const SeriesView& view, Judgement* judgement) {
  const v1::BurstRule& burst = rule.burst();
  const Span window = judgement->window;
  judgement->whole = judgement->counts.articles;
  judgement->calm = judgement->score <= burst.score_close();
  if (judgement->counts.articles < burst.observed_min() && !open_since) return;
  const base::UnixMs end = HourBefore(std::min(window.from, open_since.value_or(window.from)));
  const base::UnixMs start = end - int64_t{burst.baseline_weeks()} * kWeekMs;
  const Baseline baseline(view.Hours(series, start, end), start);
  judgement->held |= !baseline.ready();
  // A sharp rise stands out in the last third or sixth of the window long before it fills the whole.
  for (const int64_t part : {1, 3, 6}) {
    const int64_t length = (window.to - window.from) / part / kSlotMs * kSlotMs;
    if (length == 0) continue;
    const Span span{window.to - length, window.to};
    const WindowCounts counts = part == 1 ? judgement->counts : view.Count(series, span.from, span.to);
    const double expected = baseline.Expected(span.from, span.to);
    const double score = ExcessScore(counts.articles, expected, baseline.Variance(span.from, span.to));
    if (part != 1 && (score <= judgement->score || counts.articles < burst.observed_min())) continue;
    judgement->window = judgement->evidence = span;
    judgement->counts = counts;
    judgement->expected = expected;
    judgement->score = score;
  }
  judgement->observed = judgement->counts.articles;
  judgement->high = judgement->score >= burst.score_open() && judgement->counts.articles >= burst.observed_min();
  judgement->calm = judgement->score <= burst.score_close();
  judgement->after_gap = view.Coverage(window.from - kRecoveryMs, window.from) < rule.coverage_min();
}

// The windows of this length before `before`, latest first, each as (part, whole); badly covered ones left out.
std::vector<ShareCount> EarlierShares(const WatchedSeries& part, const std::vector<WatchedSeries>& whole, base::UnixMs before,
                                      int64_t length, uint32_t weeks, const SeriesView& view) {
  const base::UnixMs end = HourBefore(before), start = end - int64_t{weeks} * kWeekMs;
  const std::vector<HourCounts> parts = view.Hours(part, start, end);
  std::vector<std::vector<HourCounts>> wholes;
  for (const WatchedSeries& one : whole) wholes.push_back(view.Hours(one, start, end));
  const auto hours = static_cast<size_t>(length / kHourMs);
  std::vector<ShareCount> out;
  for (size_t last = parts.size(); last >= hours; last -= hours) {
    ShareCount count;
    double coverage = 0;
    for (size_t i = last - hours; i < last; ++i) {
      count.part += parts[i].articles;
      for (const auto& one : wholes) count.whole += one[i].articles;
      coverage += parts[i].coverage;
    }
    if (coverage / static_cast<double>(hours) >= kHourCoverageMin) out.push_back(count);
  }
  return out;
}

// What a series is a share of: all that speak to its target, or every relevant article.
std::vector<WatchedSeries> WholeOf(const WatchedSeries& series) {
  if (series.target.empty()) return {WatchedSeries{}};
  std::vector<WatchedSeries> whole;
  for (const std::string_view position : base::kPositions)
    whole.push_back({.target = series.target, .position = std::string(position)});
  return whole;
}

void JudgeShareShift(const v1::RuleConfig& rule, const WatchedSeries& series, std::optional<base::UnixMs> open_since,
                     const SeriesView& view, Judgement* judgement) {
  const v1::ShareShiftRule& shift = rule.share_shift();
  const Span window = judgement->window;
  ShareCount now{judgement->counts.articles, 0};
  const std::vector<WatchedSeries> whole = WholeOf(series);
  for (const WatchedSeries& one : whole) now.whole += view.Count(one, window.from, window.to).articles;
  judgement->observed = now.whole == 0 ? 0 : static_cast<double>(now.part) / now.whole;
  if (now.whole < shift.observed_min()) {
    judgement->held = true;  // too few to speak of a share
    return;
  }
  const ShareScore score = ScoreShare(EarlierShares(series, whole, std::min(window.from, open_since.value_or(window.from)),
                                                    window.to - window.from, shift.baseline_weeks(), view), now);
  judgement->held |= !score.ready;
  judgement->expected = score.usual;
  judgement->score = std::abs(score.score);
  judgement->high = judgement->score >= shift.score_open() && std::abs(judgement->observed - score.usual) >= shift.shift_min();
  judgement->calm = judgement->score <= shift.score_close();
  if (judgement->counts.articles == 0) judgement->evidence = {window.from - kWeekMs, window.to};  // it has vanished
}

void JudgeChangePoint(const v1::RuleConfig& rule, const WatchedSeries& series, const SeriesView& view, Judgement* judgement) {
  const v1::ChangePointRule& change = rule.change_point();
  const base::UnixMs end = judgement->window.to, from = judgement->window.from;
  const base::UnixMs start = from - int64_t{change.baseline_weeks()} * kWeekMs;
  const std::vector<HourCounts> hours = view.Hours(series, start, end);
  const auto past = static_cast<size_t>((from - start) / kHourMs);
  const Baseline baseline({hours.begin(), hours.begin() + static_cast<long>(past)}, start);
  judgement->held |= !baseline.ready();
  std::vector<ChangeHour> recent;
  for (size_t i = past; i < hours.size(); ++i) {
    const base::UnixMs at = start + static_cast<base::UnixMs>(i) * kHourMs;
    recent.push_back({static_cast<double>(hours[i].articles), baseline.Expected(at, at + kHourMs), hours[i].coverage >= rule.coverage_min()});
  }
  const Change found = FindChange(recent, baseline.dispersion(), change.ratio());
  judgement->score = found.score;
  judgement->observed = judgement->expected = 0;
  for (size_t i = found.since; i < recent.size(); ++i) {
    if (!recent[i].covered) continue;
    judgement->observed += recent[i].observed;
    judgement->expected += recent[i].expected;
  }
  judgement->calm = found.score <= change.score_close();
  const size_t since = recent.size() - found.since;
  if (found.score < change.score_open() || since < change.hours_min() ||
      std::max(judgement->observed, judgement->expected) < change.observed_min())
    return;
  judgement->high = true;
  judgement->window.from = from + static_cast<base::UnixMs>(found.since) * kHourMs;
  judgement->evidence = judgement->window;
  if (!found.rise) judgement->evidence.from -= kWeekMs;  // little or nothing came since
  judgement->counts = view.Count(series, judgement->evidence.from, judgement->evidence.to);
}

void JudgeSilence(const v1::RuleConfig& rule, const WatchedSeries& series, std::optional<base::UnixMs> open_since,
                  const SeriesView& view, Judgement* judgement) {
  const v1::SilenceRule& silence = rule.silence();
  const Span window = judgement->window;
  judgement->calm = judgement->counts.articles > 0;
  if (judgement->calm) return;
  const base::UnixMs end = HourBefore(std::min(window.from, open_since.value_or(window.from)));
  const base::UnixMs start = end - int64_t{silence.baseline_weeks()} * kWeekMs;
  const Baseline baseline(view.Hours(series, start, end), start);
  judgement->held |= !baseline.ready();
  judgement->expected = baseline.Expected(window.from, window.to);
  judgement->score = SilenceScore(judgement->expected, baseline.Variance(window.from, window.to));
  judgement->high = judgement->score >= silence.score_open() && judgement->expected >= silence.expected_min();
  if (!judgement->high && !open_since) return;
  // Who has fallen silent, and with what.
  judgement->evidence = {window.from - kWeekMs, window.from};
  judgement->counts = view.Count(series, judgement->evidence.from, judgement->evidence.to);
}

void JudgeStanceFlip(const v1::RuleConfig& rule, const WatchedSeries& series, std::optional<base::UnixMs> open_since,
                     const SeriesView& view, Judgement* judgement) {
  const v1::StanceFlipRule& flip = rule.stance_flip();
  const Span window = judgement->window;
  const WatchedSeries favor{.target = series.target, .position = "favor"}, against{.target = series.target, .position = "against"};
  const WindowCounts for_it = view.Count(favor, window.from, window.to), not_for_it = view.Count(against, window.from, window.to);
  const ShareCount now{for_it.articles, for_it.articles + not_for_it.articles};
  judgement->observed = now.whole == 0 ? 0 : static_cast<double>(now.part) / now.whole;
  const bool favor_leads = 2 * now.part > now.whole;
  judgement->shown = favor_leads ? favor : against;
  judgement->counts = favor_leads ? for_it : not_for_it;
  if (now.whole < flip.observed_min()) {
    judgement->held = true;
    return;
  }
  const ShareScore score =
      ScoreShare(EarlierShares(favor, {favor, against}, std::min(window.from, open_since.value_or(window.from)),
                               window.to - window.from, flip.baseline_weeks(), view), now);
  judgement->held |= !score.ready;
  judgement->expected = score.usual;
  judgement->score = std::abs(score.score);
  const bool other_side = (score.usual > 0.5) != favor_leads;
  judgement->high = other_side && judgement->score >= flip.score_open() && std::abs(judgement->observed - 0.5) >= flip.lead_min() &&
                    std::abs(score.usual - 0.5) >= flip.lead_min();
  judgement->calm = !other_side;
}

}  // namespace

uint32_t RuleWindowS(const v1::RuleConfig& rule) {
  if (rule.has_burst()) return rule.burst().window_s();
  if (rule.has_share_shift()) return rule.share_shift().window_s();
  if (rule.has_change_point()) return rule.change_point().window_s();
  if (rule.has_silence()) return rule.silence().window_s();
  if (rule.has_stance_flip()) return rule.stance_flip().window_s();
  return rule.threshold().window_s();
}

bool IsHourly(const v1::RuleConfig& rule) { return rule.has_share_shift() || rule.has_change_point() || rule.has_stance_flip(); }

Judgement Judge(const v1::RuleConfig& rule, const WatchedSeries& series, base::UnixMs step_end,
                std::optional<base::UnixMs> open_since, const SeriesView& view) {
  Judgement judgement;
  judgement.window = judgement.evidence = {step_end - int64_t{RuleWindowS(rule)} * 1000, step_end};
  judgement.shown = series;
  judgement.coverage = view.Coverage(judgement.window.from, step_end);
  judgement.held = judgement.coverage < rule.coverage_min();
  if (!rule.has_change_point() && !rule.has_stance_flip()) judgement.counts = view.Count(series, judgement.window.from, step_end);
  judgement.observed = judgement.counts.articles;
  if (rule.has_threshold()) JudgeThreshold(rule, &judgement);
  if (rule.has_burst()) JudgeBurst(rule, series, open_since, view, &judgement);
  if (rule.has_share_shift()) JudgeShareShift(rule, series, open_since, view, &judgement);
  if (rule.has_change_point()) JudgeChangePoint(rule, series, view, &judgement);
  if (rule.has_silence()) JudgeSilence(rule, series, open_since, view, &judgement);
  if (rule.has_stance_flip()) JudgeStanceFlip(rule, series, open_since, view, &judgement);
  judgement.high = judgement.high && judgement.counts.publishers >= rule.publishers_min();
  return judgement;
}

}  // namespace racewatch::store
