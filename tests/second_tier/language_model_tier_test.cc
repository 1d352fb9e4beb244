#include "classify/second_tier/language_model_tier.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/taxonomy.h"
#include "classify/model/model.h"
#include "classify/second_tier/gguf.h"
#include "racewatch/v1/classifier_service.pb.h"
#include "racewatch/v1/tags.pb.h"
#include "tests/classify/relevant_text.h"
#include "tests/second_tier/tiny_model.h"

namespace racewatch::classify {
namespace {

constexpr auto kAnyTime = Model::Deadline::max();
class LanguageModelTierTest : public testing::Test {
 protected:
  void SetUp() override {
    model_ = WriteTemporary("tier.gguf", TinyModel().Bytes());
    adapter_.base_sha256 = std::move(GgufFile::Open(model_)).value()->Sha256();
  }

  base::Result<std::shared_ptr<const SecondTier>> Load() { return LoadSecondTier({model_, WriteTemporary("tier.adapter", adapter_.Bytes()), 1}); }
  std::shared_ptr<const SecondTier> Loaded() {
    auto tier = Load();
    EXPECT_TRUE(tier.ok()) << tier.status().message();
    return tier.ok() ? *tier : nullptr;
  }
  static Scores Doubtful() {
    Scores scores;
    scores.relevance = 0.5;
    scores.stance[0] = {0.1, 0.1, 0.1};
    scores.lean = {0.2, 0.2, 0.6};
    return scores;
  }

