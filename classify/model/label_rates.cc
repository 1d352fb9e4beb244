#include "classify/model/label_rates.h"

#include "classify/model/evaluation.h"
#include "classify/model/label.h"
#include "classify/model/trainer.h"

namespace racewatch::classify {
namespace {

// 1 or 0; masked where readers differ. What is not relevant has no other label.
int8_t Truth(const LabelledDocument& d, const Label& label) {
  if (d.relevant == kMasked) return kMasked;
  if (d.relevant == 0) return 0;
  switch (label.kind) {
    case Label::kTheme: return d.themes[label.index];
    case Label::kStance: return d.stance[label.index] == kMasked ? kMasked : d.stance[label.index] == label.side;
    default: return d.lean == kMasked ? kMasked : d.lean == label.side;
  }
}

bool Given(const Decision& decision, const Label& label) {
  switch (label.kind) {
    case Label::kTheme: return decision.themes[label.index];
    case Label::kStance: return decision.stance[label.index] == label.side;
    default: return decision.lean == label.side;
  }
}

}  // namespace

std::vector<LabelRates> MeasureRates(std::span<const Judged> judged) {
  std::vector<LabelRates> rates;
  for (const Label& label : AllLabels()) {
    if (label.kind == Label::kRelevance) continue;
    double all[2] = {}, given[2] = {};  // by truth
    for (const Judged& j : judged) {
      const int8_t truth = Truth(*j.document, label);
      if (!j.decision.relevant || truth == kMasked) continue;
      ++all[truth];
      given[truth] += Given(j.decision, label);
    }
    if (all[0] < kRateCasesMin || all[1] < kRateCasesMin) continue;
    rates.push_back({label.name, given[1] / all[1], given[0] / all[0], (given[0] + given[1]) / (all[0] + all[1]), all[1]});
  }
  return rates;
}

}  // namespace racewatch::classify
