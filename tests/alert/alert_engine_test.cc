#include "store/alert/alert_engine.h"

#include <gtest/gtest.h>

#include "racewatch/v1/alert.pb.h"
#include "racewatch/v1/config.pb.h"
#include "store/alert/rule_config.h"
#include "tests/fakes/fake_series_view.h"

namespace racewatch::store {
namespace {

constexpr base::UnixMs kStart = 1767571200000;  // Monday 2026-01-05T00:00:00Z
constexpr size_t kDay = 144;                    // slots
constexpr char kChips[] = "theme=chips_compute";

v1::RuleConfig ThresholdRule(double open) {
  v1::RuleConfig rule;
  rule.set_name("many");
  rule.mutable_series()->set_dimension("theme");
  rule.mutable_series()->set_theme("chips_compute");
  rule.mutable_threshold()->set_window_s(3600);
  rule.mutable_threshold()->set_open(open);
  return rule;
}

v1::RuleConfig BurstRule() {
  v1::RuleConfig rule;
  rule.set_name("burst");
  rule.mutable_series()->set_dimension("theme");
  rule.mutable_series()->set_theme("chips_compute");
  rule.mutable_burst();
  return rule;
}

// A world of `days`, one article every half hour from two publishers, and an engine that walks through it.
class AlertEngineTest : public testing::Test {
 protected:
  explicit AlertEngineTest(size_t days = 40) : view_(kStart, days * kDay) {
    auto& slots = view_.Series(kChips);
    for (size_t i = 0; i < slots.size(); i += 3) slots[i] = {1, 2};
  }
  static base::UnixMs EndOf(size_t slot) { return kStart + static_cast<base::UnixMs>(slot + 1) * kSlotMs; }
  void Peak(size_t first, size_t slots, uint32_t articles, uint32_t publishers = 4) {
    for (size_t i = first; i < first + slots; ++i) view_.Series(kChips)[i] = {articles, publishers};
  }
  std::vector<v1::Alert> Walk(AlertEngine& engine, size_t first, size_t last) {
    std::vector<v1::Alert> all;
    for (size_t slot = first; slot < last; ++slot)
      for (v1::Alert& alert : engine.Step(EndOf(slot), EndOf(slot), view_)) all.push_back(std::move(alert));
    return all;
  }

