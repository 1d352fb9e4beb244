#include "store/alert/change_point.h"

#include <gtest/gtest.h>

#include <random>

namespace racewatch::store {
namespace {

std::vector<ChangeHour> Hours(size_t n, double observed, double expected) {
  return std::vector<ChangeHour>(n, ChangeHour{observed, expected, true});
}

TEST(ChangePointTest, ADoubledLevelIsFoundWithTheHourItBegan) {
  auto hours = Hours(40, 4, 4);
  const auto doubled = Hours(20, 8, 4);
  hours.insert(hours.end(), doubled.begin(), doubled.end());
  const Change change = FindChange(hours, 0.1, 2);
  EXPECT_TRUE(change.rise);
  EXPECT_GT(change.score, 12);
  EXPECT_EQ(change.since, 40u);
}

TEST(ChangePointTest, AHalvedLevelIsFoundAsAFall) {
  auto hours = Hours(40, 8, 8);
  const auto halved = Hours(30, 3, 8);
  hours.insert(hours.end(), halved.begin(), halved.end());
  const Change change = FindChange(hours, 0.1, 2);
  EXPECT_FALSE(change.rise);
  EXPECT_GT(change.score, 12);
  EXPECT_EQ(change.since, 40u);
}

TEST(ChangePointTest, TheUsualLevelScoresNothing) {
  const Change change = FindChange(Hours(72, 5, 5), 0.2, 2);
  EXPECT_EQ(change.score, 0);
  EXPECT_EQ(change.since, 72u);
}

TEST(ChangePointTest, OnePeakIsNoNewLevel) {
  auto hours = Hours(72, 5, 5);
  hours[70].observed = 200;
  EXPECT_LT(FindChange(hours, 0.2, 2).score, 4);
}

TEST(ChangePointTest, HoursWithoutCoverageAddNothing) {
  auto hours = Hours(72, 5, 5);
  for (size_t i = 40; i < 72; ++i) hours[i] = {0, 5, false};
  EXPECT_EQ(FindChange(hours, 0.2, 2).score, 0);
}

TEST(ChangePointTest, IndependentOverDispersedHoursSeldomReachTwelve) {
  std::mt19937_64 random(7);
  int alarms = 0;
  std::vector<ChangeHour> hours;
  constexpr int kHours = 20'000;
  for (int i = 0; i < kHours; ++i) {
    const double level = std::gamma_distribution<double>(5, 0.2)(random);  // variance 0.2
    hours.push_back({static_cast<double>(std::poisson_distribution<int>(6 * level)(random)), 6, true});
    if (i >= 72 && i % 72 == 0) alarms += FindChange({hours.end() - 72, hours.end()}, 0.2, 2).score >= 12;
  }
  EXPECT_LE(alarms, 1);
}

}  // namespace
}  // namespace racewatch::store
