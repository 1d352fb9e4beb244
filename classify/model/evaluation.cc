#include "classify/model/evaluation.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "classify/model/hash.h"

namespace racewatch::classify {
namespace {

void Count(F1Counts& counts, bool said, bool is) {
  counts.said += said;
  counts.is += is;
  counts.hits += said && is;
}

void CountStance(const Judged& j, Metrics* m) {
  for (size_t t = 0; t < kTargetCount; ++t) {
    const int8_t truth = j.document->stance[t];
    if (truth == kMasked) continue;
    const int said = j.decision.stance[t];
    Count(m->presence[t], said != kAbsent, truth != kAbsent);
    Count(m->presence_all, said != kAbsent, truth != kAbsent);
    for (int c = 0; c < 3; ++c) Count(m->stance[t][c], said == c, truth == c);
    Count(m->pooled, said != kAbsent, truth != kAbsent);
    m->unsure += said == kUnsure;
  }
}

void CountOne(const Judged& j, Metrics* m) {
  const LabelledDocument& d = *j.document;
  ++m->documents;
  if (d.relevant != kMasked) Count(m->relevance, j.decision.relevant, d.relevant == 1);
  if (!d.labelled || d.relevant == kMasked) return;
  ++m->relevant;
  for (size_t i = 0; i < kThemeCount; ++i) {
    if (d.themes[i] == kMasked) continue;
    Count(m->themes[i], j.decision.themes[i], d.themes[i] == 1);
    Count(m->themes_all, j.decision.themes[i], d.themes[i] == 1);
    Count(m->pooled, j.decision.themes[i], d.themes[i] == 1);
  }
  CountStance(j, m);
  if (d.lean == kMasked) return;
  const int lean = j.decision.relevant ? j.decision.lean : -1;
  for (int c = 0; c < 3; ++c) Count(m->lean[c], lean == c, d.lean == c);
  m->unsure += lean == kUnsure;
}

struct Pair {
  double p;
  bool is;
};

double Ece(std::vector<Pair>& pairs) {
  const size_t bins = 10, n = pairs.size();
  double error = 0;
  for (size_t b = 0; b < bins; ++b) {
    double p = 0, is = 0;
    for (size_t i = b * n / bins; i < (b + 1) * n / bins; ++i) p += pairs[i].p, is += pairs[i].is;
    error += std::fabs(p - is);
  }
  return n ? error / static_cast<double>(n) : 0;
}

double Uniform(uint64_t* state) {
  *state += 0x9e3779b97f4a7c15ULL;
  return static_cast<double>(Mix(*state) >> 11) * 0x1p-53;
}

CalibrationError MeasureHead(std::string head, std::vector<Pair> pairs) {
  std::stable_sort(pairs.begin(), pairs.end(), [](const Pair& a, const Pair& b) { return a.p < b.p; });
  const double ece = Ece(pairs);
  uint64_t state = 17;
  double expected = 0;
  constexpr int kSimulations = 100;
  for (int s = 0; s < kSimulations; ++s) {
    for (Pair& pair : pairs) pair.is = Uniform(&state) < pair.p;
    expected += Ece(pairs) / kSimulations;
  }
  return {std::move(head), ece, ece - expected, pairs.size()};
}

}  // namespace

double Metrics::ThemesMacro(double positives_min) const {
  double sum = 0, count = 0;
  for (const F1Counts& theme : themes)
    if (theme.is >= positives_min) sum += theme.F1(), ++count;
  return count > 0 ? sum / count : 0;
}

double Metrics::TargetAverage(size_t target) const {
  return (stance[target][kFavor].F1() + stance[target][kAgainst].F1()) / 2;
}

double Metrics::StanceAverage() const {
  double sum = 0, count = 0;
  for (size_t t = 0; t < kTargetCount; ++t)
    if (stance[t][kFavor].is >= 5 && stance[t][kAgainst].is >= 5) sum += TargetAverage(t), ++count;
  return count > 0 ? sum / count : -1;
}

double Metrics::LeanMacro() const { return (lean[0].F1() + lean[1].F1() + lean[2].F1()) / 3; }

Metrics Measure(std::span<const Judged> judged) {
  Metrics metrics;
  for (const Judged& j : judged) CountOne(j, &metrics);
  return metrics;
}

std::vector<CalibrationError> MeasureCalibration(std::span<const Judged> judged) {
  std::vector<Pair> relevance, themes, presence, lean;
  for (const Judged& j : judged) {
    const LabelledDocument& d = *j.document;
    if (d.relevant == kMasked) continue;
    relevance.push_back({j.scores.relevance, d.relevant == 1});
    if (!j.decision.relevant) continue;
    for (size_t i = 0; i < kThemeCount; ++i)
      if (d.themes[i] != kMasked) themes.push_back({j.scores.themes[i], d.themes[i] == 1});
    for (size_t t = 0; t < kTargetCount; ++t)
      if (const auto& p = j.scores.stance[t]; d.stance[t] != kMasked)
        presence.push_back({p[0] + p[1] + p[2], d.stance[t] != kAbsent});
    for (int8_t c = 0; c < 3; ++c)
      if (d.lean != kMasked || d.relevant == 0)
        lean.push_back({j.scores.relevance * j.scores.lean[static_cast<size_t>(c)], d.lean == c});
  }
  return {MeasureHead("relevance", std::move(relevance)), MeasureHead("themes", std::move(themes)),
          MeasureHead("presence", std::move(presence)), MeasureHead("lean", std::move(lean))};
}

std::vector<Interval> Bootstrap(std::span<const Judged> judged, std::span<const uint32_t> groups,
                                std::span<const Figure> figures) {
  std::map<uint32_t, std::vector<size_t>> members;
  for (size_t i = 0; i < judged.size(); ++i) members[groups[i]].push_back(i);
  std::vector<const std::vector<size_t>*> units;
  for (const auto& [group, list] : members) units.push_back(&list);
  uint64_t state = 23;
  constexpr size_t kSamples = 200;
  std::vector<std::vector<double>> values(figures.size());
  for (size_t s = 0; s < kSamples && !units.empty(); ++s) {
    std::vector<Judged> sample;
    for (size_t u = 0; u < units.size(); ++u)
      for (const size_t i : *units[static_cast<size_t>(Uniform(&state) * static_cast<double>(units.size()))])
        sample.push_back(judged[i]);
    const Metrics metrics = Measure(sample);
    for (size_t f = 0; f < figures.size(); ++f) values[f].push_back(figures[f](metrics));
  }
  std::vector<Interval> intervals;
  for (auto& v : values) {
    std::sort(v.begin(), v.end());
    intervals.push_back(v.empty() ? Interval{0, 0} : Interval{v[v.size() / 40], v[v.size() - 1 - v.size() / 40]});
  }
  return intervals;
}

}  // namespace racewatch::classify
