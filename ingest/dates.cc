#include "ingest/dates.h"

#include <curl/curl.h>

#include <array>
#include <cctype>
#include <chrono>
#include <cstdio>

namespace racewatch::ingest {
namespace {

constexpr base::UnixMs kEarliestMs = 631'152'000'000;  // 1990-01-01
constexpr int64_t kFutureToleranceMs = 600'000;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

std::optional<int> Digits(std::string_view text, size_t at, size_t count) {
  if (at + count > text.size()) return std::nullopt;
  int value = 0;
  for (size_t i = at; i < at + count; ++i) {
    if (!IsDigit(text[i])) return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

std::optional<TimeClaim> MakeDay(int year, int month, int day) {
  using namespace std::chrono;
  const year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                            std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok() || year < 1995 || year > 2100) return std::nullopt;
  return TimeClaim{duration_cast<milliseconds>(sys_days(date).time_since_epoch()).count(), v1::DATE_PRECISION_DAY};
}

}  // namespace

EventTime DecideEventTime(const TimeClaims& claims, base::UnixMs first_fetched_ms) {
  const std::array<std::pair<const std::optional<TimeClaim>*, v1::DateSource>, 3> in_order = {
      {{&claims.feed, v1::DATE_SOURCE_FEED}, {&claims.page, v1::DATE_SOURCE_PAGE}, {&claims.url, v1::DATE_SOURCE_URL}}};
  EventTime out;
  for (const auto& [claim, source] : in_order) {
    if (!claim->has_value()) continue;
    const TimeClaim& c = **claim;
    if (c.time_ms < kEarliestMs) {
      if (!out.original_ms) out.original_ms = c.time_ms;
      continue;
    }
    if (c.time_ms > first_fetched_ms + kFutureToleranceMs) {
      out.time_ms = first_fetched_ms;
      out.source = v1::DATE_SOURCE_FETCH;
      out.precision = v1::DATE_PRECISION_SECOND;
      out.original_ms = c.time_ms;
      return out;
    }
    out.time_ms = c.time_ms;
    out.source = source;
    out.precision = c.precision;
    return out;
  }
  return out;
}

std::optional<TimeClaim> DateInUrl(std::string_view url) {
  const size_t scheme = url.find("://");
  size_t at = scheme == std::string_view::npos ? 0 : scheme + 3;
  at = url.find('/', at);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view path = url.substr(at, url.find_first_of("?#", at) - at);
  for (size_t i = 0; i + 1 < path.size(); ++i) {
    if (IsDigit(path[i]) || !IsDigit(path[i + 1])) continue;
    const auto year = Digits(path, i + 1, 4);
    if (!year) continue;
    const char separator = i + 5 < path.size() ? path[i + 5] : '\0';
    const bool separated = separator == '/' || separator == '-' || separator == '_';
    const size_t month_at = separated ? i + 6 : i + 5;
    const auto month = Digits(path, month_at, 2);
    if (!month || (separated && (month_at + 2 >= path.size() || path[month_at + 2] != separator))) continue;
    const size_t day_at = separated ? month_at + 3 : month_at + 2;
    const auto day = Digits(path, day_at, 2);
    if (!day || (day_at + 2 < path.size() && IsDigit(path[day_at + 2]))) continue;
    if (auto claim = MakeDay(*year, *month, *day)) return claim;
  }
  return std::nullopt;
}

std::string Rfc3339(base::UnixMs time_ms) {
  using namespace std::chrono;
  const auto seconds = floor<std::chrono::seconds>(milliseconds(time_ms));
  const auto days = floor<std::chrono::days>(seconds);
  const year_month_day date{sys_days(days)};
  const hh_mm_ss<std::chrono::seconds> clock{seconds - days};
  char out[40];
  std::snprintf(out, sizeof out, "%04d-%02u-%02uT%02d:%02d:%02dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  return out;
}

std::optional<base::UnixMs> ParseHttpDate(std::string_view value) {
  const time_t time = curl_getdate(std::string(value).c_str(), nullptr);
  if (time == -1) return std::nullopt;
  return static_cast<base::UnixMs>(time) * 1000;
}

std::optional<base::UnixMs> ParseRetryAfter(std::string_view value, base::UnixMs now_ms) {
  if (value.empty()) return std::nullopt;
  bool digits = true;
  for (const char c : value) digits = digits && IsDigit(c);
  if (!digits) return ParseHttpDate(value);
  if (value.size() > 9) value = "999999999";
  return now_ms + 1000 * static_cast<int64_t>(std::stol(std::string(value)));
}

}  // namespace racewatch::ingest
