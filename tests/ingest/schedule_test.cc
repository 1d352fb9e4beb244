#include "ingest/schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace racewatch::ingest {
namespace {

using testing::ElementsAre;

std::vector<uint64_t> PopAll(Schedule* schedule, base::UnixMs now) {
  std::vector<uint64_t> out;
  while (auto work = schedule->Pop(now)) out.push_back(*work);
  return out;
}

TEST(ScheduleTest, HandsOutWhatIsDueInOrder) {
  HostGate gate(1000);
  Schedule schedule(gate);
  schedule.Add(1, "", 300);
  schedule.Add(3, "", 100);
  schedule.Add(2, "", 100);
  EXPECT_EQ(schedule.next_ms(), 100);
  EXPECT_THAT(PopAll(&schedule, 200), ElementsAre(2, 3));
  EXPECT_THAT(PopAll(&schedule, 300), ElementsAre(1));
  EXPECT_EQ(schedule.next_ms(), Schedule::kNever);
}

TEST(ScheduleTest, KeepsRequestsToOneHostApart) {
  HostGate gate(1000);
  Schedule schedule(gate);
  for (uint64_t work : {1, 2, 3}) schedule.Add(work, "a.example", 0);
  schedule.Add(4, "b.example", 0);
  EXPECT_THAT(PopAll(&schedule, 5000), ElementsAre(1, 4));
  EXPECT_EQ(schedule.next_ms(), 6000);
  EXPECT_THAT(PopAll(&schedule, 5999), ElementsAre());
  EXPECT_THAT(PopAll(&schedule, 6000), ElementsAre(2));
  EXPECT_THAT(PopAll(&schedule, 7000), ElementsAre(3));
}

TEST(ScheduleTest, HostsOfOneDomainAreHalfAsFarApart) {
  HostGate gate(1000);
  Schedule schedule(gate);
  schedule.Add(1, "news.example.com", 0);
  schedule.Add(2, "tech.example.com", 0);
  EXPECT_THAT(PopAll(&schedule, 0), ElementsAre(1));
  EXPECT_EQ(schedule.next_ms(), 500);
  EXPECT_THAT(PopAll(&schedule, 500), ElementsAre(2));
}

TEST(ScheduleTest, AHeldHostWaitsEvenWithASlotInHand) {
  HostGate gate(1000);
  Schedule schedule(gate);
  schedule.Add(1, "a.example", 0);
  schedule.Add(2, "a.example", 0);
  EXPECT_THAT(PopAll(&schedule, 0), ElementsAre(1));
  gate.Hold("a.example", 60'000);  // Retry-After
  EXPECT_THAT(PopAll(&schedule, 1000), ElementsAre());
  EXPECT_EQ(schedule.next_ms(), 60'000);
  EXPECT_THAT(PopAll(&schedule, 60'000), ElementsAre(2));
}

TEST(ScheduleTest, LoopbackHostsAreNotSpacedUnlessAsked) {
  HostGate free_gate(1000, 0);
  Schedule schedule(free_gate);
  schedule.Add(1, "127.0.0.1", 0);
  schedule.Add(2, "127.0.0.1", 0);
  EXPECT_THAT(PopAll(&schedule, 0), ElementsAre(1, 2));
  HostGate strict_gate(1000, 200);
  Schedule strict(strict_gate);
  strict.Add(1, "localhost", 0);
  strict.Add(2, "localhost", 0);
  EXPECT_THAT(PopAll(&strict, 0), ElementsAre(1));
  EXPECT_EQ(strict.next_ms(), 200);
}

}  // namespace
}  // namespace racewatch::ingest
