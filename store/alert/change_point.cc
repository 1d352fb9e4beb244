#include "store/alert/change_point.h"

#include <algorithm>
#include <cmath>

namespace racewatch::store {
namespace {

// One hour may speak this loudly and no louder: a single peak is a burst, not a new level.
constexpr double kHourLogRatioMax = 3;

double LogRatio(const ChangeHour& hour, double dispersion, double ratio) {
  const double size = 1 / std::max(dispersion, 1e-6);
  const double value = hour.observed * std::log(ratio) -
                       (hour.observed + size) * std::log((ratio * hour.expected + size) / (hour.expected + size));
  return std::clamp(value, -kHourLogRatioMax, kHourLogRatioMax);
}

struct Sum {
  double score = 0;
  size_t since = 0;
};

Sum Run(const std::vector<ChangeHour>& hours, double dispersion, double ratio) {
  Sum sum;
  for (size_t i = 0; i < hours.size(); ++i) {
    if (hours[i].covered) sum.score += LogRatio(hours[i], dispersion, ratio);
    if (sum.score <= 0) sum = {0, i + 1};
  }
  return sum;
}

}  // namespace

Change FindChange(const std::vector<ChangeHour>& hours, double dispersion, double ratio) {
  const Sum up = Run(hours, dispersion, ratio), down = Run(hours, dispersion, 1 / ratio);
  return up.score >= down.score ? Change{up.score, up.since, true} : Change{down.score, down.since, false};
}

}  // namespace racewatch::store
