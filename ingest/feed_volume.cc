#include "ingest/feed_volume.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <iterator>
#include <string>

namespace racewatch::ingest {
namespace {

constexpr int64_t kHourMs = 3'600'000;
constexpr int64_t kWeekHours = 168;
// FeedState.volume: hour of the first observation, hour up to which the table has been aged (both uint32, hours since
// 1970), then one byte per hour of the week in sixteenths of an entry.
constexpr size_t kTableAt = 8;
constexpr size_t kVolumeBytes = kTableAt + kWeekHours;
constexpr int kWeekWeight = 4;  // sixteenths that one entry adds: a quarter of the mean is the newest week

size_t SlotOf(int64_t hour) { return static_cast<size_t>((hour + 3 * 24) % kWeekHours); }  // 1970-01-01 was a Thursday

uint32_t Load(const std::string& bytes, size_t at) {
  uint32_t value = 0;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

void Store(uint32_t value, size_t at, std::string* bytes) { std::memcpy(bytes->data() + at, &value, sizeof value); }

bool Known(const v1::FeedState& state) { return state.volume().size() == kVolumeBytes; }

// Ages each hour that has begun since, once a week each.
void Age(int64_t hour, std::string* volume) {
  const int64_t aged = Load(*volume, 4);
  for (int64_t h = std::max(aged + 1, hour - kWeekHours + 1); h <= hour; ++h) {
    auto cell = static_cast<uint8_t>((*volume)[kTableAt + SlotOf(h)]);
    (*volume)[kTableAt + SlotOf(h)] = static_cast<char>(cell - (cell + 3) / 4);
  }
  if (hour > aged) Store(static_cast<uint32_t>(hour), 4, volume);
}

struct Spread {
  double mean = 0;
  double deviation = 0;
};

// Time between the newest news as the dates tell it; what came within ten minutes is one piece of news.
std::optional<Spread> SpreadOf(std::vector<base::UnixMs> times, base::UnixMs now_ms) {
  std::erase_if(times, [now_ms](base::UnixMs t) { return t <= 0 || t > now_ms; });
  std::sort(times.begin(), times.end(), std::greater<>());
  std::vector<double> gaps;
  base::UnixMs last = times.empty() ? 0 : times.front();
  for (const base::UnixMs time : times) {
    if (last - time < 600'000) continue;
    gaps.push_back(static_cast<double>(last - time) / 1000);
    last = time;
    if (gaps.size() == 10) break;
  }
  if (gaps.size() < 3) return std::nullopt;
  Spread spread;
  for (const double gap : gaps) spread.mean += gap / static_cast<double>(gaps.size());
  for (const double gap : gaps) spread.deviation += std::abs(gap - spread.mean) / static_cast<double>(gaps.size());
  return spread;
}

// Seconds between each piece of news in the document and the one before it, oldest first, as their dates tell it. Empty
// when a new entry has no date.
std::vector<double> GapsBefore(const FetchYield& yield, base::UnixMs now_ms) {
  std::vector<base::UnixMs> times = yield.published;
  std::erase_if(times, [now_ms](base::UnixMs t) { return t <= 0 || t > now_ms; });
  std::sort(times.begin(), times.end());
  std::vector<double> gaps;
  for (const base::UnixMs time : yield.new_times) {
    if (time <= 0 || time > now_ms) return {};
    const auto before = std::upper_bound(times.begin(), times.end(), time - 600'000);
    if (before != times.begin()) gaps.push_back(static_cast<double>(time - *std::prev(before)) / 1000);
  }
  std::reverse(gaps.begin(), gaps.end());  // feeds list the newest first
  return gaps;
}

}  // namespace

void LearnVolume(const std::vector<base::UnixMs>& new_times, base::UnixMs now_ms, v1::FeedState* state) {
  const int64_t now_hour = now_ms / kHourMs;
  if (!Known(*state)) {
    if (new_times.empty()) return;  // a row stays small until there is something to say
    std::string empty(kVolumeBytes, '\0');
    Store(static_cast<uint32_t>(now_hour), 0, &empty);
    Store(static_cast<uint32_t>(now_hour), 4, &empty);
    state->set_volume(std::move(empty));
    return;  // how much the first document holds says nothing about an hour
  }
  std::string* volume = state->mutable_volume();
  Age(now_hour, volume);
  for (const base::UnixMs time : new_times) {
    const bool usable = time > now_ms - 24 * kHourMs && time <= now_ms;
    const size_t at = kTableAt + SlotOf((usable ? time : now_ms) / kHourMs);
    (*volume)[at] = static_cast<char>(std::min(255, static_cast<uint8_t>((*volume)[at]) + kWeekWeight));
  }
}

std::optional<WeekVolume> ExpectedVolume(const v1::FeedState& state) {
  if (!Known(state)) return std::nullopt;
  const double weeks = static_cast<double>(Load(state.volume(), 4) - Load(state.volume(), 0)) / kWeekHours;
  if (weeks < 1) return std::nullopt;
  const double seen = 1 - std::pow(0.75, std::floor(weeks));  // the weight of the weeks there were
  WeekVolume out;
  for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<uint8_t>(state.volume()[kTableAt + i]) / 16.0 / seen;
  return out;
}

void LearnNewsGap(const FetchYield& yield, base::UnixMs now_ms, v1::FeedState* state) {
  if (yield.new_entries == 0) return;
  const auto& dates = state->last_new_ms() == 0 ? yield.published : yield.new_times;
  for (const base::UnixMs time : dates)
    if (time <= now_ms) state->set_last_entry_ms(std::max(state->last_entry_ms(), time));
  if (state->last_new_ms() == 0) {
    const auto spread = SpreadOf(yield.published, now_ms);
    state->set_news_gap_s(spread ? spread->mean : 0);
    state->set_news_deviation_s(spread ? spread->deviation : 0);
    return;
  }
  std::vector<double> gaps = GapsBefore(yield, now_ms);
  if (gaps.empty()) gaps.push_back(static_cast<double>(now_ms - state->last_new_ms()) / 1000);  // as we saw it
  for (const double gap : gaps) {
    if (state->news_gap_s() <= 0) {
      state->set_news_gap_s(gap);
      state->set_news_deviation_s(gap / 2);  // one sample: as in RFC 6298
      continue;
    }
    const double off = std::abs(gap - state->news_gap_s());
    state->set_news_deviation_s(0.75 * state->news_deviation_s() + 0.25 * off);
    state->set_news_gap_s(0.875 * state->news_gap_s() + 0.125 * gap);
  }
}

double ExpectedIntervalS(const v1::FeedState& state, const IntervalLimits& limits) {
  if (state.news_gap_s() <= 0) return 0;
  const auto polls = static_cast<double>(limits.fixed_s > 0 ? limits.fixed_s : limits.min_s);
  const auto hints = static_cast<double>(std::min(std::max({state.ttl_s(), state.update_period_s(), state.max_age_s()}), limits.max_s));
  return std::max({state.news_gap_s() + 3 * state.news_deviation_s(), polls, hints});
}

base::UnixMs QuietSinceMs(const v1::FeedState& state, const IntervalLimits& limits) {
  if (state.last_entry_ms() <= 0) return state.last_new_ms();
  // A feed that dates its entries days back is not silent because of that.
  const auto expected_ms = static_cast<int64_t>(1000 * ExpectedIntervalS(state, limits));
  return std::clamp(state.last_entry_ms(), state.last_new_ms() - expected_ms, state.last_new_ms());
}

double OwnTimeS(const v1::FeedState& state, base::UnixMs since_ms, base::UnixMs now_ms) {
  if (since_ms <= 0 || now_ms <= since_ms) return 0;
  const double time_s = static_cast<double>(now_ms - since_ms) / 1000;
  const auto volume = ExpectedVolume(state);
  if (!volume || now_ms - since_ms >= kWeekHours * kHourMs) return time_s;
  double week = 0, due = 0;
  for (const double entries : *volume) week += entries;
  if (week <= 0) return time_s;
  for (base::UnixMs at = since_ms; at < now_ms;) {
    const base::UnixMs end = std::min(now_ms, (at / kHourMs + 1) * kHourMs);
    due += (*volume)[SlotOf(at / kHourMs)] * static_cast<double>(end - at) / kHourMs;
    at = end;
  }
  return due / (week / kWeekHours) * 3600;
}

bool IsOverdue(const v1::FeedState& state, const IntervalLimits& limits, base::UnixMs now_ms) {
  const double expected_s = ExpectedIntervalS(state, limits);
  return expected_s > 0 && OwnTimeS(state, QuietSinceMs(state, limits), now_ms) >= 2 * expected_s;
}

void LearnPageYield(bool has_text, v1::FeedState* state) {
  const double value = has_text ? 1 : 0;
  const uint32_t n = state->pages();
  // Plain means until there are enough pages for running ones.
  const double recent = std::max(1.0 / 15, 1.0 / (n + 1)), usual = std::max(1.0 / 200, 1.0 / (n + 1));
  state->set_page_yield(state->page_yield() + recent * (value - state->page_yield()));
  state->set_page_yield_usual(state->page_yield_usual() + usual * (value - state->page_yield_usual()));
  state->set_pages(n + 1);
}

bool YieldIsLow(const v1::FeedState& state) {
  return state.pages() >= 30 && state.page_yield_usual() >= 0.3 && state.page_yield() < 0.4 * state.page_yield_usual();
}

}  // namespace racewatch::ingest
