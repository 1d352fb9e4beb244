// Share shift, change point, silence, stance flip and the dead-man alert, each through the engine.
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "racewatch/v1/alert.pb.h"
#include "racewatch/v1/config.pb.h"
#include "store/alert/alert_engine.h"
#include "store/alert/alert_state.h"
#include "tests/fakes/fake_series_view.h"

namespace racewatch::store {
namespace {

constexpr base::UnixMs kStart = 1767571200000;  // Monday 2026-01-05T00:00:00Z
constexpr size_t kDay = 144;                    // slots
constexpr size_t kDays = 40;
constexpr char kChips[] = "theme=chips_compute", kFavor[] = "target=export_controls,position=favor",
               kAgainst[] = "target=export_controls,position=against";

v1::RuleConfig Rule(const std::string& text) {
  v1::RuleConfig rule;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString("name: \"rule\" " + text, &rule)) << text;
  return rule;
}

class RuleKindsTest : public testing::Test {
 protected:
  RuleKindsTest() : view_(kStart, kDays * kDay) {
    Fill("", 0, kDays * kDay, 2);
    Fill(kChips, 0, kDays * kDay, 1);
  }
  static base::UnixMs EndOf(size_t slot) { return kStart + static_cast<base::UnixMs>(slot + 1) * kSlotMs; }
  // `articles` in every third slot.
  void Fill(const std::string& key, size_t first, size_t last, uint32_t articles, uint32_t publishers = 4) {
    auto& slots = view_.Series(key);
    for (size_t i = first; i < last; ++i) slots[i] = i % 3 == 0 && articles > 0 ? fakes::FakeSeriesView::Slot{articles, publishers} : fakes::FakeSeriesView::Slot{};
  }
  std::vector<v1::Alert> Walk(AlertEngine& engine, size_t first, size_t last) {
    std::vector<v1::Alert> all;
    for (size_t slot = first; slot < last; ++slot)
      for (v1::Alert& alert : engine.Step(EndOf(slot), EndOf(slot), view_)) all.push_back(std::move(alert));
    return all;
  }
  std::vector<v1::Alert> WalkWith(const std::string& rule, size_t first, size_t last) {
    AlertEngine engine({Rule(rule)});
    return Walk(engine, first, last);
  }

