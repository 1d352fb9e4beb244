#include "classify/offset_tracker.h"

#include <gtest/gtest.h>

namespace racewatch::classify {
namespace {

TEST(OffsetTracker, StaysBeforeTheFirstUnfinishedRecord) {
  OffsetTracker tracker;
  for (const int64_t offset : {10, 11, 12}) tracker.Add(offset);
  tracker.Done(11);
  tracker.Done(12);
  EXPECT_EQ(tracker.TakeNext(), std::nullopt);
  EXPECT_EQ(tracker.pending(), 3u);
  tracker.Done(10);
  EXPECT_EQ(tracker.TakeNext(), 13);
  EXPECT_EQ(tracker.pending(), 0u);
}

TEST(OffsetTracker, SaysAPositionOnce) {
  OffsetTracker tracker;
  tracker.Add(5);
  tracker.Done(5);
  EXPECT_EQ(tracker.TakeNext(), 6);
  EXPECT_EQ(tracker.TakeNext(), std::nullopt);
}

TEST(OffsetTracker, TakesGapsInOffsetsAsNormal) {
  OffsetTracker tracker;
  tracker.Add(5);
  tracker.Add(9);  // 6 to 8 were compacted away
  tracker.Done(5);
  EXPECT_EQ(tracker.TakeNext(), 6);
  tracker.Done(9);
  EXPECT_EQ(tracker.TakeNext(), 10);
}

TEST(OffsetTracker, IgnoresARecordItNeverHandedOut) {
  OffsetTracker tracker;
  tracker.Add(5);
  tracker.Done(4);
  tracker.Done(7);
  EXPECT_EQ(tracker.TakeNext(), std::nullopt);
  EXPECT_EQ(tracker.pending(), 1u);
}

}  // namespace
}  // namespace racewatch::classify
