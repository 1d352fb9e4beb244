#include "store/alert/rule_config.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "racewatch/v1/config.pb.h"

namespace racewatch::store {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

v1::RuleConfig Rule(const std::string& text) {
  v1::RuleConfig rule;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &rule)) << text;
  return rule;
}

std::vector<std::string> Problems(const std::vector<v1::RuleConfig>& rules) {
  base::Problems problems;
  ValidateRules("rules", rules, {"huawei"}, &problems);
  return problems.lines();
}

TEST(RuleConfigTest, DefaultRulesAreValid) {
  EXPECT_TRUE(Problems(DefaultRules()).empty());
  EXPECT_EQ(SeriesOfRule(DefaultRules()[0]).size(), 19u);
  EXPECT_EQ(SeriesOfRule(DefaultRules()[1]).size(), 5u);
}

TEST(RuleConfigTest, EveryProblemIsReportedAtOnce) {
  const auto lines = Problems({
      Rule(R"(name: "a" series { dimension: "theme" theme: "chips" } threshold { window_s: 601 open: 0 })"),
      Rule(R"(name: "a" series { dimension: "lean" target: "china_parity" lean: "mars" } burst { score_open: 3 score_close: 3 })"),
      Rule(R"(name: "B!" series { dimension: "mood" } publishers_min: 1 coverage_min: 1.5)"),
  });
  EXPECT_THAT(lines, ElementsAre(HasSubstr("rules[0].series.theme"), HasSubstr("rules[0].threshold.window_s"),
                                 HasSubstr("rules[0].threshold.open"), HasSubstr("rules[1].name"),
                                 HasSubstr("rules[1].series.target"), HasSubstr("rules[1].series.lean"),
                                 HasSubstr("rules[1].burst.score_close"), HasSubstr("rules[2].name"),
                                 HasSubstr("rules[2].series.dimension"), HasSubstr("rules[2]: has no kind"),
                                 HasSubstr("rules[2].coverage_min")));
}

TEST(RuleConfigTest, UnknownPositionAndTargetAreNamed) {
  const auto lines = Problems({Rule(R"(name: "s" series { dimension: "stance" target: "war" position: "maybe" } burst {})")});
  EXPECT_THAT(lines, ElementsAre(HasSubstr("'war'"), HasSubstr("'maybe'")));
}

TEST(RuleConfigTest, UnsetSeriesFieldsWatchEachValueExceptUnsure) {
  const auto all = SeriesOfRule(Rule(R"(series { dimension: "stance" })"));
  EXPECT_EQ(all.size(), 15u);
  const auto one = SeriesOfRule(Rule(R"(series { dimension: "stance" target: "china_parity" position: "unsure" })"));
  ASSERT_EQ(one.size(), 1u);
  EXPECT_EQ(SeriesKeyText(one[0]), "target=china_parity,position=unsure");
  EXPECT_EQ(SeriesOfRule(Rule(R"(series { dimension: "lean" })")).size(), 3u);
}

TEST(RuleConfigTest, DefaultsFillOnlyWhatIsUnset) {
  const v1::RuleConfig rule = RuleWithDefaults(Rule(R"(publishers_min: 3 threshold { open: 12 })"));
  EXPECT_EQ(rule.publishers_min(), 3u);
  EXPECT_EQ(rule.coverage_min(), 0.5);
  EXPECT_EQ(rule.threshold().close(), 6);
  EXPECT_EQ(RuleWithDefaults(Rule("burst { score_open: 5 }")).burst().score_open(), 5);
  EXPECT_EQ(RuleWithDefaults(Rule("burst {}")).burst().window_s(), 3600u);
}

TEST(RuleConfigTest, EveryKindHasDefaultsThatAreValid) {
  EXPECT_THAT(Problems({Rule(R"(name: "a" series { dimension: "theme" } share_shift {} deadman_s: 21600)"),
                        Rule(R"(name: "b" series { dimension: "lean" } change_point {})"),
                        Rule(R"(name: "c" series { dimension: "stance" } silence {})"),
                        Rule(R"(name: "d" series { dimension: "stance" } stance_flip {})")}),
              ElementsAre());
}

TEST(RuleConfigTest, EveryKindNamesItsImpossibleValues) {
  EXPECT_THAT(
      Problems({Rule(R"(name: "a" series { dimension: "theme" } share_shift { window_s: 1800 shift_min: 2 baseline_weeks: 99 } deadman_s: 7)"),
                Rule(R"(name: "b" series { dimension: "lean" } change_point { ratio: 1 hours_min: 500 score_open: 3 })"),
                Rule(R"(name: "c" series { dimension: "theme" } silence { window_s: 5 expected_min: 0.5 })"),
                Rule(R"(name: "d" series { dimension: "theme" } stance_flip { lead_min: 0.7 })"),
                Rule(R"(name: "e" series { dimension: "stance" position: "favor" } stance_flip { window_s: 60 })")}),
      ElementsAre(HasSubstr("rules[0].share_shift.window_s"), HasSubstr("rules[0].share_shift.baseline_weeks"),
                  HasSubstr("rules[0].share_shift.shift_min"), HasSubstr("rules[0].deadman_s"),
                  HasSubstr("rules[1].change_point.score_close"), HasSubstr("rules[1].change_point.ratio"),
                  HasSubstr("rules[1].change_point.hours_min"), HasSubstr("rules[2].silence.window_s"),
                  HasSubstr("rules[2].silence.expected_min"), HasSubstr("rules[3].series.dimension"),
                  HasSubstr("rules[3].stance_flip.lead_min"), HasSubstr("rules[4].series.position"),
                  HasSubstr("rules[4].stance_flip.window_s")));
}

TEST(RuleConfigTest, ARuleWatchesASavedQueryThatExists) {
  const auto rule = Rule(R"(name: "q" series { dimension: "query" query: "huawei" } burst {})");
  EXPECT_THAT(Problems({rule}), ElementsAre());
  const auto series = SeriesOfRule(rule);
  ASSERT_EQ(series.size(), 1u);
  EXPECT_EQ(SeriesKeyText(series[0]), "query=huawei");
  EXPECT_THAT(Problems({Rule(R"(name: "a" series { dimension: "query" } burst {})"),
                        Rule(R"(name: "b" series { dimension: "query" query: "none" theme: "markets" } burst {})"),
                        Rule(R"(name: "c" series { dimension: "theme" query: "huawei" } burst {})"),
                        Rule(R"(name: "d" series { dimension: "query" query: "huawei" } share_shift {})")}),
              ElementsAre(HasSubstr("rules[0].series.query: missing"), HasSubstr("no query is named 'none'"), HasSubstr("rules[1].series.theme"),
                          HasSubstr("rules[2].series.query"), HasSubstr("rules[3].series.dimension")));
}

TEST(RuleConfigTest, AStanceFlipWatchesTargets) {
  const auto series = SeriesOfRule(Rule(R"(series { dimension: "stance" } stance_flip {})"));
  ASSERT_EQ(series.size(), 5u);
  EXPECT_EQ(SeriesKeyText(series[0]), "target=china_parity");
}

}  // namespace
}  // namespace racewatch::store
