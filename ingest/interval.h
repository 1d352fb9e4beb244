// When to fetch a feed next: its own rhythm first, then what it asks for, then our limits. Pure functions
// over a FeedState, so that every decision can be tested and is shown per feed (`interval_reason`).
// All times in milliseconds of the role's clock.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "racewatch/v1/ingest_state.pb.h"

namespace racewatch::ingest {

struct IntervalLimits {
  int64_t min_s = 600;
  int64_t max_s = 86'400;
  int64_t fixed_s = 0;  // the operator's interval for this feed; 0: adaptive
};

// What one good fetch (200 or 304) showed.
struct FetchYield {
  size_t entries = 0;      // in the document; 0 for a 304
  size_t new_entries = 0;  // not seen before
  std::vector<base::UnixMs> published;  // of the entries, for a first guess of the rhythm
  std::vector<base::UnixMs> new_times;  // of the new entries; 0: not dated
};

// Caching headers of the answer.
struct CacheHints {
  std::optional<int64_t> max_age_s;
  std::optional<base::UnixMs> expires_ms;
};

// Updates `interval_s` and `gap_s` of `state` after a good fetch: shorter when a fetch brings several new
// entries (most of the document: much shorter, some may have been missed), longer when it brings none, and
// never more than the mean gap between entries (twice that where every answer is a whole document).
void AdaptInterval(const FetchYield& yield, const IntervalLimits& limits, base::UnixMs now_ms, v1::FeedState* state);

// The next fetch after a good one; sets `interval_reason`. ttl, sy:*, max-age and Expires lengthen the
// interval (up to max_s), skipHours and skipDays move the time, up to a tenth is added as jitter. A feed that would be
// overdue by then (feed_volume.h) is looked at when it becomes so.
base::UnixMs NextAfterSuccess(const CacheHints& hints, const IntervalLimits& limits, base::UnixMs now_ms, v1::FeedState* state);

// The next fetch after failure number `state.failures`: min_s doubled each time, at most max_s, with jitter;
// never before `retry_after_ms`. A feed that is gone (410) is tried again after 30 days.
base::UnixMs NextAfterFailure(std::optional<base::UnixMs> retry_after_ms, const IntervalLimits& limits, base::UnixMs now_ms,
                              v1::FeedState* state);

// max-age (or s-maxage) of a Cache-Control value; nullopt without one. no-store and no-cache give none.
std::optional<int64_t> ParseMaxAge(std::string_view cache_control);

}  // namespace racewatch::ingest
