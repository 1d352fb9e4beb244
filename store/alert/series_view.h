// What the alert engine may ask about the counts: implemented by the store over its windows, and by the
// tests over plain vectors. All numbers are of the live lane, by event time, revisions applied; times are
// multiples of kSlotMs (hours where it says so). Called from the thread that calls AlertEngine::Step only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"

namespace racewatch::v1 {
class AlertEvidence;
}

namespace racewatch::store {

inline constexpr int64_t kSlotMs = 10 * 60 * 1000;
inline constexpr int64_t kHourMs = 6 * kSlotMs;

// One watched series: a theme, a target with a position, a lean or a saved query; all empty: every relevant article. Unused
// fields are empty.
struct WatchedSeries {
  std::string theme;
  std::string target;
  std::string position;
  std::string lean;
  std::string query;
  friend bool operator==(const WatchedSeries&, const WatchedSeries&) = default;
};

// `theme=chips_compute`, `target=export_controls,position=favor`, `lean=china`, `query=huawei`: Alert.key.
std::string SeriesKeyText(const WatchedSeries& series);

struct WindowCounts {
  uint32_t articles = 0;
  uint32_t stories = 0;
  uint32_t publishers = 0;  // distinct publisher families
};

struct HourCounts {
  uint32_t articles = 0;
  uint32_t stories = 0;
  double coverage = 0;  // seen / expected sources in this hour, 0 to 1; 0 before the store's first data
};

class SeriesView {
 public:
  virtual ~SeriesView() = default;

  // Distinct stories and publisher families over the whole of [from, to), not summed over slots.
  virtual WindowCounts Count(const WatchedSeries& series, base::UnixMs from, base::UnixMs to) const = 0;

  // One element per hour of [from, to), zeros included; from and to are whole hours. A burst asks only for series whose
  // window reached the rule's minimum or whose alert is open: up to baseline_weeks × 168 hours.
  virtual std::vector<HourCounts> Hours(const WatchedSeries& series, base::UnixMs from, base::UnixMs to) const = 0;

  // Seen / expected sources over [from, to), 0 to 1. 1 where nothing is expected yet but something came.
  virtual double Coverage(base::UnixMs from, base::UnixMs to) const = 0;

  // At most `limit` articles of the series in [from, to): newest first, at most one per story while stories
  // last, every field filled. At least one whenever Count(...).articles > 0.
  virtual std::vector<v1::AlertEvidence> Evidence(const WatchedSeries& series, base::UnixMs from, base::UnixMs to,
                                                  size_t limit) const = 0;

  virtual std::string ModelVersion() const = 0;
};

}  // namespace racewatch::store
