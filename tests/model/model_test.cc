#include "classify/model/model.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "classify/model/decision.h"
#include "racewatch/v1/classifier_service.pb.h"
#include "racewatch/v1/tags.pb.h"

namespace racewatch::classify {
namespace {

const Model& Shipped() {
  static const std::unique_ptr<Model> model = std::move(Model::Load(DefaultModelPath())).value();
  return *model;
}

constexpr std::string_view kTitle = "Nvidia chief says chip export controls on China have failed";
constexpr std::string_view kText =
    "Jensen Huang said US export controls on advanced AI chips had backfired: they spurred Huawei and other "
    "Chinese companies to catch up with America. Washington should lift the restrictions, he argued. "
    "人工智能芯片管制适得其反。";

v1::Tags Tag(std::string_view title, std::string_view text, std::string_view language = "") {
  Scratch scratch;
  v1::Tags tags;
  Shipped().Classify({title, text, language}, scratch, &tags);
  return tags;
}

bool HasTheme(const v1::Tags& tags, std::string_view id) {
  for (const v1::ThemeTag& theme : tags.themes())
    if (theme.id() == id) return true;
  return false;
}

// Every promise of the contract that holds for any document whatever it says.
void ExpectContract(const v1::Tags& tags, size_t bytes) {
  EXPECT_EQ(tags.model_version(), Shipped().version());
  EXPECT_EQ(tags.taxonomy_version(), base::kTaxonomyVersion);
  EXPECT_FALSE(tags.language().empty());
  const auto probability = [](double p) { return p >= 0 && p <= 1; };
  EXPECT_TRUE(probability(tags.relevance().score()));
  EXPECT_EQ(tags.has_lean(), tags.relevance().label());
  if (!tags.relevance().label()) {
    EXPECT_EQ(tags.themes_size() + tags.stance_size() + tags.evidence_size(), 0);
    return;
  }
  std::map<std::string, int> per_label;
  for (const v1::ThemeTag& theme : tags.themes()) {
    EXPECT_TRUE(base::IndexOf(base::kThemes, theme.id())) << theme.id();
    EXPECT_TRUE(probability(theme.score()));
  }
  for (const v1::StanceTag& stance : tags.stance()) {
    EXPECT_TRUE(base::IndexOf(base::kTargets, stance.target()));
    EXPECT_TRUE(base::IndexOf(base::kPositions, stance.position()));
    EXPECT_TRUE(probability(stance.score()));
  }
  EXPECT_TRUE(base::IndexOf(base::kLeans, tags.lean().label()));
  for (const v1::Evidence& e : tags.evidence()) {
    EXPECT_LE(size_t{e.start()} + e.length(), bytes);
    EXPECT_GT(e.length(), 0u);
    EXPECT_GT(e.weight(), 0);
    EXPECT_LE(++per_label[e.label()], 5);
  }
}

TEST(Model, TagsAClearTextAsAReaderWould) {
  const v1::Tags tags = Tag(kTitle, kText);
  ExpectContract(tags, kTitle.size() + 1 + kText.size());
  EXPECT_TRUE(tags.relevance().label());
  EXPECT_EQ(tags.language(), "en");
  EXPECT_EQ(tags.text_scope(), v1::TEXT_SCOPE_SUMMARY);
  EXPECT_TRUE(HasTheme(tags, "export_controls"));
  EXPECT_TRUE(HasTheme(tags, "chips_compute"));
  ASSERT_GT(tags.stance_size(), 0);
}

TEST(Model, ATitleAloneCanBeRelevant) {
  const v1::Tags tags = Tag("US tightens export controls on AI chips for China", "");
  EXPECT_EQ(tags.text_scope(), v1::TEXT_SCOPE_TITLE);
  EXPECT_TRUE(tags.relevance().label()) << tags.relevance().score();
  EXPECT_FALSE(Tag("Rain ends play on the third day of the test", "").relevance().label());
}

TEST(Scope, IsATitleASummaryOrAFullText) {
  EXPECT_EQ(ScopeOf(" \n"), kTitleScope);
  EXPECT_EQ(ScopeOf("A sentence."), kSummaryScope);
  EXPECT_EQ(ScopeOf(std::string(kSummaryBytes, 'a')), kFullScope);
}

TEST(Model, LeavesOtherNewsAlone) {
  const v1::Tags tags = Tag("Bakery wins prize", "The bakery in the old town won a prize for its rye bread.");
  EXPECT_FALSE(tags.relevance().label());
  ExpectContract(tags, 100);
}

TEST(Model, EvidenceSpansCutWholeCharactersOutOfTheDocument) {
  const std::string document = std::string(kTitle) + "\n" + std::string(kText);
  const v1::Tags tags = Tag(kTitle, kText);
  std::set<std::string> labels;
  for (const v1::Evidence& e : tags.evidence()) {
    labels.insert(e.label());
    ASSERT_LE(size_t{e.start()} + e.length(), document.size());
    const auto continues = [&](size_t at) { return at < document.size() && (static_cast<uint8_t>(document[at]) & 0xC0) == 0x80; };
    EXPECT_FALSE(continues(e.start())) << e.start();
    EXPECT_FALSE(continues(e.start() + e.length())) << e.start();
    EXPECT_NE(document[e.start()], ' ');
  }
  EXPECT_TRUE(labels.count("relevance"));
  EXPECT_TRUE(labels.count("theme:export_controls"));
}

TEST(Model, ExplanationAddsUpToTheLogit) {
  Scratch scratch;
  v1::ExplainResponse response;
  ASSERT_TRUE(Shipped().Explain({kTitle, kText, ""}, Shipped().labels(), scratch, &response).ok());
  ASSERT_EQ(static_cast<size_t>(response.labels_size()), Shipped().labels().size());
  for (const v1::LabelExplanation& label : response.labels()) {
    double sum = label.bias();
    for (const v1::Contribution& c : label.contributions()) sum += c.weight();
    EXPECT_NEAR(sum, label.logit(), 1e-3) << label.label();
    EXPECT_GT(label.contributions_size(), 0);
    EXPECT_FALSE(label.contributions(0).feature().empty());
    EXPECT_GT(label.contributions(0).spans_size(), 0);
  }
}

TEST(Model, ExplanationOfAnIrrelevantTextAddsUpToo) {
  Scratch scratch;
  v1::ExplainResponse response;
  ASSERT_TRUE(Shipped().Explain({"Bakery wins prize", "The bakery won.", ""}, {}, scratch, &response).ok());
  ASSERT_EQ(response.labels_size(), 1);
  double sum = response.labels(0).bias();
  for (const v1::Contribution& c : response.labels(0).contributions()) sum += c.weight();
  EXPECT_NEAR(sum, response.labels(0).logit(), 1e-3);
  EXPECT_NEAR(response.labels(0).probability(), response.tags().relevance().score(), 1e-9);
}

TEST(Model, ExplainNamesALabelThatDoesNotExist) {
  Scratch scratch;
  v1::ExplainResponse response;
  const base::Status status = Shipped().Explain({kTitle, kText, ""}, {"theme:football"}, scratch, &response);
  EXPECT_EQ(status.code(), base::Code::kInvalidArgument);
  EXPECT_NE(status.message().find("theme:football"), std::string::npos);
}

TEST(Model, ATextMeansTheSameAfterAnyOtherText) {
  Scratch scratch;
  v1::Tags first, again;
  Shipped().Classify({kTitle, kText, ""}, scratch, &first);
  Shipped().Classify({"华为发布新芯片", std::string(300000, 'x'), ""}, scratch, &again);
  Shipped().Classify({kTitle, kText, ""}, scratch, &again);
  EXPECT_EQ(first.SerializeAsString(), again.SerializeAsString());
}

TEST(Model, TraditionalAndSimplifiedFullAndHalfWidthGetTheSameScores) {
  const auto scores = [](std::string_view title, std::string_view text) {
    Scratch scratch;
    return Shipped().Score({title, text, "zh"}, scratch);
  };
  const Scores simplified = scores("美国收紧AI芯片出口", "美国商务部对中国收紧人工智能芯片出口管制。");
  const Scores traditional = scores("美國收緊ＡＩ芯片出口", "美國商務部對中國收緊人工智能芯片出口管制。");
  EXPECT_DOUBLE_EQ(simplified.relevance, traditional.relevance);
  EXPECT_EQ(simplified.themes, traditional.themes);
  EXPECT_GT(simplified.relevance, 0.5);
}

struct Hostile {
  const char* name;
  std::string title, text;
};

std::vector<Hostile> HostileInputs() {
  std::string repeated, mixed, bidi;
  for (int i = 0; i < 200000; ++i) repeated += "China ";
  for (int i = 0; i < 20000; ++i) mixed += "芯片chipчипチップ칩شريحة ";
  for (int i = 0; i < 20000; ++i) bidi += "\u202EChina\u200B\u2066 AI\u00AD";
  std::string sentence;
  for (int i = 0; i < 50000; ++i) sentence += "China US lead not ban, ";
  return {{"empty", "", ""},
          {"spaces", " \n\t", "\n\n"},
          {"invalid UTF-8", "\xFF\xFE\x80", std::string(5000, '\xC3')},
          {"overlong and surrogates", "\xC0\xAF", "\xED\xA0\x80\xF4\x90\x80\x80"},
          {"zeros", std::string(10, '\0'), std::string(5000, '\0')},
          {"ten megabytes", "China", std::string(10 << 20, 'a')},
          {"one repeated word", "China", repeated},
          {"a sentence without end", "US", sentence},
          {"mixed scripts", "AI", mixed},
          {"bidi and zero width", "AI", bidi},
          {"HTML left in", "<h1>AI</h1>", "<p>China&nbsp;and the <b>US</b> race</p><script>x</script>"}};
}

TEST(Model, HostileInputGetsASaneAnswer) {
  for (const Hostile& input : HostileInputs()) {
    SCOPED_TRACE(input.name);
    ExpectContract(Tag(input.title, input.text), input.title.size() + 1 + input.text.size());
  }
}

TEST(Model, LoadSaysWhichFileIsMissing) {
  const auto model = Model::Load("/nonexistent/racewatch.model");
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.status().code(), base::Code::kNotFound);
  EXPECT_NE(model.status().message().find("/nonexistent/racewatch.model"), std::string::npos);
}

}  // namespace
}  // namespace racewatch::classify
