#include "classify/second_tier/adapter.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/taxonomy.h"
#include "tests/second_tier/tiny_model.h"

namespace racewatch::classify {
namespace {

base::Result<Adapter> LoadOf(const TinyAdapter& adapter) { return Adapter::Load(WriteTemporary("adapter_test.adapter", adapter.Bytes())); }

Answers Logs(double a, double b, double c, double d) {
  return {static_cast<float>(std::log(a)), static_cast<float>(std::log(b)), static_cast<float>(std::log(c)), static_cast<float>(std::log(d))};
}

TEST(AdapterTest, LoadsQuestionsAndHeads) {
  const auto adapter = LoadOf({.base_sha256 = "abc"});
  ASSERT_TRUE(adapter.ok()) << adapter.status().message();
  EXPECT_EQ(adapter->base_sha256, "abc");
  ASSERT_EQ(adapter->questions.size(), 2u);
  EXPECT_EQ(adapter->questions[0].text, "Level?");
  EXPECT_EQ(adapter->questions[0].target, *base::IndexOf(base::kTargets, "china_parity"));
  EXPECT_EQ(adapter->questions[1].kind, Adapter::Question::kLean);
}

TEST(AdapterTest, AnswersAreProbabilities) {
  const auto adapter = LoadOf({.bias = {1, 2, 3, 4, 0, 0, 0, -20}});
  ASSERT_TRUE(adapter.ok());
  const auto answers = adapter->Read({0, 1}, std::vector<float>(2 * 64));
  double all = 0;
  for (const float x : answers[0]) all += std::exp(x);
  EXPECT_NEAR(all, 1, 1e-6);
  EXPECT_NEAR(answers[0][3] - answers[0][0], 3, 1e-5);
  EXPECT_NEAR(std::exp(answers[1][0]), 1.0 / 3, 1e-6);
}

TEST(AdapterTest, RefusesWhatDoesNotFitByName) {
  TinyAdapter unknown;
  unknown.questions[0].first = "stance:weather";
  EXPECT_NE(LoadOf(unknown).status().message().find("no label 'stance:weather'"), std::string::npos);
  TinyAdapter short_mix;
  short_mix.lean_mix.pop_back();
  EXPECT_NE(LoadOf(short_mix).status().message().find("racewatch.lean_mix: 5 numbers expected"), std::string::npos);
  EXPECT_EQ(Adapter::Load(WriteTemporary("none.adapter", GgufWriter().Bytes())).status().code(), base::Code::kFailedPrecondition);
  EXPECT_EQ(Adapter::Load("/nonexistent/x.adapter").status().code(), base::Code::kNotFound);
}

TEST(AdapterTest, AsksOnlyWhatMayBeThere) {
  const auto adapter = LoadOf({.questions = {{"stance:china_parity", "A?"}, {"stance:export_controls", "B?"}, {"lean", "C?"}}});
  ASSERT_TRUE(adapter.ok()) << adapter.status().message();
  Scores scores;
  scores.relevance = 0.5;
  scores.stance[*base::IndexOf(base::kTargets, "export_controls")] = {0.01, 0.02, 0.0};
  EXPECT_EQ(adapter->ToAsk(scores), (std::vector<size_t>{1, 2}));
  scores.relevance = 0.1;
  EXPECT_TRUE(adapter->ToAsk(scores).empty());
}

TEST(AdapterTest, AnswersBelongToTheQuestionsAsked) {
  const auto adapter = LoadOf({.bias = {9, 0, 0, 0, 0, 9, 0, 0}});
  ASSERT_TRUE(adapter.ok());
  EXPECT_GT(adapter->Read({1}, std::vector<float>(64))[0][1], -0.1);
  EXPECT_GT(adapter->Read({0}, std::vector<float>(64))[0][0], -0.1);
}

class MixInTest : public testing::Test {
 protected:
  void SetUp() override {
    adapter_.questions = {{Adapter::Question::kStance, 1, ""}, {Adapter::Question::kLean, 0, ""}};
    scores_.relevance = 0.8;
    scores_.stance[1] = {0.8 * 0.3, 0.8 * 0.1, 0.8 * 0.1};  // present with 0.5
    scores_.stance[2] = {0.1, 0.2, 0.3};
    scores_.lean = {0.5, 0.3, 0.2};
  }
  double Present(size_t target) const { return scores_.stance[target][0] + scores_.stance[target][1] + scores_.stance[target][2]; }

