#include "store/error_rates.h"

#include <algorithm>
#include <array>

#include "racewatch/v1/store_service.pb.h"

namespace racewatch::store {
namespace {

// "theme:markets" → {"theme", "markets", ""}.
std::array<std::string_view, 3> Parts(std::string_view label) {
  std::array<std::string_view, 3> parts;
  for (std::string_view& part : parts) {
    const size_t colon = &part == &parts.back() ? std::string_view::npos : label.find(':');
    part = label.substr(0, colon);
    label.remove_prefix(colon == std::string_view::npos ? label.size() : colon + 1);
  }
  return parts;
}

}  // namespace

bool ErrorRates::Add(std::string_view label, SeriesRates rates) {
  const auto [kind, name, position] = Parts(label);
  if (kind != "stance" && !position.empty()) return false;
  v1::SeriesKey key;
  if (kind == "theme") {
    key.set_theme(std::string(name));
  } else if (kind == "stance") {
    key.set_target(std::string(name));
    key.set_position(std::string(position));
  } else if (kind == "lean") {
    key.set_lean(std::string(name));
  }
  const auto which = ParseSeriesKey(key);
  if (!which.ok() || which->series == kRelevantSeries || !(rates.true_positive - rates.false_positive >= kRateDifferenceMin)) return false;
  rates_[which->series] = rates;
  return true;
}

std::optional<SeriesRates> ErrorRates::Of(SeriesSlice which) const {
  const auto at = which.slice == kAllSlice ? rates_.find(which.series) : rates_.end();
  return at == rates_.end() ? std::nullopt : std::optional(at->second);
}

Share AdjustShare(const Share& share, const SeriesRates& rates) {
  const auto adjust = [&rates](double value) {
    return std::clamp((value - rates.false_positive) / (rates.true_positive - rates.false_positive), 0.0, 1.0);
  };
  return {adjust(share.value), adjust(share.low), adjust(share.high)};
}

}  // namespace racewatch::store
