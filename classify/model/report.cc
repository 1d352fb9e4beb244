#include <algorithm>
#include <cmath>
#include <cstdio>

#include "classify/model/evaluation.h"

namespace racewatch::classify {
namespace {

const std::array<std::pair<const char*, Figure>, 7> kFigures = {{
    {"relevance F1", [](const Metrics& m) { return m.relevance.F1(); }},
    {"themes macro-F1", [](const Metrics& m) { return m.ThemesMacro(); }},
    {"themes micro-F1", [](const Metrics& m) { return m.themes_all.F1(); }},
    {"presence F1 (pooled)", [](const Metrics& m) { return m.presence_all.F1(); }},
    {"stance F_avg", [](const Metrics& m) { return m.StanceAverage(); }},
    {"lean macro-F1", [](const Metrics& m) { return m.LeanMacro(); }},
    {"pooled F1", [](const Metrics& m) { return m.pooled.F1(); }},
}};

void Append(std::string* out, const char* format, auto... values) {
  char line[256];
  std::snprintf(line, sizeof line, format, values...);
  *out += line;
}

void FormatLabels(const Metrics& m, std::string* out) {
  Append(out, "\n%-28s %9s %9s %6s %6s\n", "label", "precision", "recall", "F1", "cases");
  const auto line = [&](const std::string& name, const F1Counts& c) {
    Append(out, "%-28s %9.2f %9.2f %6.2f %6.0f\n", name.c_str(), c.Precision(), c.Recall(), c.F1(), c.is);
  };
  line("relevance", m.relevance);
  for (size_t i = 0; i < kThemeCount; ++i) line(std::string(base::kThemes[i]), m.themes[i]);
  for (size_t t = 0; t < kTargetCount; ++t) {
    line(std::string(base::kTargets[t]), m.presence[t]);
    for (size_t c = 0; c < 3; ++c) line("  " + std::string(base::kPositions[c]), m.stance[t][c]);
  }
  for (size_t c = 0; c < 3; ++c) line("lean " + std::string(base::kLeans[c]), m.lean[c]);
}

// Relevance against other news alone, as a stream mostly is: texts that are nearly relevant left out.
double MixedNewsF1(std::span<const Judged> judged) {
  F1Counts counts;
  for (const Judged& j : judged) {
    if (j.document->near_miss || j.document->relevant == kMasked) continue;
    counts.said += j.decision.relevant;
    counts.is += j.document->relevant == 1;
    counts.hits += j.decision.relevant && j.document->relevant == 1;
  }
  return counts.F1();
}

// How far the share of a label among the relevant texts is from its true share, mean and largest over `labels`.
void AppendPrevalence(const char* name, std::span<const F1Counts* const> labels, std::string* out) {
  double sum = 0, largest = 0, said = 0, is = 0;
  for (const F1Counts* c : labels) said += c->said, is += c->is;
  for (const F1Counts* c : labels) {
    const double error = std::fabs(c->said / std::max(1.0, said) - c->is / std::max(1.0, is));
    sum += error;
    largest = std::max(largest, error);
  }
  Append(out, "%-12s %7.3f %7.3f\n", name, sum / static_cast<double>(labels.size()), largest);
}

void FormatPrevalence(const Metrics& m, std::string* out) {
  Append(out, "\n%-12s %7s %7s\n", "share error", "mean", "largest");
  std::vector<const F1Counts*> themes, positions, leans;
  for (const F1Counts& c : m.themes) themes.push_back(&c);
  for (const auto& target : m.stance)
    for (const F1Counts& c : target) positions.push_back(&c);
  for (const F1Counts& c : m.lean) leans.push_back(&c);
  AppendPrevalence("themes", themes, out);
  AppendPrevalence("positions", positions, out);
  AppendPrevalence("lean", leans, out);
}

struct Answer {
  double confidence;
  bool right;
};

// Share of right answers among the most confident part of them.
void AppendRiskCoverage(const char* name, std::vector<Answer> answers, std::string* out) {
  std::stable_sort(answers.begin(), answers.end(), [](const Answer& a, const Answer& b) { return a.confidence > b.confidence; });
  Append(out, "%-12s %7zu", name, answers.size());
  for (const double coverage : {1.0, 0.8, 0.5, 0.2}) {
    const auto count = static_cast<size_t>(std::ceil(coverage * static_cast<double>(answers.size())));
    double right = 0;
    for (size_t i = 0; i < count; ++i) right += answers[i].right;
    Append(out, " %7.2f", count ? right / static_cast<double>(count) : 0.0);
  }
  *out += "\n";
}

void FormatRiskCoverage(std::span<const Judged> judged, std::string* out) {
  std::vector<Answer> positions, leans;
  const auto largest = [](const std::array<double, 3>& p) { return std::max({p[0], p[1], p[2]}) / (p[0] + p[1] + p[2] + 1e-12); };
  for (const Judged& j : judged) {
    if (!j.decision.relevant || !j.document->labelled) continue;
    for (size_t t = 0; t < kTargetCount; ++t)
      if (const int8_t truth = j.document->stance[t]; truth != kMasked && truth != kAbsent && j.decision.stance[t] != kAbsent)
        positions.push_back({largest(j.scores.stance[t]), j.decision.stance[t] == truth});
    if (j.document->lean != kMasked) leans.push_back({largest(j.scores.lean), j.decision.lean == j.document->lean});
  }
  Append(out, "\n%-12s %7s %7s %7s %7s %7s   share right among the most confident\n", "coverage", "answers", "100 %", "80 %", "50 %", "20 %");
  AppendRiskCoverage("positions", std::move(positions), out);
  AppendRiskCoverage("lean", std::move(leans), out);
}

void FormatLanguages(std::span<const Judged> judged, std::string* out) {
  Append(out, "\n%-12s %6s %7s %7s %7s %8s %6s %7s\n", "language", "docs", "relev.", "macro", "micro", "presence", "F_avg", "pooled");
  for (const char* language : {"en", "zh", ""}) {
    std::vector<Judged> part;
    for (const Judged& j : judged) {
      const std::string& l = j.document->language;
      if (*language ? l == language : l != "en" && l != "zh") part.push_back(j);
    }
    const Metrics m = Measure(part);
    Append(out, "%-12s %6zu %7.3f %7.3f %7.3f %8.3f %6.2f %7.3f\n", *language ? language : "others", part.size(),
           m.relevance.F1(), m.ThemesMacro(5), m.themes_all.F1(), m.presence_all.F1(), m.StanceAverage(), m.pooled.F1());
  }
}

}  // namespace

std::string FormatFigures(std::span<const Judged> judged, std::span<const uint32_t> groups) {
  const Metrics metrics = Measure(judged);
  std::vector<Figure> figures;
  for (const auto& [name, figure] : kFigures) figures.push_back(figure);
  const std::vector<Interval> intervals = Bootstrap(judged, groups, figures);
  std::string out;
  Append(&out, "%u documents, %u relevant, %u unsure answers\n\n%-24s %6s  95 %% interval\n", metrics.documents,
         metrics.relevant, metrics.unsure, "figure", "value");
  for (size_t f = 0; f < figures.size(); ++f)
    Append(&out, "%-24s %6.3f  %.3f to %.3f\n", kFigures[f].first, figures[f](metrics), intervals[f].low, intervals[f].high);
  Append(&out, "%-24s %6.3f\n", "relevance, no near miss", MixedNewsF1(judged));
  return out;
}

std::string FormatReport(std::span<const Judged> judged, std::span<const uint32_t> groups) {
  const Metrics metrics = Measure(judged);
  std::string out = FormatFigures(judged, groups);
  for (size_t t = 0; t < kTargetCount; ++t)
    Append(&out, "F_avg %-20.20s %4.2f\n", base::kTargets[t].data(), metrics.TargetAverage(t));
  FormatLabels(metrics, &out);
  FormatLanguages(judged, &out);
  FormatPrevalence(metrics, &out);
  FormatRiskCoverage(judged, &out);
  Append(&out, "\n%-12s %7s %7s %7s\n", "calibration", "ECE", "excess", "pairs");
  for (const CalibrationError& e : MeasureCalibration(judged))
    Append(&out, "%-12s %7.3f %7.3f %7zu\n", e.head.c_str(), e.ece, e.excess, e.pairs);
  return out;
}

}  // namespace racewatch::classify
