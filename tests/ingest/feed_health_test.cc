#include "ingest/feed_health.h"

#include <gtest/gtest.h>

#include "racewatch/v1/ingest_state.pb.h"

namespace racewatch::ingest {
namespace {

constexpr base::UnixMs kHourMs = 3'600'000, kNow = 1'767'225'600'000;

v1::FeedState After(std::vector<int> entry_hours) {
  v1::FeedState state;
  FetchResult result;
  result.kind = FetchKind::kDocument;
  DocumentYield yield;
  yield.fetch.entries = yield.fetch.new_entries = entry_hours.size();
  for (const int hours : entry_hours) yield.fetch.published.push_back(kNow - hours * kHourMs);
  ApplyDocument(result, yield, 1, {}, kNow, &state);
  return state;
}

TEST(Probe, IsDueOnceADayWhileEntriesStandForLong) {
  const v1::FeedState state = After({0, 30, 100});
  EXPECT_FALSE(ProbeIsDue(state, kNow + 24 * kHourMs - 1));
  EXPECT_TRUE(ProbeIsDue(state, kNow + 24 * kHourMs));
}

TEST(Probe, IsDueBeforeWhatWasHiddenHasLeftTheList) {
  const v1::FeedState state = After({0, 10, 20});
  EXPECT_FALSE(ProbeIsDue(state, kNow + 10 * kHourMs - 1));
  EXPECT_TRUE(ProbeIsDue(state, kNow + 10 * kHourMs));
}

TEST(Probe, IsNeverDueMoreOftenThanEverySixHours) {
  EXPECT_FALSE(ProbeIsDue(After({0, 1}), kNow + 6 * kHourMs - 1));
  EXPECT_FALSE(ProbeIsDue(After({1, 1}), kNow + 24 * kHourMs - 1)) << "one date for all says nothing";
  EXPECT_FALSE(ProbeIsDue(After({1}), kNow + 24 * kHourMs - 1));
}

}  // namespace
}  // namespace racewatch::ingest