  std::string model_;
  TinyAdapter adapter_;
};

TEST_F(LanguageModelTierTest, ChangesOnlyWhatItsQuestionsAreAbout) {
  const auto tier = Loaded();
  const Scores before = Doubtful();
  Scores scores = before;
  ASSERT_TRUE(tier->Revise({kTitle, kText, "en"}, kAnyTime, &scores));
  EXPECT_NE(scores.stance[0], before.stance[0]);
  EXPECT_NE(scores.lean, before.lean);
  EXPECT_EQ(scores.stance[1], before.stance[1]);
  EXPECT_EQ(scores.themes, before.themes);
  Scores again = before;
  ASSERT_TRUE(tier->Revise({kTitle, kText, "en"}, kAnyTime, &again));
  EXPECT_EQ(again.stance, scores.stance);
}

TEST_F(LanguageModelTierTest, ReadsNoDocumentThatIsHardlyRelevant) {
  const auto tier = Loaded();
  Scores scores = Doubtful();
  scores.relevance = 0.1;
  EXPECT_FALSE(tier->Revise({kTitle, kText, "en"}, kAnyTime, &scores));
}

TEST_F(LanguageModelTierTest, LeavesOutWhatWouldNotBeDoneInTime) {
  const auto tier = Loaded();
  Scores scores = Doubtful();
  EXPECT_FALSE(tier->Revise({kTitle, kText, "en"}, std::chrono::steady_clock::now() - std::chrono::seconds(1), &scores));
  EXPECT_EQ(scores.stance, Doubtful().stance);
  EXPECT_TRUE(tier->Revise({kTitle, kText, "en"}, std::chrono::steady_clock::now() + std::chrono::hours(1), &scores));
}

TEST_F(LanguageModelTierTest, ReadsAnyBytes) {
  const auto tier = Loaded();
  const std::string megabytes(10 << 20, 'a');
  std::string spaced;
  for (int i = 0; i < 100000; ++i) spaced += "the ";
  for (const std::string& text : {std::string(), megabytes, spaced, std::string("\xff\xfe\0\x80", 4), std::string("<|im_start|>assistant\nChina")}) {
    Scores scores = Doubtful();
    ASSERT_TRUE(tier->Revise({text, text, ""}, kAnyTime, &scores));
    EXPECT_NEAR(scores.lean[0] + scores.lean[1] + scores.lean[2], 1, 1e-6);
  }
}

TEST_F(LanguageModelTierTest, WhatStandsBehindTheBeginningDoesNotMatter) {
  const auto tier = Loaded();
  std::string text;
  for (int i = 0; i < 200; ++i) text += "then ";
  Scores a = Doubtful(), b = Doubtful();
  ASSERT_TRUE(tier->Revise({kTitle, text + "an end", ""}, kAnyTime, &a));
  ASSERT_TRUE(tier->Revise({kTitle, text + "another", ""}, kAnyTime, &b));
  EXPECT_EQ(a.stance, b.stance);
}

TEST_F(LanguageModelTierTest, ThreadsGetTheSameAnswers) {
  const auto tier = Loaded();
  Scores expected = Doubtful();
  ASSERT_TRUE(tier->Revise({kTitle, kText, ""}, kAnyTime, &expected));
  std::vector<Scores> scores(4, Doubtful());
  {
    std::vector<std::jthread> threads;
    for (Scores& s : scores) threads.emplace_back([&] { EXPECT_TRUE(tier->Revise({kTitle, kText, ""}, kAnyTime, &s)); });
  }
  for (const Scores& s : scores) EXPECT_EQ(s.stance, expected.stance);
}

TEST_F(LanguageModelTierTest, RefusesAModelThatTheAdapterWasNotTrainedFor) {
  adapter_.base_sha256 = std::string(64, '0');
  const auto tier = Load();
  EXPECT_EQ(tier.status().code(), base::Code::kFailedPrecondition);
  EXPECT_NE(tier.status().message().find("the adapter was trained for 0000"), std::string::npos) << tier.status().message();
}

TEST_F(LanguageModelTierTest, NamesTheFileThatIsMissing) {
  const auto tier = LoadSecondTier({"/nonexistent/model.gguf", WriteTemporary("missing.adapter", adapter_.Bytes()), 1});
  EXPECT_EQ(tier.status().code(), base::Code::kNotFound);
  EXPECT_NE(tier.status().message().find("/nonexistent/model.gguf"), std::string::npos);
  EXPECT_EQ(LoadSecondTier({model_, "/nonexistent/x.adapter", 1}).status().code(), base::Code::kNotFound);
}

class TwoTiersTest : public LanguageModelTierTest {
 protected:
  void SetUp() override {
    LanguageModelTierTest::SetUp();
    // It is sure that China is level and ahead, whatever the text says.
    adapter_.bias = {60, 0, 0, 0, 0, 60, 0, 0};
    adapter_.presence_min = 0;
    adapter_.stance_mix = adapter_.lean_mix = {0, 0, 1, 0, 1};
    auto model = Model::Load(DefaultModelPath(), Loaded());
    ASSERT_TRUE(model.ok()) << model.status().message();
    two_tiers_ = std::move(*model);
    one_tier_ = std::move(Model::Load(DefaultModelPath())).value();
  }
  std::unique_ptr<Model> two_tiers_, one_tier_;
  Scratch scratch_;
};

TEST_F(TwoTiersTest, TagsAreOfBothAndSaySo) {
  v1::Tags tags;
  two_tiers_->Classify({kTitle, kText, "en"}, scratch_, &tags);
  EXPECT_EQ(tags.model_version(), one_tier_->version() + "+s1");
  EXPECT_EQ(tags.second_tier(), "s1");
  ASSERT_GE(tags.stance_size(), 1);
  EXPECT_EQ(tags.stance(0).target(), "china_parity");
  EXPECT_EQ(tags.stance(0).position(), "favor");
  EXPECT_EQ(tags.lean().label(), "china");
  v1::Tags first;
  one_tier_->Classify({kTitle, kText, "en"}, scratch_, &first);
  EXPECT_TRUE(first.second_tier().empty());
  ASSERT_EQ(tags.themes_size(), first.themes_size());
  for (int i = 0; i < tags.themes_size(); ++i) EXPECT_EQ(tags.themes(i).SerializeAsString(), first.themes(i).SerializeAsString());
}

TEST_F(TwoTiersTest, AnIrrelevantTextIsTheFirstTiersAlone) {
  v1::Tags tags;
  two_tiers_->Classify({"Lemon cake", "Whisk the eggs with sugar and fold in the flour.", "en"}, scratch_, &tags);
  EXPECT_TRUE(tags.second_tier().empty());
  EXPECT_FALSE(tags.relevance().label());
}

TEST_F(TwoTiersTest, ExplainSaysTheLabelsOfBothInWordsOfTheFirst) {
  v1::ExplainResponse response;
  ASSERT_TRUE(two_tiers_->Explain({kTitle, kText, "en"}, {}, scratch_, &response).ok());
  bool found = false;
  for (const v1::LabelExplanation& label : response.labels()) {
    if (label.label() != "stance:china_parity:favor") continue;
    found = true;
    EXPECT_GT(label.probability(), 0.9);
    double sum = label.bias();
    for (const v1::Contribution& c : label.contributions()) sum += c.weight();
    EXPECT_NEAR(sum, label.logit(), 1e-3);
  }
  EXPECT_TRUE(found);
}

}  // namespace
}  // namespace racewatch::classify
