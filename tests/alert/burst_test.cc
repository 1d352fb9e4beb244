#include "store/alert/burst.h"

#include <gtest/gtest.h>

#include <cmath>

namespace racewatch::store {
namespace {

constexpr base::UnixMs kMonday = 1767571200000;

std::vector<HourCounts> Weeks(size_t weeks, uint32_t day, uint32_t night) {
  std::vector<HourCounts> hours;
  for (size_t i = 0; i < weeks * 168; ++i) {
    const size_t hour = i % 24;
    const uint32_t n = hour >= 8 && hour < 20 ? day : night;
    hours.push_back({n, n, 1.0});
  }
  return hours;
}

TEST(BurstTest, ScoreIsTheNormalQuantileOfTheTail) {
  // Poisson, mean 1: P(X >= 5) = 0.00366, whose normal quantile is 2.68.
  EXPECT_NEAR(ExcessScore(5, 1, 1), 2.68, 0.02);
  EXPECT_EQ(ExcessScore(1, 1, 1), 0);
  EXPECT_GT(ExcessScore(5, 1, 1), ExcessScore(5, 1, 2)) << "over-dispersion makes the same count less surprising";
  EXPECT_EQ(std::isfinite(ExcessScore(100000, 1, 1)), true);
}

TEST(BurstTest, ExpectationFollowsTheHourOfTheWeek) {
  const Baseline baseline(Weeks(4, 20, 2), kMonday);
  const base::UnixMs noon = kMonday + 12 * kHourMs, night = kMonday + 2 * kHourMs;
  EXPECT_NEAR(baseline.Expected(noon, noon + kHourMs), 17, 2.5);
  EXPECT_NEAR(baseline.Expected(night, night + kHourMs), 5, 2.5);
  EXPECT_NEAR(baseline.Expected(noon, noon + kSlotMs), baseline.Expected(noon, noon + kHourMs) / 6, 1e-9);
}

TEST(BurstTest, AnOldBurstNeitherRaisesTheLevelMuchNorWidensTheBand) {
  auto hours = Weeks(4, 10, 10);
  const Baseline calm(hours, kMonday);
  for (size_t i = 300; i < 306; ++i) hours[i].articles = 500;
  const Baseline after(hours, kMonday);
  const base::UnixMs at = kMonday + 50 * kHourMs;
  EXPECT_LT(after.Expected(at, at + kHourMs), 1.1 * calm.Expected(at, at + kHourMs));
  EXPECT_GE(ExcessScore(60, after.Expected(at, at + kHourMs), after.Variance(at, at + kHourMs)), 4);
}

TEST(BurstTest, HoursWithoutCoverageSayNothing) {
  auto hours = Weeks(4, 10, 10);
  for (size_t i = 0; i < hours.size(); i += 2) hours[i] = {0, 0, 0.1};
  const Baseline baseline(hours, kMonday);
  EXPECT_NEAR(baseline.Expected(kMonday, kMonday + kHourMs), 10, 0.5);
}

TEST(BurstTest, AYoungSeriesHasAWiderBand) {
  const Baseline young(Weeks(1, 10, 10), kMonday), old(Weeks(8, 10, 10), kMonday);
  EXPECT_GT(young.Variance(kMonday, kMonday + kHourMs), old.Variance(kMonday, kMonday + kHourMs));
  EXPECT_FALSE(Baseline(std::vector<HourCounts>(kHoursMin - 1, HourCounts{5, 5, 1}), kMonday).ready());
  EXPECT_TRUE(Baseline(std::vector<HourCounts>(kHoursMin, HourCounts{5, 5, 1}), kMonday).ready());
}

}  // namespace
}  // namespace racewatch::store
