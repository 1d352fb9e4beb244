// Event time: which of the times that feed, page and address claim an article counts under (design: event
// time). Pure functions. A claim in the future is replaced by the first fetch and kept as the original;
// without any claim the time is unknown, never "now".
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "racewatch/v1/article.pb.h"

namespace racewatch::ingest {

struct TimeClaim {
  base::UnixMs time_ms = 0;
  v1::DatePrecision precision = v1::DATE_PRECISION_SECOND;
};

struct EventTime {
  std::optional<base::UnixMs> time_ms;  // nullopt: unknown
  v1::DateSource source = v1::DATE_SOURCE_NONE;
  v1::DatePrecision precision = v1::DATE_PRECISION_UNSPECIFIED;
  std::optional<base::UnixMs> original_ms;  // the claim, when it was not used as it stood
};

// What the sources say, best first. Claims before 1990 are placeholders (epoch 0 and the like): not used.
struct TimeClaims {
  std::optional<TimeClaim> feed;
  std::optional<TimeClaim> page;
  std::optional<TimeClaim> url;
};

// The first usable of feed, page, url. Later than `first_fetched_ms` + 10 minutes: the fetch stands in.
EventTime DecideEventTime(const TimeClaims& claims, base::UnixMs first_fetched_ms);

// A day in a path: /2026/03/14/, /2026-03-14-, /20260314/. Day precision, UTC.
std::optional<TimeClaim> DateInUrl(std::string_view url);

// "2026-03-14T09:26:53Z".
std::string Rfc3339(base::UnixMs time_ms);

// An HTTP date (RFC 9110 §5.6.7) or delay in seconds, as an absolute time; nullopt when it is neither.
std::optional<base::UnixMs> ParseRetryAfter(std::string_view value, base::UnixMs now_ms);
std::optional<base::UnixMs> ParseHttpDate(std::string_view value);

}  // namespace racewatch::ingest
