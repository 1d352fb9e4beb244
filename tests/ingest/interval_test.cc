#include "ingest/interval.h"

#include <gtest/gtest.h>

namespace racewatch::ingest {
namespace {

constexpr base::UnixMs kNow = 1'767'571'200'000;  // 2026-01-05T00:00:00Z, a Monday
constexpr int64_t kHour = 3'600'000;

v1::FeedState State(double interval_s) {
  v1::FeedState state;
  state.set_feed_id("https://a.example/feed");
  state.set_interval_s(interval_s);
  return state;
}

double WaitS(base::UnixMs next) { return static_cast<double>(next - kNow) / 1000; }

TEST(IntervalTest, TheFirstGuessIsTheGapBetweenTheNewestEntries) {
  v1::FeedState state = State(0);
  FetchYield yield{4, 4, {kNow, kNow - kHour, kNow - 2 * kHour, kNow - 3 * kHour}};
  AdaptInterval(yield, {}, kNow, &state);
  EXPECT_EQ(state.interval_s(), 3600);
  EXPECT_EQ(state.gap_s(), 3600);
}

TEST(IntervalTest, FetchesWithoutNewsLengthenIt) {
  v1::FeedState state = State(1000);
  AdaptInterval({10, 0, {}}, {}, kNow, &state);
  EXPECT_EQ(state.interval_s(), 1500);
}

TEST(IntervalTest, SeveralNewEntriesShortenIt) {
  v1::FeedState state = State(6400);
  AdaptInterval({20, 4, {}}, {}, kNow, &state);
  EXPECT_EQ(state.interval_s(), 3200);
}

TEST(IntervalTest, ADocumentOfMostlyNewEntriesShortensItMuch) {
  v1::FeedState state = State(6400);
  AdaptInterval({10, 9, {}}, {}, kNow, &state);
  EXPECT_EQ(state.interval_s(), 1600);
}

TEST(IntervalTest, ANightWithoutNewsDoesNotPutAnHourlyFeedToSleep) {
  v1::FeedState state = State(3600);
  state.set_gap_s(3600);
  for (int i = 0; i < 20; ++i) AdaptInterval({}, {}, kNow, &state);
  EXPECT_EQ(state.interval_s(), 7200);
}

TEST(IntervalTest, StaysBetweenTheLimits) {
  v1::FeedState state = State(700);
  for (int i = 0; i < 10; ++i) AdaptInterval({4, 4, {}}, {}, kNow, &state);
  EXPECT_EQ(state.interval_s(), 600);
  for (int i = 0; i < 50; ++i) {
    state.set_gap_s(0);
    AdaptInterval({4, 0, {}}, {}, kNow, &state);
  }
  EXPECT_EQ(state.interval_s(), 86'400);
}

TEST(NextFetchTest, AddsAtMostATenthOfJitter) {
  v1::FeedState state = State(3600);
  const double wait = WaitS(NextAfterSuccess({}, {}, kNow, &state));
  EXPECT_GE(wait, 3600);
  EXPECT_LE(wait, 3960);
  EXPECT_EQ(state.interval_reason(), "adaptive");
}

TEST(NextFetchTest, HonoursTtlSyMaxAgeAndExpires) {
  v1::FeedState state = State(600);
  state.set_ttl_s(7200);
  EXPECT_GE(WaitS(NextAfterSuccess({}, {}, kNow, &state)), 7200);
  EXPECT_EQ(state.interval_reason(), "ttl");
  state.set_update_period_s(10'000);
  EXPECT_GE(WaitS(NextAfterSuccess({}, {}, kNow, &state)), 10'000);
  EXPECT_EQ(state.interval_reason(), "sy");
  CacheHints hints;
  hints.max_age_s = 20'000;
  EXPECT_GE(WaitS(NextAfterSuccess(hints, {}, kNow, &state)), 20'000);
  EXPECT_EQ(state.interval_reason(), "max-age");
  hints = {};
  hints.expires_ms = kNow + 30'000'000;
  EXPECT_GE(WaitS(NextAfterSuccess(hints, {}, kNow, &state)), 30'000);
  EXPECT_EQ(state.interval_reason(), "expires");
}

TEST(NextFetchTest, NoHintIsLongerThanTheLongestInterval) {
  v1::FeedState state = State(600);
  CacheHints hints;
  hints.max_age_s = 31'536'000;
  EXPECT_LE(WaitS(NextAfterSuccess(hints, {}, kNow, &state)), 86'400 * 1.1);
}

TEST(NextFetchTest, SkipsTheHoursAndDaysTheFeedAsksFor) {
  v1::FeedState state = State(600);
  state.set_skip_hours(0b111);  // 00, 01 and 02 h
  EXPECT_EQ(NextAfterSuccess({}, {}, kNow, &state), kNow + 3 * kHour);
  EXPECT_EQ(state.interval_reason(), "skip");
  state.set_skip_hours(0);
  state.set_skip_days(1 << 1);  // Monday
  EXPECT_EQ(NextAfterSuccess({}, {}, kNow, &state), kNow + 24 * kHour);
  state.set_skip_days(0x7f);  // every day: a mistake
  EXPECT_LE(WaitS(NextAfterSuccess({}, {}, kNow, &state)), 660);
}

TEST(NextFetchTest, TheOperatorsIntervalIsExact) {
  v1::FeedState state = State(3600);
  state.set_ttl_s(7200);
  IntervalLimits limits;
  limits.fixed_s = 30;
  EXPECT_EQ(NextAfterSuccess({}, limits, kNow, &state), kNow + 30'000);
}

TEST(BackOffTest, DoublesUpToADay) {
  v1::FeedState state = State(600);
  double before = 0;
  for (uint32_t failures = 1; failures <= 12; ++failures) {
    state.set_failures(failures);
    const double wait = WaitS(NextAfterFailure(std::nullopt, {}, kNow, &state));
    EXPECT_GE(wait, std::min(600.0 * (1 << (failures - 1)), 86'400.0));
    EXPECT_LE(wait, 86'400 * 1.25);
    EXPECT_GE(wait * 1.25, before);
    before = wait;
  }
}

TEST(BackOffTest, RetryAfterIsNotUndercut) {
  v1::FeedState state = State(600);
  state.set_failures(1);
  EXPECT_EQ(NextAfterFailure(kNow + 5 * kHour, {}, kNow, &state), kNow + 5 * kHour);
  EXPECT_EQ(state.interval_reason(), "retry_after");
  EXPECT_GE(WaitS(NextAfterFailure(kNow + 1000, {}, kNow, &state)), 600);
}

TEST(BackOffTest, AFeedThatIsGoneIsTriedAgainAfterAMonth) {
  v1::FeedState state = State(600);
  state.set_health(v1::FEED_HEALTH_GONE);
  state.set_failures(1);
  EXPECT_EQ(NextAfterFailure(std::nullopt, {}, kNow, &state), kNow + 30 * 24 * kHour);
}

TEST(CacheControlTest, ReadsMaxAge) {
  EXPECT_EQ(ParseMaxAge("public, max-age=300"), 300);
  EXPECT_EQ(ParseMaxAge("s-maxage=60, max-age=300"), 60);
  EXPECT_EQ(ParseMaxAge("no-cache"), std::nullopt);
  EXPECT_EQ(ParseMaxAge("max-age=soon"), std::nullopt);
  EXPECT_EQ(ParseMaxAge("max-age=99999999999999999999"), std::nullopt);
}

}  // namespace
}  // namespace racewatch::ingest
