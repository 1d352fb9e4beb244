#include "classify/model/training.h"

#include <gtest/gtest.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "classify/model/counted.h"
#include "classify/model/format.h"
#include "classify/model/label_rates.h"
#include "classify/model/model.h"

namespace racewatch::classify {
namespace {

constexpr const char* kOwn = RACEWATCH_SOURCE_DIR "/classify/model/data/own_passages.jsonl";

std::string Temporary(const std::string& name) {
  return (std::filesystem::temp_directory_path() / ("racewatch_" + std::to_string(getpid()) + "_" + name)).string();
}

std::string Content(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream buffer;
  buffer << in.rdbuf();
  return buffer.str();
}

// A small training set: our passages, read as if they were real texts (an outlet each by family).
TrainingInputs SmallInputs() {
  TrainingInputs inputs;
  inputs.corpus = {kOwn};
  return inputs;
}

TrainOptions SmallOptions() {
  TrainOptions options;
  options.rows_max = 2000;
  options.gate_rows_max = 500;
  options.folds = 2;
  return options;
}

TEST(Training, TwoTrainingsGiveTheSameBytes) {
  const std::string a = Temporary("a.model"), b = Temporary("b.model");
  const auto quiet = [](std::string_view) {};
  ASSERT_TRUE(TrainModelFile(SmallInputs(), SmallOptions(), a, quiet).ok());
  ASSERT_TRUE(TrainModelFile(SmallInputs(), SmallOptions(), b, quiet).ok());
  const std::string first = Content(a);
  EXPECT_GT(first.size(), 100000u);
  EXPECT_TRUE(first == Content(b));
  const auto model = Model::Load(a);
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  EXPECT_EQ((*model)->features(), 2000u);
  std::filesystem::remove(a);
  std::filesystem::remove(b);
}

// The small set as texts, and with every second text in a folder of counts instead.
struct HalfCounted {
  TrainingInputs texts, counts;
  std::string folder;
};

HalfCounted CountHalf(const std::string& name) {
  HalfCounted result;
  result.folder = Temporary(name);
  std::filesystem::create_directory(result.folder);
  const std::string halves[2] = {result.folder + "/first.jsonl", result.folder + "/second.jsonl"};
  std::ofstream out[2] = {std::ofstream(halves[0]), std::ofstream(halves[1])};
  std::ifstream in(kOwn);
  std::string line;
  for (size_t i = 0; std::getline(in, line); ++i) out[i % 2] << line << "\n";
  for (std::ofstream& file : out) file.close();
  result.texts.corpus = {halves[0], halves[1]};
  result.counts.corpus = {halves[0]};
  const auto first = LoadTrainingData(result.counts);
  EXPECT_TRUE(first.ok());
  const base::Status written = WriteCounted(halves[1], first->documents, first->lexicon, first->fold, result.folder);
  EXPECT_TRUE(written.ok()) << written.ToString();
  result.counts.counted = {result.folder};
  return result;
}

TEST(Training, CountedTextsTrainTheModelThatTheTextsTrain) {
  const HalfCounted half = CountHalf("counted");
  const std::string a = half.folder + "/a.model", b = half.folder + "/b.model";
  const auto quiet = [](std::string_view) {};
  TrainOptions options = SmallOptions();
  options.counted_set_all = true;
  ASSERT_TRUE(TrainModelFile(half.texts, options, a, quiet).ok());
  ASSERT_TRUE(TrainModelFile(half.counts, options, b, quiet).ok());
  const auto texts = Model::Load(a), counts = Model::Load(b);
  ASSERT_TRUE(texts.ok() && counts.ok());
  std::vector<LabelledDocument> documents;
  ASSERT_TRUE(ReadLabelled(kOwn, true, &documents).ok());
  const auto expected = JudgeWithModel(**texts, documents), got = JudgeWithModel(**counts, documents);
  for (size_t i = 0; i < documents.size(); ++i) {
    EXPECT_EQ(got[i].scores.relevance, expected[i].scores.relevance) << documents[i].id;
    EXPECT_EQ(got[i].scores.stance, expected[i].scores.stance) << documents[i].id;
    EXPECT_EQ(got[i].decision.themes, expected[i].decision.themes) << documents[i].id;
  }
  // No text lies in the folder's files.
  const std::string labels = Content(half.folder + "/labels.jsonl");
  EXPECT_EQ(labels.find("\"text\""), std::string::npos);
  EXPECT_EQ(labels.find("\"title\""), std::string::npos);
  std::filesystem::remove_all(half.folder);
}

TrainingInputs BesideOtherPassages(const std::vector<std::string>& counted) {
  TrainingInputs inputs;
  inputs.corpus = {RACEWATCH_SOURCE_DIR "/classify/model/data/passages_border.jsonl"};
  inputs.counted = counted;
  return inputs;
}

size_t FeaturesOfCounted(const std::vector<std::string>& folders) {
  const auto data = LoadTrainingData(BesideOtherPassages(folders));
  EXPECT_TRUE(data.ok()) << data.status().ToString();
  size_t features = 0;
  if (!data.ok()) return features;
  for (const LabelledDocument& d : data->documents)
    if (d.counted && !d.derived) features += d.counted->rows[kFullScope].size();
  return features;
}

// A folder counted beside another one keeps the features that only texts of the two share.
TEST(Training, SeveralFoldersOfCountsAreReadTogether) {
  HalfCounted half = CountHalf("folders");
  const std::string alone = half.folder + "/alone", beside = half.folder + "/beside";
  const auto count = [&](const std::vector<std::string>& counted, const std::string& folder) {
    std::filesystem::create_directory(folder);
    const auto data = LoadTrainingData(BesideOtherPassages(counted));
    ASSERT_TRUE(data.ok()) << data.status().ToString();
    const base::Status written = WriteCounted(half.folder + "/first.jsonl", data->documents, data->lexicon, data->fold, folder);
    ASSERT_TRUE(written.ok()) << written.ToString();
  };
  count({}, alone);
  count({half.folder}, beside);
  EXPECT_GT(FeaturesOfCounted({beside}), FeaturesOfCounted({alone}));
  EXPECT_EQ(FeaturesOfCounted({half.folder, beside}), FeaturesOfCounted({half.folder}) + FeaturesOfCounted({beside}));
  std::filesystem::remove_all(half.folder);
}

TEST(Training, RefusesCountsThatAreCutChangedMissingOrOfAnotherLexicon) {
  HalfCounted half = CountHalf("refused");
  const std::string path = half.folder + "/counts.msgpack.gz", good = Content(path);
  const auto write = [](const std::string& file, const std::string& content) { std::ofstream(file, std::ios::binary | std::ios::trunc) << content; };
  for (const size_t size : {size_t{0}, size_t{10}, good.size() / 2, good.size() - 1}) {
    write(path, good.substr(0, size));
    const auto data = LoadTrainingData(half.counts);
    EXPECT_EQ(data.status().code(), base::Code::kInvalidArgument) << size;
  }
  std::string changed = good;
  changed[changed.size() / 2] ^= 0x20;
  write(path, changed);
  EXPECT_EQ(LoadTrainingData(half.counts).status().code(), base::Code::kInvalidArgument);
  write(path, good);
  ASSERT_TRUE(LoadTrainingData(half.counts).ok());
  half.counts.lexicon = half.folder + "/lexicon.tsv";
  write(half.counts.lexicon, Content(RACEWATCH_SOURCE_DIR "/classify/model/data/lexicon.tsv") + "EXTRA\ttopic\tan extra term\n");
  const auto stale = LoadTrainingData(half.counts);
  EXPECT_EQ(stale.status().code(), base::Code::kFailedPrecondition);
  EXPECT_NE(stale.status().message().find("racewatch count"), std::string::npos);
  half.counts.lexicon.clear();
  std::filesystem::remove(path);
  EXPECT_EQ(LoadTrainingData(half.counts).status().code(), base::Code::kNotFound);
  std::filesystem::remove_all(half.folder);
}

// Makes changed bytes pass the checksums.
void Seal(std::string* bytes) {
  ModelHeader header;
  std::memcpy(&header, bytes->data(), sizeof header);
  header.body_checksum = XXH64(bytes->data() + sizeof header, bytes->size() - sizeof header, 0);
  header.header_checksum = XXH64(&header, offsetof(ModelHeader, header_checksum), 0);
  std::memcpy(bytes->data(), &header, sizeof header);
}

base::Result<std::unique_ptr<Model>> LoadBytes(const std::string& bytes) {
  const std::string path = Temporary("bytes.model");
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  auto model = Model::Load(path);
  std::filesystem::remove(path);
  return model;
}

TEST(Training, MeasuresErrorsOutOfFoldAndAFileWithoutThemIsReadAsWell) {
  const std::string path = Temporary("rates.model");
  ASSERT_TRUE(TrainModelFile(SmallInputs(), SmallOptions(), path, [](std::string_view) {}).ok());
  std::string bytes = Content(path);
  std::filesystem::remove(path);
  const auto model = LoadBytes(bytes);
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  ASSERT_GT((*model)->rates().size(), 5u);
  std::set<std::string> seen;
  for (const LabelRates& one : (*model)->rates()) {
    EXPECT_TRUE(seen.insert(one.label).second) << one.label;
    EXPECT_GE(one.cases, kRateCasesMin) << one.label;
    for (const double share : {one.true_positive, one.false_positive, one.given}) EXPECT_TRUE(share >= 0 && share <= 1) << one.label;
    EXPECT_NE((*model)->card().find(one.label), std::string::npos) << "the card lists them";
  }
  const size_t at = bytes.find("\"rates\":");
  ASSERT_NE(at, std::string::npos);
  std::string without = bytes, wrong = bytes;
  without.replace(at, 7, "\"other\"");  // as a build before them wrote it, beside one that a later build may write
  Seal(&without);
  const auto older = LoadBytes(without);
  ASSERT_TRUE(older.ok()) << older.status().ToString();
  EXPECT_TRUE((*older)->rates().empty());
  const size_t given = bytes.find("\"given\":0", at);
  ASSERT_NE(given, std::string::npos);
  wrong[given + 8] = '7';
  Seal(&wrong);
  EXPECT_EQ(LoadBytes(wrong).status().code(), base::Code::kDataLoss);
}

// Twenty documents that the model calls relevant: markets on ten of them, given to eight of these and to two of the others;
// then what must not change that.
TEST(Rates, CountHitsAndFaultsAmongWhatTheModelCallsRelevant) {
  const size_t markets = *base::IndexOf(base::kThemes, "markets");
  std::vector<LabelledDocument> documents(40);
  std::vector<Judged> judged;
  for (size_t i = 0; i < documents.size(); ++i) {
    LabelledDocument& d = documents[i];
    d.relevant = 1;
    d.labelled = true;
    d.stance.fill(kAbsent);
    d.lean = kLeanNeutral;
    d.themes[markets] = i < 10;
    Judged one{&d, {}, {}};
    one.decision.stance.fill(kAbsent);
    one.decision.relevant = i < 20;
    one.decision.themes[markets] = i < 8 || i == 10 || i == 11 || i >= 20;  // what it calls irrelevant has no label
    judged.push_back(one);
  }
  const auto rates_of = [&judged](const std::string& label) {
    for (const LabelRates& one : MeasureRates(judged))
      if (one.label == label) return one;
    return LabelRates{};
  };
  const LabelRates plain = rates_of("theme:markets");
  EXPECT_DOUBLE_EQ(plain.true_positive, 0.8);
  EXPECT_DOUBLE_EQ(plain.false_positive, 0.2);
  EXPECT_DOUBLE_EQ(plain.given, 0.5);
  EXPECT_EQ(plain.cases, 10);
  EXPECT_EQ(rates_of("theme:censorship").label, "") << "nobody has it: not measured";
  EXPECT_EQ(rates_of("lean:neutral").label, "") << "nobody has not";
  documents[9].themes[markets] = kMasked;  // a miss that its readers differ on
  EXPECT_EQ(rates_of("theme:markets").label, "") << "nine cases are too few";
  documents[39].themes[markets] = 1;
  judged[38].decision.relevant = judged[39].decision.relevant = true;
  judged[38].decision.themes[markets] = false;
  documents[12].relevant = 0, documents[12].labelled = false, documents[12].near_miss = true;
  documents[13].relevant = kMasked;
  const LabelRates changed = rates_of("theme:markets");
  EXPECT_DOUBLE_EQ(changed.true_positive, 0.9);
  EXPECT_DOUBLE_EQ(changed.false_positive, 2.0 / 10) << "one whose relevance is disputed counts nothing";
}

// Own passages weigh up to as much as the real texts of their label: enough to be learnt.
TEST(Training, OwnPassagesAreLearnt) {
  const std::string own = Temporary("own.jsonl"), path = Temporary("own.model");
  {
    std::ifstream in(RACEWATCH_SOURCE_DIR "/classify/model/data/passages_en.jsonl");
    std::ofstream out(own);
    std::string line;
    for (int i = 0; i < 120 && std::getline(in, line); ++i) out << line << "\n";
  }
  TrainingInputs inputs = SmallInputs();
  inputs.own = {own};
  ASSERT_TRUE(TrainModelFile(inputs, SmallOptions(), path, [](std::string_view) {}).ok());
  const auto model = Model::Load(path);
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  std::vector<LabelledDocument> documents;
  ASSERT_TRUE(ReadLabelled(own, true, &documents).ok());
  const Metrics metrics = Measure(JudgeWithModel(**model, documents));
  EXPECT_GE(metrics.relevance.Recall(), 0.9);
  EXPECT_GE(metrics.presence_all.F1(), 0.8);
  std::filesystem::remove(own);
  std::filesystem::remove(path);
}

TEST(Training, AMissingCorpusIsNamed) {
  TrainingInputs inputs;
  inputs.corpus = {"/nonexistent/corpus.jsonl"};
  const auto data = LoadTrainingData(inputs);
  ASSERT_FALSE(data.ok());
  EXPECT_EQ(data.status().code(), base::Code::kNotFound);
}

TEST(ReadLabelled, NamesTheLineThatIsNotJson) {
  const std::string path = Temporary("bad.jsonl");
  std::ofstream(path) << R"({"title":"a","text":"b","labels":{"relevant":false}})" << "\n{oops\n";
  std::vector<LabelledDocument> documents;
  const base::Status status = ReadLabelled(path, false, &documents);
  EXPECT_EQ(status.code(), base::Code::kInvalidArgument);
  EXPECT_NE(status.message().find(path + ":2"), std::string::npos) << status.message();
  std::filesystem::remove(path);
}

TEST(ReadLabelled, MasksWhatReadersDisagreeOn) {
  const std::string path = Temporary("masked.jsonl");
  std::ofstream(path) << R"({"title":"a","text":"b","unscored":["theme:markets","stance:china_parity","lean"],)"
                      << R"("labels":{"relevant":true,"themes":["censorship"],"stance":{"ai_regulation":"against"},"lean":"us"}})" << "\n";
  std::vector<LabelledDocument> documents;
  ASSERT_TRUE(ReadLabelled(path, false, &documents).ok());
  std::filesystem::remove(path);
  ASSERT_EQ(documents.size(), 1u);
  const LabelledDocument& d = documents[0];
  EXPECT_EQ(d.themes[*base::IndexOf(base::kThemes, "markets")], kMasked);
  EXPECT_EQ(d.themes[*base::IndexOf(base::kThemes, "censorship")], 1);
  EXPECT_EQ(d.stance[0], kMasked);
  EXPECT_EQ(d.stance[4], kAgainst);
  EXPECT_EQ(d.lean, kMasked);
}

TEST(Folds, OutletsTitlesAndFamiliesStayTogether) {
  std::vector<LabelledDocument> documents(6);
  documents[0].outlet = documents[1].outlet = "a.example";
  documents[1].title = "Same title";
  documents[2].title = "same  TITLE";
  documents[3].family = documents[4].family = "f";
  for (size_t i = 0; i < documents.size(); ++i)
    if (documents[i].title.empty()) documents[i].title = "t" + std::to_string(i);
  const auto groups = Groups(documents);
  EXPECT_EQ(groups[0], groups[1]);
  EXPECT_EQ(groups[1], groups[2]);
  EXPECT_EQ(groups[3], groups[4]);
  EXPECT_EQ((std::set<uint32_t>(groups.begin(), groups.end())).size(), 3u);
  const auto folds = AssignFolds(documents, groups, 3, true);
  EXPECT_EQ(folds[0], folds[2]);
  EXPECT_EQ(folds[3], folds[4]);
}

TEST(Folds, OwnPassagesMoveNoRealText) {
  std::vector<LabelledDocument> documents(9);
  for (size_t i = 0; i < documents.size(); ++i) {
    documents[i].title = "t" + std::to_string(i);
    documents[i].outlet = "o" + std::to_string(i);
    documents[i].labelled = i % 2 == 0;
  }
  const auto before = AssignFolds(documents, Groups(documents), 3, true);
  for (int i = 0; i < 7; ++i) {
    LabelledDocument passage;
    passage.title = "passage " + std::to_string(i);
    passage.family = "f" + std::to_string(i / 4);
    passage.own = passage.labelled = true;
    documents.push_back(passage);
  }
  const auto after = AssignFolds(documents, Groups(documents), 3, true);
  EXPECT_TRUE(std::equal(before.begin(), before.end(), after.begin()));
}

TEST(Folds, CountedTextsMoveNoOtherUnlessTheyCount) {
  std::vector<LabelledDocument> documents(9);
  for (size_t i = 0; i < documents.size(); ++i) {
    documents[i].outlet = "o" + std::to_string(i);
    documents[i].labelled = i % 2 == 0;
  }
  const auto before = AssignFolds(documents, Groups(documents), 3, false);
  for (int i = 0; i < 30; ++i) {
    LabelledDocument counted;
    counted.outlet = i == 0 ? "o4" : "c" + std::to_string(i);
    counted.labelled = true;
    counted.counted = std::make_shared<CountedText>();
    documents.push_back(counted);
  }
  const auto after = AssignFolds(documents, Groups(documents), 3, false);
  EXPECT_TRUE(std::equal(before.begin(), before.end(), after.begin()));
  EXPECT_EQ(after[9], after[4]);  // beside the text of its outlet
  std::array<int, 3> spread{};
  for (const uint32_t f : AssignFolds(documents, Groups(documents), 3, true)) ++spread[f];
  for (const int n : spread) EXPECT_GE(n, 11);
}

TEST(Shorten, CutsAtTheEndOfACharacter) {
  LabelledDocument d;
  d.text = "ab\u4e2d\u56fd";
  Shorten(4, &d);
  EXPECT_EQ(d.text, "ab");
  Shorten(0, &d);
  EXPECT_EQ(d.text, "");
}

TEST(Logistic, SeparatesWhatCanBeSeparatedAndIsCalibratedByCost) {
  SparseMatrix x;
  x.columns = 2;
  std::vector<Example> examples;
  for (uint32_t i = 0; i < 40; ++i) {
    x.column.push_back(i % 2);
    x.value.push_back(1);
    x.begin.push_back(i + 1);
    examples.push_back({i, i % 2 == 0, 1.0});
  }
  const LinearHead head = FitLogistic(x, examples, 0, 1);
  EXPECT_GT(head.Logit(x, 0), 2);
  EXPECT_LT(head.Logit(x, 1), -2);
  EXPECT_NEAR(head.Logit(x, 0), -head.Logit(x, 1), 0.1);
  // The optimum of L2-regularised logistic regression: w = sum of cost x (1 - p) over its examples.
  const double p = 1 / (1 + std::exp(-head.Logit(x, 0)));
  EXPECT_NEAR(head.weight[0], 20 * (1 - p), 0.05);
}

TEST(Logistic, ATellingColumnIsPenalisedLessThanACommonOne) {
  SparseMatrix x;
  x.columns = 2;  // 0 is in every text, 1 in those of one label
  std::vector<Example> examples;
  for (uint32_t i = 0; i < 40; ++i) {
    for (uint32_t j = 0; j < (i % 2 ? 1u : 2u); ++j) x.column.push_back(j), x.value.push_back(1);
    x.begin.push_back(static_cast<uint32_t>(x.column.size()));
    examples.push_back({i, i % 2 == 0, 0.1});
  }
  const LinearHead plain = FitLogistic(x, examples, 0, 1), scaled = FitLogistic(x, examples, 1, 1);
  EXPECT_GT(scaled.weight[1], 1.5 * plain.weight[1]);
  EXPECT_LT(std::fabs(scaled.weight[0]), std::fabs(plain.weight[0]));
}

TEST(Platt, BringsTheMeanProbabilityToTheShareOfPositives) {
  std::vector<Outcome> outcomes;
  for (int i = 0; i < 2000; ++i) outcomes.push_back({static_cast<float>(i % 10) - 2.0f, i % 10 == 9 || i % 20 == 5 || i % 20 == 17});
  const auto [slope, offset] = FitPlatt(outcomes);
  double mean = 0;
  for (const Outcome& o : outcomes) mean += Sigmoid(double{slope} * o.logit + offset) / 2000;
  EXPECT_NEAR(mean, 0.2, 0.01);
}

TEST(ThresholdForF1, LiesBetweenTheClassesWhenTheyAreApart) {
  std::vector<Scored> scored;
  for (int i = 0; i < 300; ++i) scored.push_back({0.9, true}), scored.push_back({0.1, false});
  EXPECT_NEAR(ThresholdForF1(scored), 0.5, 0.02);
}

TEST(ThresholdForF1, ToleranceTakesTheLowestCutThatIsNearlyAsGood) {
  std::vector<Scored> scored;
  for (int i = 0; i < 1000; ++i) scored.push_back({0.8, true}), scored.push_back({0.1, false});
  for (int i = 0; i < 10; ++i) scored.push_back({0.4, false});  // F1 1 above them, 0.995 below
  EXPECT_NEAR(ThresholdForF1(scored, 0), 0.6, 1e-6);
  EXPECT_NEAR(ThresholdForF1(scored, 0, 0.01), 0.25, 1e-6);
  EXPECT_NEAR(ThresholdForF1(scored, 0, 0.001), 0.6, 1e-6);
}

}  // namespace
}  // namespace racewatch::classify
