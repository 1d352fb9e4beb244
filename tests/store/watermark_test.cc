#include "store/watermark.h"

#include <gtest/gtest.h>

#include "base/bus/topics.h"

namespace racewatch::store {
namespace {

constexpr base::UnixMs kNow = 1'764'000'000'000, kMinute = 60'000, kHour = 60 * kMinute;
const base::TopicPartition kOne{std::string(base::kTaggedTopic), 0}, kTwo{std::string(base::kTaggedTopic), 1};
const base::TopicPartition kBackfill{std::string(base::kTaggedBackfillTopic), 0};

class WatermarkTest : public testing::Test {
 protected:
  Watermark watermark_{{.lateness_ms = 10 * kMinute, .idle_ms = kHour}};
};

TEST_F(WatermarkTest, TheSlowestPartitionWithABacklogDecides) {
  watermark_.Read(kOne, kNow - 5 * kMinute);
  watermark_.Read(kTwo, kNow - 3 * kHour);
  watermark_.Settle(kNow, {{kOne, 0}, {kTwo, 7}});
  EXPECT_EQ(watermark_.At(kNow), kNow - 3 * kHour - 10 * kMinute);
  EXPECT_EQ(watermark_.settled(), kNow - 3 * kHour);
  watermark_.Read(kTwo, kNow - 2 * kHour);
  watermark_.Settle(kNow, {{kOne, 0}, {kTwo, 1}});
  EXPECT_EQ(watermark_.At(kNow), kNow - 2 * kHour - 10 * kMinute);
}

TEST_F(WatermarkTest, APartitionOfWhichNothingWasReadHoldsWhileItHasABacklog) {
  watermark_.Read(kOne, kNow - 5 * kMinute);
  watermark_.Settle(kNow, {{kOne, 0}, {kTwo, 7}});
  EXPECT_EQ(watermark_.At(kNow), 0);
}

TEST_F(WatermarkTest, IdlePartitionsDoNotCount) {
  watermark_.Read(kOne, kNow - 5 * kMinute);
  watermark_.Read(kTwo, kNow - 9 * kHour);
  watermark_.Settle(kNow, {{kOne, 0}, {kTwo, 0}});
  EXPECT_EQ(watermark_.At(kNow + 1), kNow - 15 * kMinute);
}

TEST_F(WatermarkTest, TimeStandsStillWhileAnEarlierStageIsAwayAndFollowsTheClockAfterTheIdleTime) {
  watermark_.Read(kOne, kNow);
  for (const int64_t later : {0, 20, 40, 60}) {
    watermark_.Settle(kNow + later * kMinute, {{kOne, 0}});
    EXPECT_EQ(watermark_.At(kNow + later * kMinute + 1), kNow - 10 * kMinute) << later;
  }
  watermark_.Settle(kNow + 90 * kMinute, {{kOne, 0}});
  EXPECT_EQ(watermark_.At(kNow + 90 * kMinute + 1), kNow + 20 * kMinute);
}

TEST_F(WatermarkTest, NothingIsDecidedWhileMoreMayComeInAtTheSameMoment) {
  watermark_.Read(kOne, kNow);
  watermark_.Settle(kNow, {{kOne, 0}});
  EXPECT_EQ(watermark_.At(kNow), 0);
  EXPECT_EQ(watermark_.At(kNow + 1), kNow - 10 * kMinute);
}

TEST_F(WatermarkTest, WhileStoriesLagABacklogGoesAsFarAsTheBatchBefore) {
  watermark_.Read(kOne, kNow - 3 * kHour);
  watermark_.Settle(kNow, {{kOne, 9}}, false);
  EXPECT_EQ(watermark_.At(kNow), 0);
  watermark_.Read(kOne, kNow - 2 * kHour);
  watermark_.Settle(kNow, {{kOne, 5}}, false);
  EXPECT_EQ(watermark_.At(kNow), kNow - 3 * kHour - 10 * kMinute);
  watermark_.Read(kOne, kNow - kHour);
  watermark_.Settle(kNow, {{kOne, 0}}, false);
  EXPECT_EQ(watermark_.At(kNow), kNow - 3 * kHour - 10 * kMinute) << "caught up, but the last stories are not there";
  EXPECT_EQ(watermark_.settled(), 0);
  watermark_.Settle(kNow, {{kOne, 0}});
  EXPECT_EQ(watermark_.At(kNow + 1), kNow - kHour - 10 * kMinute);
  EXPECT_EQ(watermark_.settled(), kNow);
}

TEST_F(WatermarkTest, ABackfillNeitherMovesNorHoldsTheSteps) {
  watermark_.Read(kOne, kNow - 30 * kMinute);
  watermark_.Read(kBackfill, kNow);
  watermark_.Settle(kNow, {{kOne, 0}, {kBackfill, 100'000}});
  EXPECT_EQ(watermark_.At(kNow + 1), kNow - 40 * kMinute);
  watermark_.Settle(kNow + 1, {{kOne, 0}, {kBackfill, 0}});
  EXPECT_EQ(watermark_.At(kNow + 2), kNow - 40 * kMinute);
}

TEST_F(WatermarkTest, AnUnknownEndHoldsUntilItAloneStaysUnknown) {
  watermark_.Read(kOne, kNow);
  watermark_.Settle(kNow, {{kOne, std::nullopt}, {kTwo, std::nullopt}});
  EXPECT_EQ(watermark_.At(kNow + 1), 0) << "the bus has said nothing yet";
  watermark_.Settle(kNow + kMinute, {{kOne, 0}, {kTwo, std::nullopt}});
  EXPECT_EQ(watermark_.At(kNow + 2 * kMinute), 0);
  watermark_.Read(kOne, kNow + kHour);
  watermark_.Settle(kNow + kHour, {{kOne, 0}, {kTwo, std::nullopt}});
  EXPECT_EQ(watermark_.At(kNow + kHour + 1), kNow + 50 * kMinute) << "a partition without a leader does not stop the rest";
  watermark_.Settle(kNow + 2 * kHour, {{kOne, std::nullopt}, {kTwo, std::nullopt}});
  EXPECT_EQ(watermark_.At(kNow + 2 * kHour + 1), 0) << "with the whole bus away nobody knows what waits";
}

}  // namespace
}  // namespace racewatch::store
