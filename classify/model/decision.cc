#include "classify/model/decision.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace racewatch::classify {

Scope ScopeOf(std::string_view text) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return kTitleScope;
  return ScopeOfBytes(text.size());
}

Scope ScopeOfBytes(size_t bytes) { return bytes == 0 ? kTitleScope : bytes < kSummaryBytes ? kSummaryScope : kFullScope; }

double Sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

double HeadProbability(const Logits& logits, const Calibration& calibration, size_t head) {
  return Sigmoid(double{calibration.slope[head]} * logits[head] + calibration.offset[head]);
}

constexpr double kLeanSidesMax = 0.98;

Scores ToScores(const Logits& logits, const Calibration& calibration) {
  const auto p = [&](size_t head) { return HeadProbability(logits, calibration, head); };
  Scores scores;
  scores.relevance = p(kRelevanceHead);
  for (size_t i = 0; i < kThemeCount; ++i) scores.themes[i] = scores.relevance * p(kFirstThemeHead + i);
  for (size_t t = 0; t < kTargetCount; ++t) {
    const double present = scores.relevance * p(PresenceHead(t)), polar = p(PolarHead(t)), side = p(SideHead(t));
    scores.stance[t] = {present * polar * side, present * polar * (1 - side), present * (1 - polar)};
  }
  // Two separate heads may claim more than all between them; neutral keeps a remainder.
  const double us = p(kLeanUsHead), china = p(kLeanChinaHead), fit = std::min(1.0, kLeanSidesMax / (us + china + 1e-12));
  scores.lean = {us * fit, china * fit, 1 - (us + china) * fit};
  return scores;
}

namespace {

// The side of {favor, against, neutral} or {us, china, neutral}.
int PickSide(const std::array<double, 3>& p, double polar_threshold, double margin) {
  const double polar = p[0] + p[1], all = polar + p[2];
  if (polar < polar_threshold * all) return 2;
  if (std::fabs(p[0] - p[1]) < margin * polar) return kUnsure;
  return p[0] > p[1] ? 0 : 1;
}

}  // namespace

double ThemeEvidence(const Scores& scores, size_t theme) {
  return scores.relevance > 0 ? scores.themes[theme] / scores.relevance : 0;
}

double PresenceEvidence(const Scores& scores, size_t target) {
  const auto& p = scores.stance[target];
  return scores.relevance > 0 ? (p[0] + p[1] + p[2]) / std::sqrt(scores.relevance) : 0;
}

Decision Decide(const Scores& scores, const Thresholds& thresholds) {
  Decision decision;
  decision.stance.fill(kAbsent);
  decision.relevant = scores.relevance >= thresholds.relevance;
  if (!decision.relevant) return decision;
  for (size_t i = 0; i < kThemeCount; ++i) decision.themes[i] = ThemeEvidence(scores, i) >= thresholds.themes[i];
  for (size_t t = 0; t < kTargetCount; ++t)
    if (PresenceEvidence(scores, t) >= thresholds.presence[t])
      decision.stance[t] = PickSide(scores.stance[t], thresholds.polar[t], thresholds.unsure_margin);
  decision.lean = PickSide(scores.lean, thresholds.lean_polar, thresholds.unsure_margin);
  return decision;
}

namespace {

// Log loss of (a, b) with the ridges.
double PlattLoss(std::span<const Outcome> outcomes, const PlattPrior& prior, double a, double b) {
  double loss = prior.slope_ridge * (a - prior.slope) * (a - prior.slope) / 2 + prior.offset_ridge * b * b / 2;
  for (const Outcome& o : outcomes) {
    const double z = a * o.logit + b, margin = o.positive ? z : -z;
    loss += o.weight * (margin > 0 ? std::log1p(std::exp(-margin)) : std::log1p(std::exp(margin)) - margin);
  }
  return loss;
}

}  // namespace

// Newton's method with the step halved until the loss falls (Lin, Lin and Weng 2007).
std::array<float, 2> FitPlatt(std::span<const Outcome> outcomes, const PlattPrior& prior) {
  double a = prior.slope, b = 0, loss = PlattLoss(outcomes, prior, a, b);
  for (int iteration = 0; iteration < 100; ++iteration) {
    double ga = prior.slope_ridge * (a - prior.slope), gb = prior.offset_ridge * b, haa = prior.slope_ridge, hab = 0, hbb = prior.offset_ridge;
    for (const Outcome& o : outcomes) {
      const double p = Sigmoid(a * o.logit + b), error = o.weight * (p - o.positive), weight = o.weight * p * (1 - p);
      ga += error * o.logit;
      gb += error;
      haa += weight * o.logit * o.logit;
      hab += weight * o.logit;
      hbb += weight;
    }
    const double determinant = haa * hbb - hab * hab;
    const double da = (hbb * ga - hab * gb) / determinant, db = (haa * gb - hab * ga) / determinant;
    double step = 1, next = PlattLoss(outcomes, prior, a - da, b - db);
    for (; next > loss && step > 1e-6; step /= 2, next = PlattLoss(outcomes, prior, a - step * da, b - step * db)) {
    }
    if (next > loss) break;
    const bool done = loss - next < 1e-10;
    a -= step * da;
    b -= step * db;
    loss = next;
    if (done) break;
  }
  return {static_cast<float>(std::max(a, 0.05)), static_cast<float>(b)};
}

double ThresholdForF1(std::span<const Scored> scored, double prior_positives, double tolerance) {
  std::vector<Scored> sorted(scored.begin(), scored.end());
  std::stable_sort(sorted.begin(), sorted.end(), [](const Scored& x, const Scored& y) { return x.score > y.score; });
  double positives = 0;
  for (const Scored& s : sorted) positives += s.positive;
  if (positives == 0) return 0.5;
  double best = 0, threshold = 0.5, hits = 0;
  std::vector<std::pair<double, double>> cuts;  // F1 and threshold, from the highest threshold
  for (size_t i = 0; i < sorted.size(); ++i) {
    hits += sorted[i].positive;
    const double next = i + 1 < sorted.size() ? sorted[i + 1].score : 0;
    if (next == sorted[i].score) continue;
    const double f1 = 2 * hits / (static_cast<double>(i + 1) + positives);
    cuts.emplace_back(f1, (sorted[i].score + next) / 2);
    if (f1 > best) best = f1, threshold = cuts.back().second;
  }
  if (tolerance > 0)
    for (const auto& [f1, cut] : cuts)
      if (f1 >= best - tolerance) threshold = cut;
  const double trust = positives / (positives + prior_positives);
  return trust * threshold + (1 - trust) * best / 2;
}

}  // namespace racewatch::classify
