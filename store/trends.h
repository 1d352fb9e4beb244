// Reads counts back as trends: points of a series over windows with share, its 95 % interval and coverage,
// trailing windows, and the state of the sources. Everything is read from one View, so that an answer, the
// metrics and the page agree to the integer. Stateless; any thread; times in Unix milliseconds.
#pragma once

#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "store/counts.h"
#include "store/engine.h"

namespace racewatch::store {

struct Share {
  double value = 0;
  double low = 0;
  double high = 0;
};
// Wilson score interval at 95 % (Wilson 1927). All zero when `of` is zero.
Share WilsonShare(uint64_t part, uint64_t of);

struct Coverage {
  uint32_t seen = 0;      // publishers with at least one article in the window
  uint32_t expected = 0;  // see ReadCoverage
  // seen / expected, at most 1. Nothing expected: 1, but 0 before the store's first data.
  double ratio = 0;
};

// Coverage of each hour or day of [from, to), window numbers as in counts.h. A source is a publisher family.
// Expected is what three of four comparable windows reached: the lower quartile of the same hour of day ± 1 on
// the 7 days before (of the 7 days before, for days). With fewer than 3 such windows since the first data,
// what was seen is what was expected. The window that holds `now` expects only its elapsed part.
base::Result<std::vector<Coverage>> ReadCoverage(const View& view, WindowKind kind, Slice slice, uint32_t from,
                                                 uint32_t to, base::UnixMs now);

struct Point {
  uint32_t window = 0;
  uint32_t articles = 0;
  uint32_t stories = 0;
  uint32_t publishers = 0;
  uint32_t of = 0;  // the relevant articles in the same slice; for a saved query: all articles
  Share share;
  double coverage = 0;
};

// Points of several series of one slice over [from, to), in order; every window, zeros included.
base::Result<std::vector<std::vector<Point>>> ReadPoints(const View& view, WindowKind kind, Slice slice,
                                                         const std::vector<SeriesId>& series, uint32_t from,
                                                         uint32_t to, base::UnixMs now);

// One window row; empty when nothing was counted.
base::Result<WindowRow> ReadRow(const View& view, WindowKind kind, Slice slice, uint32_t window);

enum class Trailing : uint8_t { kHour, kDay, kWeek };

// Articles of every series in the window that ends at `now`: for 1 h the six ten-minute slots up to now (live
// lane), for 24 h and 7 d the 24 and 168 hour windows up to the current one. Indexed by SeriesId.
base::Result<std::vector<uint64_t>> ReadTrailing(const View& view, Trailing window, base::UnixMs now);

}  // namespace racewatch::store