  fakes::FakeSeriesView view_;
};

constexpr char kOnChips[] = R"( series { dimension: "theme" theme: "chips_compute" })";

TEST_F(RuleKindsTest, AShareThatFallsOpensAndOneThatStaysDoesNot) {
  const std::string rule = std::string("share_shift {}") + kOnChips;
  EXPECT_TRUE(WalkWith(rule, 30 * kDay, 33 * kDay).empty());
  Fill(kChips, 33 * kDay, 34 * kDay, 0);
  const auto alerts = WalkWith(rule, 33 * kDay, 37 * kDay);
  ASSERT_GE(alerts.size(), 2u);
  EXPECT_EQ(alerts[0].state(), v1::ALERT_STATE_OPEN);
  EXPECT_NEAR(alerts[0].expected(), 0.5, 0.05) << "half of what is relevant";
  EXPECT_LT(alerts[0].observed(), 0.4);
  EXPECT_EQ(alerts[0].window(), "1d");
  EXPECT_EQ(alerts[0].at().seconds() % 3600, 0) << "looked at on whole hours";
  EXPECT_EQ(alerts.back().state(), v1::ALERT_STATE_CLOSE);
}

TEST_F(RuleKindsTest, MoreOfEverythingIsNoShareShift) {
  Fill("", 33 * kDay, 34 * kDay, 20);
  Fill(kChips, 33 * kDay, 34 * kDay, 10);
  EXPECT_TRUE(WalkWith(std::string("share_shift {}") + kOnChips, 33 * kDay, 35 * kDay).empty());
}

TEST_F(RuleKindsTest, ALevelThatRisesAndStaysIsAChangePointWithItsBeginning) {
  const std::string rule = std::string("change_point {}") + kOnChips;
  EXPECT_TRUE(WalkWith(rule, 31 * kDay, 33 * kDay).empty());
  Fill(kChips, 33 * kDay, 40 * kDay, 4);
  const auto alerts = WalkWith(rule, 33 * kDay, 35 * kDay);
  ASSERT_GE(alerts.size(), 1u);
  EXPECT_EQ(alerts[0].state(), v1::ALERT_STATE_OPEN);
  EXPECT_LE(alerts[0].at().seconds() * 1000, EndOf(33 * kDay + 72)) << "within half a day";
  EXPECT_GE(alerts[0].score(), 12);
  EXPECT_GT(alerts[0].observed(), 2 * alerts[0].expected());
  EXPECT_FALSE(alerts[0].evidence().empty());
}

TEST_F(RuleKindsTest, ALevelThatFallsIsAChangePointToo) {
  Fill(kChips, 0, kDays * kDay, 4);
  Fill(kChips, 33 * kDay, 40 * kDay, 1);
  const auto alerts = WalkWith(std::string("change_point {}") + kOnChips, 33 * kDay, 36 * kDay);
  ASSERT_GE(alerts.size(), 1u);
  EXPECT_LT(alerts[0].observed(), alerts[0].expected());
}

TEST_F(RuleKindsTest, OneLoudHourIsNoChangePoint) {
  Fill(kChips, 33 * kDay, 33 * kDay + 6, 60);
  EXPECT_TRUE(WalkWith(std::string("change_point {}") + kOnChips, 33 * kDay, 36 * kDay).empty());
}

TEST_F(RuleKindsTest, NothingWhereSomethingIsDueOpensAndTheFirstArticleCloses) {
  Fill(kChips, 0, kDays * kDay, 2);
  Fill(kChips, 33 * kDay, 33 * kDay + 90, 0);
  const std::string rule = std::string("silence {}") + kOnChips;
  EXPECT_TRUE(WalkWith(rule, 31 * kDay, 33 * kDay).empty());
  const auto alerts = WalkWith(rule, 33 * kDay, 34 * kDay);
  ASSERT_EQ(alerts.size(), 2u);
  EXPECT_EQ(alerts[0].at().seconds() * 1000, EndOf(33 * kDay + 33)) << "the last article, three slots before, has just left the window";
  EXPECT_EQ(alerts[0].observed(), 0);
  EXPECT_GT(alerts[0].expected(), 15);
  EXPECT_GE(alerts[0].publishers(), 2u) << "of those who have fallen silent";
  EXPECT_FALSE(alerts[0].evidence().empty());
  EXPECT_EQ(alerts[1].state(), v1::ALERT_STATE_CLOSE);
}

TEST_F(RuleKindsTest, AnOutageIsNoSilence) {
  Fill(kChips, 0, kDays * kDay, 2);
  Fill(kChips, 33 * kDay, 33 * kDay + 90, 0);
  for (size_t i = 33 * kDay; i < 33 * kDay + 90; ++i) view_.coverage()[i] = 0;
  EXPECT_TRUE(WalkWith(std::string("silence {}") + kOnChips, 33 * kDay, 34 * kDay).empty());
}

TEST_F(RuleKindsTest, ASeldomThemeIsNeverSilent) {
  Fill(kChips, 0, kDays * kDay, 0);
  for (size_t day = 0; day < kDays; ++day) view_.Series(kChips)[day * kDay + 50] = {1, 2};
  EXPECT_TRUE(WalkWith(std::string("silence {}") + kOnChips, 30 * kDay, 36 * kDay).empty());
}

TEST_F(RuleKindsTest, SidesThatChangePlacesAreAStanceFlip) {
  const std::string rule = R"(stance_flip {} series { dimension: "stance" target: "export_controls" })";
  Fill(kFavor, 0, kDays * kDay, 3);
  Fill(kAgainst, 0, kDays * kDay, 1);
  EXPECT_TRUE(WalkWith(rule, 31 * kDay, 33 * kDay).empty());
  Fill(kFavor, 33 * kDay, 35 * kDay, 1);
  Fill(kAgainst, 33 * kDay, 35 * kDay, 4);
  const auto alerts = WalkWith(rule, 33 * kDay, 38 * kDay);
  ASSERT_GE(alerts.size(), 2u);
  EXPECT_EQ(alerts[0].key(), "target=export_controls");
  EXPECT_EQ(alerts[0].series().position(), "");
  EXPECT_LE(alerts[0].observed(), 0.45) << "share of favor";
  EXPECT_GT(alerts[0].expected(), 0.7);
  EXPECT_EQ(alerts[0].evidence(0).labels(0), kAgainst) << "articles of the side that leads now";
  EXPECT_EQ(alerts.back().state(), v1::ALERT_STATE_CLOSE);
}

TEST_F(RuleKindsTest, AShiftThatLeavesTheLeaderInPlaceIsNoFlip) {
  Fill(kFavor, 0, kDays * kDay, 6);
  Fill(kAgainst, 0, kDays * kDay, 1);
  Fill(kAgainst, 33 * kDay, 35 * kDay, 4);
  EXPECT_TRUE(WalkWith(R"(stance_flip {} series { dimension: "stance" target: "export_controls" })", 33 * kDay, 36 * kDay).empty());
}

TEST_F(RuleKindsTest, EveryKindNeedsIndependentPublishers) {
  Fill(kChips, 0, kDays * kDay, 1, 1);
  Fill(kChips, 33 * kDay, kDays * kDay, 8, 1);
  for (const char* kind : {"share_shift {}", "change_point {}", "burst {}", "threshold { window_s: 3600 open: 5 }"})
    EXPECT_TRUE(WalkWith(std::string(kind) + kOnChips, 33 * kDay, 35 * kDay).empty()) << kind;
  Fill(kChips, 0, 33 * kDay, 4, 1);
  Fill(kChips, 33 * kDay, kDays * kDay, 0, 1);
  EXPECT_TRUE(WalkWith(std::string("silence {}") + kOnChips, 33 * kDay, 35 * kDay).empty());
}

TEST_F(RuleKindsTest, ARuleThatCannotJudgeForTooLongSaysSoAndTakesItBack) {
  const std::string rule = std::string("threshold { window_s: 3600 open: 20 } deadman_s: 7200") + kOnChips;
  for (size_t i = 33 * kDay; i < 33 * kDay + 60; ++i) view_.coverage()[i] = 0;
  const auto alerts = WalkWith(rule, 32 * kDay, 34 * kDay);
  ASSERT_EQ(alerts.size(), 2u);
  EXPECT_EQ(alerts[0].key(), "deadman");
  EXPECT_EQ(alerts[0].state(), v1::ALERT_STATE_OPEN);
  EXPECT_FALSE(alerts[0].evidence().empty());
  EXPECT_EQ(alerts[0].coverage(), 0);
  EXPECT_EQ(alerts[1].state(), v1::ALERT_STATE_CLOSE);
  EXPECT_EQ(alerts[1].id(), alerts[0].id());
  EXPECT_LE(alerts[1].at().seconds() * 1000, EndOf(33 * kDay + 66));
}

TEST_F(RuleKindsTest, ADeadManCountsOnThroughARestartAndNotThroughStepsNobodyLookedAt) {
  const std::string text = std::string("threshold { window_s: 3600 open: 20 } deadman_s: 7200") + kOnChips;
  for (size_t i = 33 * kDay; i < 33 * kDay + 60; ++i) view_.coverage()[i] = 0;
  AlertEngine whole({Rule(text)}), before({Rule(text)}), after({Rule(text)});
  const auto expected = Walk(whole, 33 * kDay - 6, 33 * kDay + 40);
  ASSERT_EQ(expected.size(), 1u);
  EXPECT_TRUE(Walk(before, 33 * kDay - 6, 33 * kDay + 8).empty());
  ASSERT_TRUE(after.LoadState(before.SaveState()).ok());
  const auto alerts = Walk(after, 33 * kDay + 8, 33 * kDay + 40);
  ASSERT_EQ(alerts.size(), 1u);
  EXPECT_EQ(alerts[0].SerializeAsString(), expected[0].SerializeAsString());

  AlertEngine late({Rule(text)});
  for (size_t slot = 33 * kDay; slot < 33 * kDay + 30; ++slot) EXPECT_TRUE(late.Step(EndOf(slot), EndOf(slot) + 7 * kHourMs, view_).empty());
  EXPECT_TRUE(Walk(late, 33 * kDay + 30, 33 * kDay + 40).empty());
}

TEST_F(RuleKindsTest, OtherRulesTakeOverWhatIsOpenAndCloseWhatNobodyWatches) {
  Fill(kChips, 33 * kDay, 34 * kDay, 8);
  AlertEngine engine({Rule(std::string("threshold { window_s: 3600 open: 5 }") + kOnChips)});
  ASSERT_EQ(Walk(engine, 33 * kDay, 33 * kDay + 6).size(), 1u);
  engine.SetRules({Rule(std::string("threshold { window_s: 3600 open: 6 }") + kOnChips)});
  EXPECT_TRUE(Walk(engine, 33 * kDay + 6, 33 * kDay + 8).empty()) << "the same rule and key: the alert goes on";
  engine.SetRules({});
  const auto closed = Walk(engine, 33 * kDay + 8, 33 * kDay + 9);
  ASSERT_EQ(closed.size(), 1u);
  EXPECT_EQ(closed[0].state(), v1::ALERT_STATE_CLOSE);
}

TEST(AlertStateTest, AStateOfTheFirstVersionIsRead) {
  // As written before dead-man times: version, last step, no keys, hash.
  std::string bytes(1 + 8 + 4, '\0');
  bytes[0] = 1;
  bytes[1] = 77;
  const uint64_t hash = XXH3_64bits(bytes.data(), bytes.size());
  AlertState state;
  EXPECT_FALSE(DecodeAlertState(bytes + std::string(8, '\0'), &state)) << "wrong hash";
  ASSERT_TRUE(DecodeAlertState(bytes + std::string(reinterpret_cast<const char*>(&hash), sizeof hash), &state));
  EXPECT_EQ(state.last_step, 77);
  AlertState empty;
  empty.last_step = 77;
  const std::string now = EncodeAlertState(empty);
  ASSERT_TRUE(DecodeAlertState(now, &state));
  EXPECT_EQ(state.last_step, 77);
  std::string newer = now;
  newer[0] = 3;
  EXPECT_FALSE(DecodeAlertState(newer, &state));
}

}  // namespace
}  // namespace racewatch::store
