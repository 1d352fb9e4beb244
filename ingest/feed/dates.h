// Dates as feeds and pages write them: RFC 822 with every slip of the wild, RFC 3339 and W3C-DTF,
// asctime, slashes and dots, Chinese, Japanese and Korean forms, epoch numbers, and month names in
// the languages news uses most. Pure, any thread, constant work (kDateBytesMax are read). A missing
// zone means UTC.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "ingest/feed/feed.h"

namespace racewatch::ingest::feed {

inline constexpr size_t kDateBytesMax = 128;

// Nothing when `text` is no date, or one that does not exist (31 February, year 0).
std::optional<FeedTime> ParseDate(std::string_view text);

// `time` as RFC 3339 in UTC: 2026-11-03T09:15:00Z.
std::string FormatTime(const FeedTime& time);

}  // namespace racewatch::ingest::feed
