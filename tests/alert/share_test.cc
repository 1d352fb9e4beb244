#include "store/alert/share.h"

#include <gtest/gtest.h>

#include <random>

namespace racewatch::store {
namespace {

std::vector<ShareCount> Steady(size_t windows, uint32_t part, uint32_t whole) {
  std::vector<ShareCount> out;
  for (size_t i = 0; i < windows; ++i) out.push_back({part + static_cast<uint32_t>(i % 3) - 1, whole});
  return out;
}

TEST(ShareTest, AnEqualShareScoresNothingAndAShiftBothWaysIsSigned) {
  const auto earlier = Steady(28, 20, 100);
  EXPECT_NEAR(ScoreShare(earlier, {20, 100}).usual, 0.2, 0.01);
  EXPECT_LT(std::abs(ScoreShare(earlier, {20, 100}).score), 0.5);
  EXPECT_GT(ScoreShare(earlier, {50, 100}).score, 4);
  EXPECT_LT(ScoreShare(Steady(28, 60, 100), {25, 100}).score, -4);
}

TEST(ShareTest, FewWindowsOrFewArticlesSayNothing) {
  EXPECT_FALSE(ScoreShare(Steady(6, 20, 100), {90, 100}).ready);
  EXPECT_FALSE(ScoreShare({}, {90, 100}).ready);
  EXPECT_EQ(ScoreShare(Steady(28, 20, 100), {1, 1}).score, 0);
}

TEST(ShareTest, SharesThatSwayFromDayToDayNeedAGreaterShift) {
  std::vector<ShareCount> swaying;
  for (size_t i = 0; i < 28; ++i) swaying.push_back({i % 2 == 0 ? 5u : 35u, 100});
  EXPECT_GT(ScoreShare(Steady(28, 20, 100), {45, 100}).score, 4);
  EXPECT_LT(ScoreShare(swaying, {45, 100}).score, 3);
}

TEST(ShareTest, ASharesNeverSeenIsRareNotImpossible) {
  const auto score = ScoreShare(std::vector<ShareCount>(28, {0, 100}), {2, 100});
  EXPECT_TRUE(score.ready);
  EXPECT_GT(score.usual, 0);
  EXPECT_GT(score.score, 1);
  EXPECT_LT(score.score, 10);
}

TEST(ShareTest, OverDispersedSharesOfOneLevelSeldomReachFour) {
  std::mt19937_64 random(3);
  std::gamma_distribution<double> a(6, 1), b(24, 1);  // beta-binomial, mean 0.2, correlation 1/31
  int alarms = 0;
  constexpr int kDays = 4000;
  std::vector<ShareCount> days;
  for (int i = 0; i < kDays + 28; ++i) {
    const double x = a(random), p = x / (x + b(random));
    days.push_back({std::binomial_distribution<uint32_t>(80, p)(random), 80});
    if (i < 28) continue;
    alarms += std::abs(ScoreShare({days.end() - 29, days.end() - 1}, days.back()).score) >= 4;
  }
  EXPECT_LE(alarms, 8) << "two in a thousand days at most";
}

}  // namespace
}  // namespace racewatch::store
