// The public gold set: passages of ours that no training ever sees. The shipped model must not fall below
// these floors; they lie a little under what it reached when it was trained (classify/README.md).
#include <gtest/gtest.h>

#include <filesystem>

#include "classify/model/evaluation.h"
#include "classify/model/model.h"
#include "classify/model/training.h"
#include "racewatch/v1/tags.pb.h"

namespace racewatch::classify {
namespace {

constexpr const char* kGold = RACEWATCH_SOURCE_DIR "/tests/testdata/gold.jsonl";
constexpr const char* kGoldMore = RACEWATCH_SOURCE_DIR "/tests/testdata/gold_more.jsonl";
constexpr const char* kData = RACEWATCH_SOURCE_DIR "/classify/model/data/";

class Gold : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(ReadLabelled(kGold, true, &documents_).ok());
    auto model = Model::Load(DefaultModelPath());
    ASSERT_TRUE(model.ok()) << model.status().ToString();
    model_ = std::move(model).value();
  }
  std::vector<LabelledDocument> documents_;
  std::unique_ptr<Model> model_;
};

TEST_F(Gold, ScoresDoNotFall) {
  const std::vector<Judged> judged = JudgeWithModel(*model_, documents_);
  const Metrics metrics = Measure(judged);
  EXPECT_GE(metrics.documents, 100u);
  EXPECT_GE(metrics.relevance.F1(), 0.985);
  EXPECT_GE(metrics.themes_all.F1(), 0.68);
  EXPECT_GE(metrics.presence_all.F1(), 0.84);
  EXPECT_GE(metrics.LeanMacro(), 0.74);
}

TEST_F(Gold, ScoresOfTheLongerTextsDoNotFall) {
  std::vector<LabelledDocument> more;
  ASSERT_TRUE(ReadLabelled(kGoldMore, true, &more).ok());
  const Metrics metrics = Measure(JudgeWithModel(*model_, more));
  EXPECT_GE(metrics.documents, 300u);
  EXPECT_GE(metrics.relevance.F1(), 0.94);
  EXPECT_GE(metrics.ThemesMacro(), 0.75);
  EXPECT_GE(metrics.themes_all.F1(), 0.755);
  EXPECT_GE(metrics.presence_all.F1(), 0.81);
  EXPECT_GE(metrics.StanceAverage(), 0.50);
  EXPECT_GE(metrics.LeanMacro(), 0.68);
}

TEST_F(Gold, NoTextIsAmongTheTrainingPassages) {
  std::vector<LabelledDocument> own;
  for (const auto& file : std::filesystem::directory_iterator(kData)) {
    if (file.path().extension() != ".jsonl") continue;
    ASSERT_TRUE(ReadLabelled(file.path().string(), true, &own).ok());
  }
  EXPECT_GE(own.size(), 6200u);
  ASSERT_TRUE(ReadLabelled(kGoldMore, true, &documents_).ok());
  for (const LabelledDocument& d : documents_)
    for (const LabelledDocument& o : own) EXPECT_NE(d.text, o.text) << d.id << " " << o.id;
}

// The document without the bytes of `spans`, which lie in title + "\n" + text.
std::string Without(std::string document, const std::vector<std::pair<uint32_t, uint32_t>>& spans) {
  for (const auto& [start, length] : spans)
    for (uint32_t i = start; i < start + length; ++i)
      if (document[i] != '\n') document[i] = ' ';
  return document;
}

double RelevanceOf(const Model& model, const std::string& document, const std::string& language, Scratch& scratch) {
  const size_t cut = document.find('\n');
  return model.Score({std::string_view(document).substr(0, cut), std::string_view(document).substr(cut + 1), language}, scratch).relevance;
}

// Whole words or characters elsewhere, of at least the same length, at a place that `state` picks.
std::vector<std::pair<uint32_t, uint32_t>> RandomSpans(const std::string& document, size_t bytes, uint64_t* state) {
  *state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
  size_t start = (*state >> 33) % document.size();
  const auto inside = [&](size_t at) { return at < document.size() && (static_cast<uint8_t>(document[at]) & 0xC0) == 0x80; };
  while (inside(start)) --start;
  size_t end = std::min(document.size(), start + bytes);
  while (inside(end)) ++end;
  return {{static_cast<uint32_t>(start), static_cast<uint32_t>(end - start)}};
}

TEST_F(Gold, RemovingTheTopSpansLowersTheScoreMoreThanRemovingOthers) {
  Scratch scratch;
  v1::Tags tags;
  uint64_t state = 3;
  int cases = 0, lower = 0;
  for (const LabelledDocument& d : documents_) {
    model_->Classify({d.title, d.text, d.language}, scratch, &tags);
    if (!tags.relevance().label()) continue;
    const std::string document = d.title + "\n" + d.text;
    std::vector<std::pair<uint32_t, uint32_t>> top;
    size_t bytes = 0;
    for (const v1::Evidence& e : tags.evidence())
      if (e.label() == "relevance") top.emplace_back(e.start(), e.length()), bytes += e.length();
    const double without_top = RelevanceOf(*model_, Without(document, top), d.language, scratch);
    const double without_random = RelevanceOf(*model_, Without(document, RandomSpans(document, bytes, &state)), d.language, scratch);
    ++cases;
    lower += without_top < without_random;
  }
  EXPECT_GE(cases, 40);
  EXPECT_GE(lower, cases * 95 / 100) << lower << " of " << cases;
}

}  // namespace
}  // namespace racewatch::classify