  Adapter adapter_;
  Scores scores_;
};

TEST_F(MixInTest, ASecondTierAloneSaysEverything) {
  adapter_.stance = adapter_.lean = {0, 0, 1, 0, 1};
  adapter_.MixIn({0, 1}, {Logs(0.1, 0.6, 0.2, 0.1), Logs(0.2, 0.7, 0.1, 1e-9)}, &scores_);
  EXPECT_NEAR(Present(1), 0.8 * 0.9, 1e-6);
  EXPECT_NEAR(scores_.stance[1][1] / Present(1), 0.6 / 0.9, 1e-6);
  EXPECT_NEAR(scores_.lean[1], 0.7, 1e-6);
}

TEST_F(MixInTest, AFirstTierAloneStaysAsItIs) {
  const Scores before = scores_;
  adapter_.stance = adapter_.lean = {0, 1, 0, 1, 0};
  adapter_.MixIn({0, 1}, {Logs(0.1, 0.6, 0.2, 0.1), Logs(0.2, 0.7, 0.1, 1e-9)}, &scores_);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(scores_.stance[1][i], before.stance[1][i], 1e-6);
    EXPECT_NEAR(scores_.lean[i], before.lean[i], 1e-6);
  }
}

TEST_F(MixInTest, WhatIsNotAskedStaysAsItIs) {
  const Scores before = scores_;
  adapter_.MixIn({0, 1}, {Logs(0.1, 0.6, 0.2, 0.1), Logs(0.2, 0.7, 0.1, 1e-9)}, &scores_);
  EXPECT_EQ(scores_.stance[2], before.stance[2]);
  EXPECT_EQ(scores_.relevance, before.relevance);
  EXPECT_EQ(scores_.themes, before.themes);
}

TEST_F(MixInTest, LogOddsAddUp) {
  adapter_.stance = {-0.5f, 0.5f, 2, 0.5f, 1};
  adapter_.MixIn({0, 1}, {Logs(0.2, 0.2, 0.2, 0.4), Logs(0.2, 0.7, 0.1, 1e-9)}, &scores_);
  const double z = -0.5 + 0.5 * 0 + 2 * std::log(0.6 / 0.4);
  EXPECT_NEAR(Present(1), 0.8 / (1 + std::exp(-z)), 1e-5);
  // Sides: the root of 0.6, 0.2, 0.2, since the answers take none.
  EXPECT_NEAR(scores_.stance[1][0] / scores_.stance[1][1], std::sqrt(3.0), 1e-5);
}

TEST_F(MixInTest, ThemesAndStancesRiseWithRelevance) {
  adapter_.questions = {{Adapter::Question::kRelevance, 0, ""}};
  adapter_.relevance = {0, 0.5f, 1, 0, 0};
  scores_.themes[3] = 0.4;
  const double z = 0.5 * std::log(0.8 / 0.2) + std::log(0.9 / 0.1), relevance = 1 / (1 + std::exp(-z));
  adapter_.MixIn({0}, {Logs(0.9, 0.1, 1e-9, 1e-9)}, &scores_);
  EXPECT_NEAR(scores_.relevance, relevance, 1e-5);
  EXPECT_NEAR(scores_.themes[3] / scores_.relevance, 0.5, 1e-5);
  EXPECT_NEAR(Present(1) / scores_.relevance, 0.5, 1e-5);
  EXPECT_EQ(scores_.lean, (std::array<double, 3>{0.5, 0.3, 0.2}));
}

TEST(AdapterTest, AQuestionAboutRelevanceNeedsItsMix) {
  const auto adapter = LoadOf({.questions = {{"relevance", "Is it?"}, {"lean", "Who?"}}});
  EXPECT_NE(adapter.status().message().find("racewatch.relevance_mix"), std::string::npos) << adapter.status().message();
}

TEST_F(MixInTest, CertaintiesStayNumbers) {
  scores_.stance[1] = {0, 0, 0};
  scores_.relevance = 0;
  adapter_.MixIn({0, 1}, {{0, -1e4f, -1e4f, -1e4f}, {-1e4f, 0, -1e4f, -1e4f}}, &scores_);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(std::isfinite(scores_.stance[1][i]));
    EXPECT_TRUE(std::isfinite(scores_.lean[i]));
  }
  EXPECT_GT(scores_.lean[1], 0.9);
}

}  // namespace
}  // namespace racewatch::classify
