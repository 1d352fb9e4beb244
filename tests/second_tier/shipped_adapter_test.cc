// The adapter that ships, and what it is worth with the language model it was trained for, where that is at hand.
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/taxonomy.h"
#include "classify/model/model.h"
#include "classify/model/probes.h"
#include "classify/second_tier/adapter.h"
#include "classify/second_tier/language_model_tier.h"

namespace racewatch::classify {
namespace {

TEST(ShippedAdapterTest, AsksOnceAboutEachTargetAndOnceAboutTheLean) {
  const auto adapter = Adapter::Load(DefaultAdapterPath());
  ASSERT_TRUE(adapter.ok()) << adapter.status().message();
  std::array<int, base::kTargets.size()> asked{};
  int lean = 0;
  for (const Adapter::Question& question : adapter->questions) {
    if (question.kind == Adapter::Question::kLean) ++lean;
    if (question.kind == Adapter::Question::kStance) ++asked[question.target];
    EXPECT_FALSE(question.text.empty());
  }
  for (const int times : asked) EXPECT_EQ(times, 1);
  EXPECT_EQ(lean, 1);
  EXPECT_EQ(adapter->base_sha256.size(), 64u);
}

// All probes with RACEWATCH_FULL, else every sixth pair, whose share of right ones is less certain.
TEST(ShippedAdapterTest, ReadsTheProbesWithItsLanguageModel) {
  const char* path = std::getenv("RACEWATCH_LANGUAGE_MODEL");
  if (!path || !*path) GTEST_SKIP() << "needs the language model of classify/second_tier/README.md in RACEWATCH_LANGUAGE_MODEL";
  auto tier = LoadSecondTier({path});
  ASSERT_TRUE(tier.ok()) << tier.status().message();
  const auto model = Model::Load(DefaultModelPath(), *tier);
  ASSERT_TRUE(model.ok()) << model.status().message();
  const auto all = ReadProbes(RACEWATCH_SOURCE_DIR "/tests/testdata/probes.jsonl");
  ASSERT_TRUE(all.ok()) << all.status().message();
  const bool whole = std::getenv("RACEWATCH_FULL") != nullptr;
  std::vector<Probe> probes;
  for (size_t i = 0; i < all->size(); i += whole ? 1 : 6) probes.push_back((*all)[i]);
  const std::vector<ProbeScore> scores = ScoreProbes(**model, probes);
  size_t pairs = 0, right = 0;
  for (const ProbeScore& score : scores) pairs += score.pairs, right += score.right;
  EXPECT_EQ(pairs, probes.size());
  EXPECT_GE(static_cast<double>(right), (whole ? 0.70 : 0.60) * static_cast<double>(pairs)) << FormatProbes(scores);
}

}  // namespace
}  // namespace racewatch::classify
