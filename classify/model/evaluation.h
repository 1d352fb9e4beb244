// Scores of decisions against labelled documents: the figures of classify/README.md. Masked fields count
// nowhere; themes, stance and lean are scored on documents that the readers found relevant, and a document
// the model calls irrelevant has none of them. `unsure` is a miss in F_avg and lean, and present in presence.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "classify/model/corpus.h"
#include "classify/model/decision.h"

namespace racewatch::classify {

struct Judged {
  const LabelledDocument* document;
  Scores scores;
  Decision decision;
};

struct F1Counts {
  double hits = 0, said = 0, is = 0;
  double F1() const { return said + is > 0 ? 2 * hits / (said + is) : 0; }
  double Precision() const { return said > 0 ? hits / said : 0; }
  double Recall() const { return is > 0 ? hits / is : 0; }
};

struct Metrics {
  F1Counts relevance;
  std::array<F1Counts, kThemeCount> themes;
  F1Counts themes_all;
  std::array<F1Counts, kTargetCount> presence;
  F1Counts presence_all;
  std::array<std::array<F1Counts, 3>, kTargetCount> stance;  // favor, against, neutral
  std::array<F1Counts, 3> lean;
  F1Counts pooled;  // themes, present targets and sides together
  uint32_t documents = 0, relevant = 0, unsure = 0;

  // Over themes with at least `positives_min` positives.
  double ThemesMacro(double positives_min = 10) const;
  // Mean F1 of favor and against, over targets with at least 5 of each; -1 if there is none.
  double StanceAverage() const;
  double TargetAverage(size_t target) const;
  double LeanMacro() const;
};

Metrics Measure(std::span<const Judged> judged);

// Expected calibration error in ten equal-count bins, less its expectation if the scores were perfectly
// calibrated (100 simulations, fixed seed); may be negative. Relevance over all documents; themes, presence
// and lean, as probabilities of the very tag, over the documents that the model calls relevant.
struct CalibrationError {
  std::string head;
  double ece, excess;
  size_t pairs;
};
std::vector<CalibrationError> MeasureCalibration(std::span<const Judged> judged);

// 95 % interval of a figure by 200 bootstrap samples of whole groups (outlets), fixed seed.
struct Interval {
  double low, high;
};
using Figure = double (*)(const Metrics&);
std::vector<Interval> Bootstrap(std::span<const Judged> judged, std::span<const uint32_t> groups,
                                std::span<const Figure> figures);

// The main figures alone, with intervals.
std::string FormatFigures(std::span<const Judged> judged, std::span<const uint32_t> groups);

// The report as text: main figures with intervals, per label, per language, error of shares, risk against
// coverage, calibration.
std::string FormatReport(std::span<const Judged> judged, std::span<const uint32_t> groups);

}  // namespace racewatch::classify
