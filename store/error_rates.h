// Shares corrected for the measured errors of the model (adjusted classify and count; Forman 2008): if a label reaches the
// part `true_positive` of those that have it and `false_positive` of the others, then an observed share s stands for
// (s - false_positive) / (true_positive - false_positive). The rates come from outside, with the version of the model that
// they were measured of. Immutable once made, any thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "store/series.h"
#include "store/trends.h"

namespace racewatch::store {

struct SeriesRates {
  double true_positive = 0;
  double false_positive = 0;
};

// Below this difference of the rates the label tells too little: the correction would mostly show noise.
inline constexpr double kRateDifferenceMin = 0.1;

class ErrorRates {
 public:
  explicit ErrorRates(std::string model_version) : model_version_(std::move(model_version)) {}

  // `label` as in evidence: theme:ID, stance:TARGET:POSITION, lean:LABEL. False: it is no series, or its rates are too close.
  bool Add(std::string_view label, SeriesRates rates);

  const std::string& model_version() const { return model_version_; }
  // Of a series over all languages and publishers; others were not measured.
  std::optional<SeriesRates> Of(SeriesSlice which) const;

 private:
  const std::string model_version_;
  std::map<SeriesId, SeriesRates> rates_;
};

// Share and interval, each corrected and then kept within 0 and 1. The interval is that of the counts alone; the rates have
// one of their own, which is not in it.
Share AdjustShare(const Share& share, const SeriesRates& rates);

}  // namespace racewatch::store
