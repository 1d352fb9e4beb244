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
  ValidateRules("rules", rules, &problems);
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

}  // namespace
}  // namespace racewatch::store
