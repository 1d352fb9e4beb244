#include "ingest/interval.h"

#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "ingest/feed_volume.h"

namespace racewatch::ingest {
namespace {

constexpr int64_t kDayS = 86'400;
constexpr double kFirstIntervalS = 1800;

// A number in [0, 1) that is the same for the same feed and fetch: runs stay comparable.
double Jitter(const v1::FeedState& state) {
  const uint64_t hash = XXH3_64bits_withSeed(state.feed_id().data(), state.feed_id().size(), state.fetches() + state.failures());
  return static_cast<double>(hash >> 11) / 9007199254740992.0;
}

// Mean gap between the newest ten times; 0 when there are too few.
double GapOf(std::vector<base::UnixMs> times, base::UnixMs now_ms) {
  std::erase_if(times, [now_ms](base::UnixMs t) { return t <= 0 || t > now_ms; });
  std::sort(times.begin(), times.end(), std::greater<>());
  if (times.size() < 3) return 0;
  const size_t last = std::min<size_t>(times.size(), 10) - 1;
  return static_cast<double>(times.front() - times[last]) / 1000.0 / static_cast<double>(last);
}

base::UnixMs AfterSkipped(base::UnixMs time_ms, uint32_t hours, uint32_t days) {
  constexpr base::UnixMs kHourMs = 3'600'000;
  if ((hours & 0xffffffu) == 0xffffffu || (days & 0x7fu) == 0x7fu) return time_ms;  // "never" is a mistake
  for (int step = 0; step < 24 * 8; ++step) {
    const int64_t hour = time_ms / kHourMs;
    const int64_t weekday = (hour / 24 + 4) % 7;  // 1970-01-01 was a Thursday
    if (!(hours >> (hour % 24) & 1) && !(days >> weekday & 1)) return time_ms;
    time_ms = (hour + 1) * kHourMs;
  }
  return time_ms;
}

}  // namespace

void AdaptInterval(const FetchYield& yield, const IntervalLimits& limits, base::UnixMs now_ms, v1::FeedState* state) {
  double interval = state->interval_s();
  const auto k = static_cast<double>(yield.new_entries);
  if (interval <= 0) {  // the first good fetch: every entry is new and says nothing; the dates do
    const double gap = GapOf(yield.published, now_ms);
    state->set_gap_s(gap);
    interval = gap > 0 ? gap : kFirstIntervalS;
  } else if (k == 0) {
    interval *= 1.5;
  } else {
    if (state->last_new_ms() > 0) {
      const double gap = static_cast<double>(now_ms - state->last_new_ms()) / 1000.0 / k;
      state->set_gap_s(state->gap_s() > 0 ? 0.8 * state->gap_s() + 0.2 * gap : gap);
    }
    const bool most = yield.entries >= 4 && yield.new_entries * 2 > yield.entries;
    interval = most ? interval / 4 : interval / std::sqrt(std::max(1.0, k));
  }
  // Without validators each look costs the publisher a whole document: half as many of them.
  const bool validators = !state->validators_lie() && (!state->etag().empty() || !state->last_modified().empty());
  if (state->gap_s() > 0) interval = std::min(interval, (validators ? 1 : 2) * state->gap_s());
  state->set_interval_s(std::clamp(interval, static_cast<double>(limits.min_s), static_cast<double>(limits.max_s)));
}

base::UnixMs NextAfterSuccess(const CacheHints& hints, const IntervalLimits& limits, base::UnixMs now_ms, v1::FeedState* state) {
  if (limits.fixed_s > 0) {
    state->set_interval_reason("fixed");
    return now_ms + 1000 * limits.fixed_s;
  }
  int64_t wait_s = std::max(static_cast<int64_t>(state->interval_s()), limits.min_s);
  state->set_interval_reason(wait_s <= limits.min_s ? "minimum" : "adaptive");
  const auto overdue_s = static_cast<int64_t>(2 * ExpectedIntervalS(*state, limits)) + 1 - (now_ms - QuietSinceMs(*state, limits)) / 1000;
  if (state->news_gap_s() > 0 && overdue_s > 0 && overdue_s < wait_s + wait_s / 10) {
    wait_s = std::max(overdue_s, limits.min_s);
    state->set_interval_reason("overdue");
  }
  const auto at_least = [&](int64_t seconds, const char* reason) {
    seconds = std::min(seconds, limits.max_s);
    if (seconds <= wait_s) return;
    wait_s = seconds;
    state->set_interval_reason(reason);
  };
  at_least(state->ttl_s(), "ttl");
  at_least(state->update_period_s(), "sy");
  if (hints.max_age_s)
    at_least(*hints.max_age_s, "max-age");
  else if (hints.expires_ms)
    at_least((*hints.expires_ms - now_ms) / 1000, "expires");
  // The overdue one has its moment already.
  const bool exact = state->interval_reason() == "overdue";
  const auto jitter_ms = exact ? 0 : static_cast<int64_t>(Jitter(*state) * static_cast<double>(wait_s) * 100);
  const base::UnixMs next = now_ms + 1000 * wait_s + jitter_ms;
  const base::UnixMs moved = AfterSkipped(next, state->skip_hours(), state->skip_days());
  if (moved != next) state->set_interval_reason("skip");
  return moved;
}

base::UnixMs NextAfterFailure(std::optional<base::UnixMs> retry_after_ms, const IntervalLimits& limits, base::UnixMs now_ms,
                              v1::FeedState* state) {
  if (state->health() == v1::FEED_HEALTH_GONE) {
    state->set_interval_reason("gone");
    return now_ms + 30 * kDayS * 1000;
  }
  const int64_t first_s = limits.fixed_s > 0 ? limits.fixed_s : limits.min_s;
  const double doublings = std::min<double>(state->failures() > 0 ? state->failures() - 1 : 0, 20);
  const double wait_s = std::min(static_cast<double>(first_s) * std::exp2(doublings),
                                 static_cast<double>(std::max(limits.max_s, first_s)));
  state->set_interval_reason("back_off");
  base::UnixMs next = now_ms + static_cast<int64_t>(wait_s * (1000 + 250 * Jitter(*state)));
  if (retry_after_ms && *retry_after_ms > next) {
    // A month is long enough for any Retry-After; more is a mistake or a trap.
    next = std::min(*retry_after_ms, now_ms + 30 * kDayS * 1000);
    state->set_interval_reason("retry_after");
  }
  return next;
}

std::optional<int64_t> ParseMaxAge(std::string_view value) {
  for (const std::string_view name : {"s-maxage=", "max-age="}) {
    const size_t at = value.find(name);
    if (at == std::string_view::npos) continue;
    int64_t seconds = 0;
    const char* begin = value.data() + at + name.size();
    const auto [end, error] = std::from_chars(begin, value.data() + value.size(), seconds);
    if (error == std::errc() && end != begin && seconds >= 0) return seconds;
  }
  return std::nullopt;
}

}  // namespace racewatch::ingest
