// From the logits of the heads to calibrated probabilities, and from those to labels. Calibration is Platt's
// (sigmoid of a x logit + b), fitted on out-of-fold real texts; thresholds are per label, for F1. Pure
// functions over plain data that the model file stores as it is.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "classify/model/heads.h"
#include "classify/model/model.h"

namespace racewatch::classify {

using Logits = std::array<float, kHeads>;

struct Calibration {
  std::array<float, kHeads> slope;
  std::array<float, kHeads> offset;
};

struct Thresholds {
  float relevance = 0.5f;
  std::array<float, kThemeCount> themes{};      // of ThemeEvidence
  std::array<float, kTargetCount> presence{};   // of PresenceEvidence
  std::array<float, kTargetCount> polar{};  // of P(takes a side | present)
  float lean_polar = 0.5f;  // of P(us) + P(china)
  float unsure_margin = 0.02f;  // sides closer than this are `unsure`
};

// How much of an article there is. Each has settings of its own: a title alone says less, and its score must mean
// the same. They are set on the real texts cut down to it, with the labels of the whole; of a summary only
// relevance is, the rest is as for full texts.
enum Scope : size_t { kTitleScope, kSummaryScope, kFullScope, kScopes };
inline constexpr size_t kSummaryBytes = 600;  // a text shorter than this is a summary

Scope ScopeOf(std::string_view text);
Scope ScopeOfBytes(size_t bytes);  // of a text with something in it, unless 0

struct ScopeSettings {
  Calibration calibration{};
  Thresholds thresholds;
  std::array<float, 2> gate_platt = {1, 0};
};

inline constexpr int kUnsure = 4;

struct Decision {
  bool relevant = false;
  std::array<bool, kThemeCount> themes{};
  std::array<int, kTargetCount> stance{};  // Position or kUnsure
  int lean = kLeanNeutral;                 // Lean or kUnsure
};

double Sigmoid(double x);

// Probability of one head after calibration.
double HeadProbability(const Logits& logits, const Calibration& calibration, size_t head);

Scores ToScores(const Logits& logits, const Calibration& calibration);

// What the thresholds of themes and of presence are compared with. A theme: its probability in a relevant text, since the
// text has been found relevant by then. A target: the same times the root of the probability of relevance, since a text
// that only just is speaks to none more often than that (chosen among the powers 0, 0.5 and 1 by cross-validation).
double ThemeEvidence(const Scores& scores, size_t theme);
double PresenceEvidence(const Scores& scores, size_t target);

Decision Decide(const Scores& scores, const Thresholds& thresholds);

// Platt scaling of one head on pairs (logit, truth), with ridges that pull a thin head towards `slope` and the
// offset 0. Returns {slope, offset}.
struct Outcome {
  float logit;
  bool positive;
  double weight = 1;
};
struct PlattPrior {
  double slope = 1;
  double slope_ridge = 8;
  double offset_ridge = 1;
};
std::array<float, 2> FitPlatt(std::span<const Outcome> outcomes, const PlattPrior& prior = {});

// The cut of `scores` that gives the best F1, or the lowest one that gives at most `tolerance` less, pulled towards half the
// best F1 (the optimum of a calibrated score; Lipton et al. 2014) the fewer positives there are: half way at `prior_positives`.
struct Scored {
  double score;
  bool positive;
};
double ThresholdForF1(std::span<const Scored> scored, double prior_positives = 30, double tolerance = 0);

}  // namespace racewatch::classify
