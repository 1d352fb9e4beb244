// When alert steps are decided: by the time in what was read, not by the clock at which it is read.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/store/store_life.h"
#include "tests/store/temp_dir.h"

namespace racewatch::store {
namespace {

using nlohmann::json;

constexpr base::UnixMs kMinute = 60'000;
constexpr int kMinutes = 300;

v1::StoreConfig Config() {
  v1::StoreConfig config;
  config.set_batch_records_max(5);
  auto* rule = config.add_rules();
  rule->set_name("chips");
  rule->mutable_threshold()->set_window_s(600);
  rule->mutable_threshold()->set_open(30);
  rule->mutable_threshold()->set_close(12);
  rule->mutable_series()->set_dimension("theme");
  rule->mutable_series()->set_theme("chips_compute");
  return config;
}

// Twice in five hours ten articles a minute for a quarter of an hour.
int ArticlesIn(int minute) { return (minute >= 60 && minute < 75) || (minute >= 240 && minute < 255) ? 10 : 1; }

// What matters of each record: ce_id, time, count.
std::vector<std::string> Alerts(const fakes::FakeLog& bus) {
  std::vector<std::string> out;
  for (const auto& record : bus.Records(std::string(base::kAlertsTopic))) {
    const json alert = json::parse(record.value);
    out.push_back(*record.FindHeader("ce_id") + " " + alert["state"].get<std::string>() + " " + alert["at"].get<std::string>() + " " +
                  std::to_string(alert["observed"].get<double>()));
  }
  return out;
}

// A store that reads each minute as it comes.
std::vector<std::string> ReadInTime() {
  TempDir dir;
  fakes::ManualClock clock(kTestNow);
  fakes::FakeLog bus(2, &clock);
  StoreLife life(bus, clock, dir.path(), Config());
  uint64_t number = 0;
  for (int minute = 0; minute < kMinutes; ++minute) {
    PublishMinute(bus, kTestNow + minute * kMinute, ArticlesIn(minute), &number);
    clock.Set(kTestNow + (minute + 1) * kMinute);
    EXPECT_TRUE(life.Settle()) << life.status.ToString();
  }
  clock.Advance(1);
  EXPECT_TRUE(life.Settle());
  return Alerts(bus);
}

TEST(AlertTimeTest, ABacklogReadLateGivesTheAlertsOfAReaderInTime) {
  TempDir dir;
  fakes::ManualClock clock(kTestNow + kMinutes * kMinute);
  fakes::FakeLog bus(2, &clock);
  uint64_t number = 0;
  for (int minute = 0; minute < kMinutes; ++minute) PublishMinute(bus, kTestNow + minute * kMinute, ArticlesIn(minute), &number);
  StoreLife life(bus, clock, dir.path(), Config());
  EXPECT_TRUE(life.Settle()) << life.status.ToString();
  clock.Advance(1);
  EXPECT_TRUE(life.Settle());
  const auto in_time = ReadInTime();
  EXPECT_EQ(in_time.size(), 4u) << "two openings and two closings";
  EXPECT_EQ(Alerts(bus), in_time);
}

TEST(AlertTimeTest, WhatWasHeldUpBeforeTheStoreStillOpensItsAlert) {
  TempDir dir;
  fakes::ManualClock clock(kTestNow);
  fakes::FakeLog bus(2, &clock);
  StoreLife life(bus, clock, dir.path(), Config());
  uint64_t number = 0;
  // From minute 58 to 100 the tagger is away: the clock goes on, nothing arrives, then all of it at once.
  for (int minute = 0; minute < kMinutes; ++minute) {
    if (minute < 58 || minute > 100) PublishMinute(bus, kTestNow + minute * kMinute, ArticlesIn(minute), &number);
    clock.Set(kTestNow + (minute + 1) * kMinute);
    if (minute == 100)
      for (int held = 58; held <= 100; ++held) PublishMinute(bus, kTestNow + held * kMinute, ArticlesIn(held), &number);
    ASSERT_TRUE(life.Settle()) << life.status.ToString();
  }
  clock.Advance(1);
  ASSERT_TRUE(life.Settle());
  EXPECT_EQ(Alerts(bus), ReadInTime());
}

TEST(AlertTimeTest, StepsOlderThanSixHoursPassInSilenceAndAreNotDecidedAgain) {
  TempDir dir;
  fakes::ManualClock clock(kTestNow + kMinutes * kMinute + 7 * 60 * kMinute);
  fakes::FakeLog bus(2, &clock);
  uint64_t number = 0;
  for (int minute = 0; minute < kMinutes; ++minute) PublishMinute(bus, kTestNow + minute * kMinute, ArticlesIn(minute), &number);
  for (int life_number = 0; life_number < 2; ++life_number) {
    StoreLife life(bus, clock, dir.path(), Config());
    ASSERT_TRUE(life.Settle()) << life.status.ToString();
    clock.Advance(60 * kMinute);
    ASSERT_TRUE(life.Settle());
  }
  EXPECT_TRUE(Alerts(bus).empty());
}

}  // namespace
}  // namespace racewatch::store
