// What a feed usually brings, and when it is overdue: entries expected in each hour of the week, the time between
// news, the share of its pages that give a text. Pure functions over v1::FeedState, so that every verdict can be
// tested and is shown per feed. Means are exponential ones: old habits are forgotten in about a month. Times are
// Unix milliseconds; hours of the week are UTC, Monday 00:00 first.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "ingest/interval.h"
#include "racewatch/v1/ingest_state.pb.h"

namespace racewatch::ingest {

// Entries per hour of the week.
using WeekVolume = std::array<double, 168>;

// After a good fetch or a push: `new_times` are the times of its new entries (0: none given).
void LearnVolume(const std::vector<base::UnixMs>& new_times, base::UnixMs now_ms, v1::FeedState* state);

// Nullopt until a week has been watched.
std::optional<WeekVolume> ExpectedVolume(const v1::FeedState& state);

// After a fetch or push with news, before `last_new_ms` moves: the running time between news. The first document,
// in which everything is new, is judged by the dates of its entries.
void LearnNewsGap(const FetchYield& yield, base::UnixMs now_ms, v1::FeedState* state);

// Seconds within which the next news is due: the usual time plus three mean deviations, never less than what the
// polls can see. 0 while unknown.
double ExpectedIntervalS(const v1::FeedState& state, const IntervalLimits& limits);

// Since when nothing has come: the date of the newest entry where the feed's dates can be believed, else the fetch that
// brought it.
base::UnixMs QuietSinceMs(const v1::FeedState& state, const IntervalLimits& limits);

// Seconds from `since_ms` on in the feed's own time: hours in which it never publishes stand still.
double OwnTimeS(const v1::FeedState& state, base::UnixMs since_ms, base::UnixMs now_ms);

// Two expected intervals have passed without news.
bool IsOverdue(const v1::FeedState& state, const IntervalLimits& limits, base::UnixMs now_ms);

// One article page of the feed was asked for; `has_text`: it gave the article.
void LearnPageYield(bool has_text, v1::FeedState* state);

// Pages that used to give texts have stopped to: the layout changed, or a wall went up.
bool YieldIsLow(const v1::FeedState& state);

}  // namespace racewatch::ingest
