#include "ingest/dates.h"

#include <gtest/gtest.h>

namespace racewatch::ingest {
namespace {

constexpr base::UnixMs kNow = 1'767'571'200'000;  // 2026-01-05T00:00:00Z
constexpr int64_t kMinute = 60'000;

TEST(EventTimeTest, TheFeedComesBeforePageAndUrl) {
  TimeClaims claims;
  claims.feed = TimeClaim{kNow - kMinute, v1::DATE_PRECISION_MINUTE};
  claims.page = TimeClaim{kNow - 2 * kMinute};
  claims.url = TimeClaim{kNow - 3 * kMinute, v1::DATE_PRECISION_DAY};
  EventTime time = DecideEventTime(claims, kNow);
  EXPECT_EQ(time.time_ms, kNow - kMinute);
  EXPECT_EQ(time.source, v1::DATE_SOURCE_FEED);
  EXPECT_EQ(time.precision, v1::DATE_PRECISION_MINUTE);
  EXPECT_FALSE(time.original_ms);
  claims.feed.reset();
  EXPECT_EQ(DecideEventTime(claims, kNow).source, v1::DATE_SOURCE_PAGE);
  claims.page.reset();
  time = DecideEventTime(claims, kNow);
  EXPECT_EQ(time.source, v1::DATE_SOURCE_URL);
  EXPECT_EQ(time.precision, v1::DATE_PRECISION_DAY);
}

TEST(EventTimeTest, ATimeInTheFutureBecomesTheFirstFetchAndIsKept) {
  TimeClaims claims;
  claims.feed = TimeClaim{kNow + 10 * kMinute};
  EXPECT_EQ(DecideEventTime(claims, kNow).source, v1::DATE_SOURCE_FEED);  // within the tolerance
  claims.feed = TimeClaim{kNow + 10 * kMinute + 1};
  const EventTime time = DecideEventTime(claims, kNow);
  EXPECT_EQ(time.time_ms, kNow);
  EXPECT_EQ(time.source, v1::DATE_SOURCE_FETCH);
  EXPECT_EQ(time.original_ms, kNow + 10 * kMinute + 1);
}

TEST(EventTimeTest, WithoutAnyClaimTheTimeIsUnknown) {
  const EventTime time = DecideEventTime({}, kNow);
  EXPECT_FALSE(time.time_ms);
  EXPECT_EQ(time.source, v1::DATE_SOURCE_NONE);
}

TEST(EventTimeTest, TheEpochIsAPlaceholder) {
  TimeClaims claims;
  claims.feed = TimeClaim{0};
  EventTime time = DecideEventTime(claims, kNow);
  EXPECT_FALSE(time.time_ms);
  EXPECT_EQ(time.original_ms, 0);
  claims.page = TimeClaim{kNow};
  time = DecideEventTime(claims, kNow);
  EXPECT_EQ(time.source, v1::DATE_SOURCE_PAGE);
}

TEST(DateInUrlTest, FindsADayInThePath) {
  const auto ms = [](std::string_view url) { return DateInUrl(url) ? Rfc3339(DateInUrl(url)->time_ms) : "none"; };
  EXPECT_EQ(ms("https://a.example/2026/01/05/story"), "2026-01-05T00:00:00Z");
  EXPECT_EQ(ms("https://a.example/news/2026-01-05-story"), "2026-01-05T00:00:00Z");
  EXPECT_EQ(ms("https://a.example/c/20260105/1.html"), "2026-01-05T00:00:00Z");
  EXPECT_EQ(ms("https://a.example/2026/13/05/"), "none");
  EXPECT_EQ(ms("https://a.example/2026/02/30/"), "none");
  EXPECT_EQ(ms("https://a.example/story-202601051234567"), "none");
  EXPECT_EQ(ms("https://a.example/?d=2026/01/05"), "none");
  EXPECT_EQ(ms("https://2026/01/05"), "none");
}

TEST(HttpTimeTest, ReadsRetryAfterAsDelayOrDate) {
  EXPECT_EQ(ParseRetryAfter("120", kNow), kNow + 120'000);
  EXPECT_EQ(ParseRetryAfter("Mon, 05 Jan 2026 00:00:30 GMT", kNow), kNow + 30'000);
  EXPECT_EQ(ParseRetryAfter("soon", kNow), std::nullopt);
  EXPECT_EQ(ParseRetryAfter("", kNow), std::nullopt);
  EXPECT_GT(ParseRetryAfter("99999999999999999999", kNow), kNow);
}

}  // namespace
}  // namespace racewatch::ingest