  fakes::FakeSeriesView view_;
};

TEST_F(AlertEngineTest, ThresholdOpensWhenTheWindowReachesItAndClosesWithHysteresis) {
  Peak(600, 6, 5);
  AlertEngine engine({ThresholdRule(20)});
  const auto alerts = Walk(engine, 590, 640);
  ASSERT_EQ(alerts.size(), 2u);
  EXPECT_EQ(alerts[0].state(), v1::ALERT_STATE_OPEN);
  EXPECT_EQ(alerts[0].opened_at().seconds() * 1000, EndOf(603)) << "four slots of five reach 20";
  EXPECT_EQ(alerts[0].observed(), 20);
  EXPECT_EQ(alerts[0].sequence(), 1u);
  EXPECT_EQ(alerts[1].state(), v1::ALERT_STATE_CLOSE);
  EXPECT_EQ(alerts[1].sequence(), 2u);
  EXPECT_EQ(alerts[1].id(), alerts[0].id());
  EXPECT_EQ(alerts[1].opened_at().seconds(), alerts[0].opened_at().seconds());
}

TEST_F(AlertEngineTest, BurstOpensWithinTwentyMinutesOfASharpRise) {
  Peak(30 * kDay, 12, 8);
  AlertEngine engine({BurstRule()});
  const auto alerts = Walk(engine, 29 * kDay, 31 * kDay);
  ASSERT_GE(alerts.size(), 2u);
  EXPECT_EQ(alerts[0].state(), v1::ALERT_STATE_OPEN);
  EXPECT_LE(alerts[0].at().seconds() * 1000, EndOf(30 * kDay + 1));
  EXPECT_GE(alerts[0].score(), 4);
  EXPECT_LT(alerts[0].expected(), 3);
  EXPECT_FALSE(alerts[0].evidence().empty());
  EXPECT_EQ(alerts[0].model_version(), "model-1");
  EXPECT_EQ(alerts.back().state(), v1::ALERT_STATE_CLOSE);
  for (const v1::Alert& alert : alerts) EXPECT_EQ(alert.id(), alerts[0].id());
}

TEST_F(AlertEngineTest, OnePublisherAloneNeverOpens) {
  Peak(30 * kDay, 12, 50, 1);
  for (auto& slot : view_.Series(kChips)) slot.publishers = std::min(slot.publishers, 1u);
  AlertEngine engine({BurstRule(), ThresholdRule(20)});
  EXPECT_TRUE(Walk(engine, 30 * kDay, 31 * kDay).empty());
}

TEST_F(AlertEngineTest, AnAlertWithoutEvidenceIsNotSent) {
  Peak(600, 6, 50);
  view_.show_evidence = false;
  AlertEngine engine({ThresholdRule(20)});
  EXPECT_TRUE(Walk(engine, 600, 606).empty());
  EXPECT_TRUE(engine.OpenAlerts().empty());
}

TEST_F(AlertEngineTest, LowCoverageHoldsBothOpeningAndClosing) {
  Peak(600, 6, 8);
  AlertEngine engine({ThresholdRule(20)});
  ASSERT_EQ(Walk(engine, 600, 604).size(), 1u);
  for (size_t i = 604; i < 700; ++i) view_.coverage()[i] = 0;
  for (size_t i = 604; i < 700; ++i) view_.Series(kChips)[i] = {0, 0};
  EXPECT_TRUE(Walk(engine, 606, 695).empty()) << "a gap is no drop";
  EXPECT_EQ(engine.OpenAlerts().size(), 1u);

  AlertEngine other({ThresholdRule(20)});
  Peak(650, 6, 50);
  EXPECT_TRUE(Walk(other, 650, 656).empty());
}

TEST_F(AlertEngineTest, WhatPiledUpDuringAnOutageIsNoBurst) {
  const size_t outage = 30 * kDay;
  for (size_t i = outage; i < outage + 18; ++i) view_.coverage()[i] = 0;
  Peak(outage + 18, 1, 40);
  AlertEngine engine({BurstRule()});
  EXPECT_TRUE(Walk(engine, outage - 6, outage + 40).empty());
}

TEST_F(AlertEngineTest, TooLittleHistoryGivesNoBurst) {
  Peak(60, 6, 30);
  AlertEngine engine({BurstRule()});
  EXPECT_TRUE(Walk(engine, 0, 70).empty());
}

TEST_F(AlertEngineTest, AStepIsDecidedOnce) {
  Peak(600, 6, 50);
  AlertEngine engine({ThresholdRule(20)});
  EXPECT_EQ(engine.Step(EndOf(603), EndOf(603), view_).size(), 1u);
  EXPECT_TRUE(engine.Step(EndOf(603), EndOf(603), view_).empty());
  EXPECT_TRUE(engine.Step(EndOf(602), EndOf(603), view_).empty());
  EXPECT_EQ(engine.last_step(), EndOf(603));
}

TEST_F(AlertEngineTest, StepsOlderThanSixHoursPassInSilence) {
  Peak(600, 6, 50);
  AlertEngine engine({ThresholdRule(20)});
  const base::UnixMs late = EndOf(603) + 6 * kHourMs;
  EXPECT_TRUE(engine.Step(EndOf(603), late + 1, view_).empty());
  EXPECT_EQ(engine.last_step(), EndOf(603));
  AlertEngine other({ThresholdRule(20)});
  EXPECT_EQ(other.Step(EndOf(603), late, view_).size(), 1u) << "exactly six hours still notify";
}

TEST_F(AlertEngineTest, AnOpenAlertIsSentAgainDailyAsUpdate) {
  Peak(600, 2 * kDay + 10, 8);
  AlertEngine engine({ThresholdRule(20)});
  const auto alerts = Walk(engine, 600, 600 + 2 * kDay + 8);
  ASSERT_GE(alerts.size(), 3u);
  std::vector<v1::Alert> daily;
  for (const v1::Alert& alert : alerts)
    if (alert.state() == v1::ALERT_STATE_UPDATE) daily.push_back(alert);
  ASSERT_GE(daily.size(), 2u);
  EXPECT_EQ(daily[1].at().seconds() - daily[0].at().seconds(), 24 * 3600);
  EXPECT_EQ(daily[1].id(), alerts[0].id());
  for (const v1::Alert& alert : alerts) EXPECT_EQ(alert.repeat(), alert.state() == v1::ALERT_STATE_UPDATE) << "nothing new is said";
  engine.SetRules({});
  const auto closed = Walk(engine, 600 + 2 * kDay + 8, 600 + 2 * kDay + 9);
  ASSERT_EQ(closed.size(), 1u);
  EXPECT_EQ(closed[0].state(), v1::ALERT_STATE_CLOSE);
  EXPECT_FALSE(closed[0].repeat()) << "after a repeat too";
}

TEST_F(AlertEngineTest, ADoubledCountIsAnUpdateAtMostHourly) {
  Peak(600, 6, 5);
  Peak(606, 12, 20);
  AlertEngine engine({ThresholdRule(20)});
  const auto alerts = Walk(engine, 600, 618);
  ASSERT_GE(alerts.size(), 2u);
  EXPECT_EQ(alerts[1].state(), v1::ALERT_STATE_UPDATE);
  EXPECT_GE(alerts[1].at().seconds() - alerts[0].at().seconds(), 3600);
  EXPECT_GE(alerts[1].observed(), 2 * alerts[0].observed());
  EXPECT_FALSE(alerts[1].repeat());
}

TEST_F(AlertEngineTest, ARestartContinuesWithTheSameIdsAndSequences) {
  Peak(600, 6, 8);
  AlertEngine whole({ThresholdRule(20)});
  const auto expected = Walk(whole, 590, 660);
  AlertEngine before({ThresholdRule(20)}), after({ThresholdRule(20)});
  auto alerts = Walk(before, 590, 605);
  ASSERT_TRUE(after.LoadState(before.SaveState()).ok());
  EXPECT_EQ(after.OpenAlerts().size(), 1u);
  for (v1::Alert& alert : Walk(after, 590, 660)) alerts.push_back(std::move(alert));  // replays the first steps too
  ASSERT_EQ(alerts.size(), expected.size());
  for (size_t i = 0; i < alerts.size(); ++i) EXPECT_EQ(alerts[i].SerializeAsString(), expected[i].SerializeAsString());
  EXPECT_EQ(after.SaveState(), whole.SaveState());
}

TEST_F(AlertEngineTest, DamagedStateIsRefusedAndChangesNothing) {
  Peak(600, 6, 8);
  AlertEngine engine({ThresholdRule(20)});
  Walk(engine, 600, 604);
  const std::string good = engine.SaveState();
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    EXPECT_EQ(engine.LoadState(bad).code(), base::Code::kDataLoss) << "byte " << i;
  }
  EXPECT_FALSE(engine.LoadState("").ok());
  EXPECT_EQ(engine.SaveState(), good);
}

TEST_F(AlertEngineTest, AClosedAlertDoesNotReopenForTwoHours) {
  Peak(600, 6, 8);
  Peak(616, 3, 15);  // three slots after the close
  Peak(640, 3, 15);  // well after the pause
  AlertEngine engine({ThresholdRule(20)});
  std::vector<base::UnixMs> opened;
  for (const v1::Alert& alert : Walk(engine, 590, 660))
    if (alert.state() == v1::ALERT_STATE_OPEN) opened.push_back(alert.at().seconds() * 1000);
  ASSERT_EQ(opened.size(), 2u);
  EXPECT_GE(opened[1], EndOf(640));
}

TEST_F(AlertEngineTest, ARuleThatIsGoneClosesItsAlerts) {
  Peak(600, 6, 8);
  AlertEngine before({ThresholdRule(20)});
  ASSERT_EQ(Walk(before, 600, 604).size(), 1u);
  v1::RuleConfig elsewhere = BurstRule();
  elsewhere.mutable_series()->set_theme("markets");
  AlertEngine after({elsewhere});
  ASSERT_TRUE(after.LoadState(before.SaveState()).ok());
  const auto alerts = after.Step(EndOf(604), EndOf(604), view_);
  ASSERT_EQ(alerts.size(), 1u);
  EXPECT_EQ(alerts[0].state(), v1::ALERT_STATE_CLOSE);
  EXPECT_EQ(alerts[0].rule(), "many");
  EXPECT_FALSE(alerts[0].evidence().empty());
}

TEST_F(AlertEngineTest, TheIdDependsOnRuleKeyAndOpeningWindowOnly) {
  Peak(600, 6, 50);
  AlertEngine one({ThresholdRule(20)}), same({ThresholdRule(21)});
  v1::RuleConfig renamed = ThresholdRule(20);
  renamed.set_name("other");
  AlertEngine other({renamed});
  const auto a = one.Step(EndOf(602), EndOf(602), view_), b = same.Step(EndOf(602), EndOf(605), view_);
  const auto c = other.Step(EndOf(602), EndOf(602), view_);
  AlertEngine later({ThresholdRule(20)});
  const auto d = later.Step(EndOf(603), EndOf(603), view_);
  ASSERT_EQ(a.size() + b.size() + c.size() + d.size(), 4u);
  EXPECT_EQ(a[0].id().size(), 32u);
  EXPECT_EQ(a[0].id(), b[0].id());
  EXPECT_NE(a[0].id(), c[0].id());
  EXPECT_NE(a[0].id(), d[0].id());
}

TEST_F(AlertEngineTest, HistoryIsAskedForOnlyWhereSomethingHappens) {
  AlertEngine engine(DefaultRules());
  Walk(engine, 30 * kDay, 31 * kDay);
  EXPECT_EQ(view_.hours_calls, 0u) << "two articles an hour never reach observed_min";
}

}  // namespace
}  // namespace racewatch::store
