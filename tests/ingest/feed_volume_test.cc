#include "ingest/feed_volume.h"

#include <gtest/gtest.h>

#include "ingest/feed_health.h"

namespace racewatch::ingest {
namespace {

constexpr base::UnixMs kMonday = 1'767'571'200'000;  // 2026-01-05T00:00:00Z
constexpr int64_t kHour = 3'600'000;
constexpr int64_t kDay = 24 * kHour;

// A fetch (or push) at `now` that brought this many entries, dated now.
void News(base::UnixMs now, size_t entries, v1::FeedState* state) {
  FetchYield yield;
  yield.entries = yield.new_entries = entries;
  yield.new_times.assign(entries, now);
  LearnVolume(yield.new_times, now, state);
  LearnNewsGap(yield, now, state);
  if (entries > 0) state->set_last_new_ms(now);
}

// Two entries at 9 and at 15 o'clock of each working day, looked at every hour.
v1::FeedState OfficeFeed(int weeks) {
  v1::FeedState state;
  News(kMonday, 10, &state);
  for (int hour = 1; hour < weeks * 168; ++hour) {
    const bool due = hour % 168 < 120 && (hour % 24 == 9 || hour % 24 == 15);
    News(kMonday + hour * kHour, due ? 2 : 0, &state);
  }
  return state;
}

TEST(FeedVolumeTest, IsUnknownForAWeek) {
  EXPECT_FALSE(ExpectedVolume({}).has_value());
  EXPECT_FALSE(ExpectedVolume(OfficeFeed(1)).has_value());
}

TEST(FeedVolumeTest, LearnsEachHourOfTheWeek) {
  const auto volume = ExpectedVolume(OfficeFeed(8));
  ASSERT_TRUE(volume.has_value());
  double week = 0;
  for (const double entries : *volume) week += entries;
  EXPECT_NEAR(week, 20, 4);
  EXPECT_NEAR((*volume)[9], 2, 0.5);             // Monday
  EXPECT_NEAR((*volume)[4 * 24 + 15], 2, 0.5);   // Friday
  EXPECT_EQ((*volume)[5 * 24 + 9], 0);           // Saturday
  EXPECT_EQ((*volume)[10], 0);
}

TEST(FeedVolumeTest, ForgetsAnHourThatFellSilent) {
  v1::FeedState state = OfficeFeed(8);
  for (int hour = 8 * 168; hour < 20 * 168; ++hour) News(kMonday + hour * kHour, 0, &state);
  EXPECT_LT((*ExpectedVolume(state))[9], 0.2);
}

TEST(FeedVolumeTest, ALongSleepOfTheProcessAgesEachHourOnce) {
  v1::FeedState state = OfficeFeed(8);
  const double before = (*ExpectedVolume(state))[9];
  News(kMonday + 52LL * 168 * kHour, 0, &state);  // a year later
  EXPECT_NEAR((*ExpectedVolume(state))[9], before * 0.75, 0.3);
}

TEST(OverdueTest, ARegularFeedIsOverdueAfterTwoOfItsIntervals) {
  v1::FeedState state;
  FetchYield first{10, 10, {}, {}};
  for (int i = 0; i < 10; ++i) first.published.push_back(kMonday - i * kHour);
  LearnNewsGap(first, kMonday, &state);
  state.set_last_new_ms(kMonday);
  EXPECT_EQ(state.last_entry_ms(), kMonday);
  EXPECT_EQ(ExpectedIntervalS(state, {}), 3600);
  EXPECT_FALSE(IsOverdue(state, {}, kMonday + 2 * kHour - 1));
  EXPECT_TRUE(IsOverdue(state, {}, kMonday + 2 * kHour));
}

TEST(OverdueTest, DatesCountUnlessTheyLieFarBack) {
  v1::FeedState state;
  state.set_news_gap_s(3600);
  state.set_last_new_ms(kMonday);
  state.set_last_entry_ms(kMonday - kHour / 2);
  EXPECT_EQ(QuietSinceMs(state, {}), kMonday - kHour / 2);
  state.set_last_entry_ms(kMonday - 9 * kDay);
  EXPECT_EQ(QuietSinceMs(state, {}), kMonday - kHour);
  state.set_last_entry_ms(0);
  EXPECT_EQ(QuietSinceMs(state, {}), kMonday);
}

TEST(OverdueTest, AnIrregularFeedGetsMoreTime) {
  v1::FeedState state;
  base::UnixMs now = kMonday;
  News(now, 5, &state);
  for (const int hours : {1, 9, 2, 20, 1, 1, 14, 3, 6, 24, 2}) News(now += hours * kHour, 1, &state);
  const double mean = state.news_gap_s();
  EXPECT_GT(ExpectedIntervalS(state, {}), 2 * mean);
}

TEST(OverdueTest, TheFeedsOwnHintsAndOurPollsAreWaitedFor) {
  v1::FeedState state;
  state.set_news_gap_s(60);
  EXPECT_EQ(ExpectedIntervalS(state, {}), 600);
  state.set_ttl_s(7200);
  EXPECT_EQ(ExpectedIntervalS(state, {}), 7200);
}

TEST(OverdueTest, AWeekendIsNoSilenceForAnOfficeFeed) {
  v1::FeedState state = OfficeFeed(8);
  const base::UnixMs friday = state.last_new_ms();  // 15 o'clock
  EXPECT_FALSE(IsOverdue(state, {}, friday + 2 * kDay));
  EXPECT_FALSE(IsOverdue(state, {}, friday + 2 * kDay + 17 * kHour));  // Monday, 8 o'clock
  EXPECT_EQ(OwnTimeS(state, friday, friday + 2 * kDay + 17 * kHour), OwnTimeS(state, friday, friday + kHour));  // the weekend stood still
  EXPECT_TRUE(IsOverdue(state, {}, friday + 5 * kDay));  // Wednesday
}

TEST(OverdueTest, ASilentFeedIsNamedWithBothTimes) {
  v1::FeedState state;
  state.set_news_gap_s(3600);
  state.set_last_new_ms(kMonday);
  state.set_entries(10);
  FetchResult unchanged;
  unchanged.reply.http_status = 304;
  ApplyUnchanged(unchanged, {}, kMonday + kHour, &state);
  EXPECT_EQ(state.health(), v1::FEED_HEALTH_OK);
  ApplyUnchanged(unchanged, {}, kMonday + 2 * kHour, &state);
  EXPECT_EQ(state.health(), v1::FEED_HEALTH_SILENT);
  EXPECT_EQ(state.reason(), "overdue");
  EXPECT_EQ(state.detail(), "nothing new for 120 min, expected within 60 min");
}

TEST(OverdueTest, TheLookThatDecidesComesWhenItIsDue) {
  v1::FeedState state;
  state.set_feed_id("f");
  state.set_news_gap_s(3600);
  state.set_last_new_ms(kMonday);
  state.set_interval_s(3600);
  const base::UnixMs next = NextAfterSuccess({}, {}, kMonday + kHour + kHour / 10, &state);
  EXPECT_EQ(next, kMonday + 2 * kHour + 1000);
  EXPECT_EQ(state.interval_reason(), "overdue");
  EXPECT_TRUE(IsOverdue(state, {}, next));
}

TEST(YieldTest, FallsLowWhenPagesStopToGiveTexts) {
  v1::FeedState state;
  for (int i = 0; i < 100; ++i) LearnPageYield(i % 10 != 0, &state);
  EXPECT_FALSE(YieldIsLow(state));
  EXPECT_NEAR(state.page_yield_usual(), 0.9, 0.05);
  int pages = 0;
  while (!YieldIsLow(state) && pages < 100) {
    LearnPageYield(false, &state);
    ++pages;
  }
  EXPECT_LE(pages, 20);
  while (YieldIsLow(state) && pages < 200) {
    LearnPageYield(true, &state);
    ++pages;
  }
  EXPECT_LT(pages, 60);
}

TEST(YieldTest, ASourceThatNeverGaveTextsRaisesNoAlarm) {
  v1::FeedState state;
  for (int i = 0; i < 500; ++i) LearnPageYield(i % 10 == 0, &state);
  for (int i = 0; i < 100; ++i) {
    LearnPageYield(false, &state);
    EXPECT_FALSE(YieldIsLow(state));
  }
}

TEST(YieldTest, AFewPagesAreNoHabit) {
  v1::FeedState state;
  for (int i = 0; i < 10; ++i) LearnPageYield(true, &state);
  for (int i = 0; i < 19; ++i) LearnPageYield(false, &state);
  EXPECT_FALSE(YieldIsLow(state));
}

}  // namespace
}  // namespace racewatch::ingest
