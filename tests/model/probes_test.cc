// Probe pairs and the difference between two models: what is read, how a pair is counted, what is refused.
#include "classify/model/probes.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "classify/model/model_diff.h"

namespace racewatch::classify {
namespace {

constexpr const char* kProbes = RACEWATCH_SOURCE_DIR "/tests/testdata/probes.jsonl";
constexpr const char* kGold = RACEWATCH_SOURCE_DIR "/tests/testdata/gold.jsonl";

std::string Written(const std::string& name, const std::string& content) {
  const std::string path = (std::filesystem::temp_directory_path() / ("racewatch_" + std::to_string(getpid()) + "_" + name)).string();
  std::ofstream(path) << content;
  return path;
}

constexpr const char* kTwo =
    R"({"id":"p1","kind":"negation","a":{"title":"","text":"Rain fell.","lang":"en"},"b":{"title":"","text":"No rain fell.","lang":"en"},)"
    R"("expect":{"field":"relevance","a":"irrelevant","b":"irrelevant"}})" "\n"
    R"({"id":"p2","kind":"negation","a":{"title":"","text":"Rain fell.","lang":"en"},"b":{"title":"","text":"No rain fell.","lang":"en"},)"
    R"("expect":{"field":"relevance","a":"irrelevant","b":"relevant"}})" "\n";

TEST(Probes, APairCountsOnlyIfBothSidesAreRight) {
  const std::string path = Written("two.jsonl", kTwo);
  const auto probes = ReadProbes(path);
  std::filesystem::remove(path);
  ASSERT_TRUE(probes.ok()) << probes.status().ToString();
  const auto model = Model::Load(DefaultModelPath());
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  const std::vector<ProbeScore> scores = ScoreProbes(**model, *probes);
  ASSERT_EQ(scores.size(), 1u);
  EXPECT_EQ(scores[0].pairs, 2u);
  EXPECT_EQ(scores[0].right, 1u);
  EXPECT_EQ(scores[0].sides_right, 3u);
}

TEST(Probes, AnswersNameWhatWasDecided) {
  Decision decision;
  decision.stance.fill(kAbsent);
  EXPECT_EQ(AnswerOf(decision, "relevance"), "irrelevant");
  EXPECT_EQ(AnswerOf(decision, "lean"), "none");
  decision.relevant = true;
  decision.lean = kLeanChina;
  decision.stance[2] = kNeutral;
  decision.stance[3] = kUnsure;
  EXPECT_EQ(AnswerOf(decision, "lean"), "china");
  EXPECT_EQ(AnswerOf(decision, "stance:export_controls"), "neutral");
  EXPECT_EQ(AnswerOf(decision, "stance:us_china_cooperation"), "unsure");
  EXPECT_EQ(AnswerOf(decision, "stance:ai_regulation"), "absent");
  EXPECT_EQ(AnswerOf(decision, "theme:markets"), "absent");
}

TEST(Probes, AFieldThatNoLabelHasIsNamedWithItsLine) {
  std::string bad = kTwo;
  bad.replace(bad.rfind("relevance"), 9, "stance:x");
  const std::string path = Written("bad.jsonl", bad);
  const auto probes = ReadProbes(path);
  std::filesystem::remove(path);
  ASSERT_FALSE(probes.ok());
  EXPECT_EQ(probes.status().code(), base::Code::kInvalidArgument);
  EXPECT_NE(probes.status().message().find(path + ":2"), std::string::npos) << probes.status().message();
}

TEST(Probes, ThePublicSetHasFiftyPairsOfEachKind) {
  const auto probes = ReadProbes(kProbes);
  ASSERT_TRUE(probes.ok()) << probes.status().ToString();
  const auto model = Model::Load(DefaultModelPath());
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  const std::vector<ProbeScore> scores = ScoreProbes(**model, *probes);
  EXPECT_EQ(scores.size(), 5u);
  for (const ProbeScore& score : scores) EXPECT_GE(score.pairs, 50u) << score.kind;
}

TEST(ModelDiff, AModelDoesNotDifferFromItself) {
  const auto model = Model::Load(DefaultModelPath());
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  std::vector<LabelledDocument> documents;
  ASSERT_TRUE(ReadLabelled(kGold, true, &documents).ok());
  const ModelDiff diff = DiffModels(**model, **model, documents);
  EXPECT_EQ(diff.documents, documents.size());
  EXPECT_EQ(diff.changed, 0u);
  EXPECT_TRUE(diff.labels.empty());
}

}  // namespace
}  // namespace racewatch::classify
