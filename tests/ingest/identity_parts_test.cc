// Publisher registry, language and article id: the small facts an article carries.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "ingest/article_id.h"
#include "ingest/language.h"
#include "ingest/publisher_registry.h"

namespace racewatch::ingest {
namespace {

TEST(PublisherRegistryTest, FindsTheLongestSuffix) {
  const PublisherRegistry registry;
  ASSERT_NE(registry.Find("www.nytimes.com"), nullptr);
  EXPECT_EQ(registry.Find("www.nytimes.com")->name, "The New York Times");
  EXPECT_EQ(registry.Find("asia.nikkei.com")->language, "en");
  EXPECT_EQ(registry.Find("www.nikkei.com")->language, "ja");
  EXPECT_EQ(registry.Find("unknown.example"), nullptr);
  EXPECT_GE(registry.size(), 300u);
}

TEST(PublisherRegistryTest, OneOwnerIsOneFamily) {
  const PublisherRegistry registry;
  EXPECT_EQ(registry.Find("wsj.com")->family, registry.Find("thetimes.co.uk")->family);
  EXPECT_EQ(registry.Find("globaltimes.cn")->family, registry.Find("people.com.cn")->family);
}

TEST(PublisherRegistryTest, GuessesTheGroupOfUnknownDomains) {
  EXPECT_EQ(PublisherRegistry::GroupOfDomain("blog.example.cn"), "china");
  EXPECT_EQ(PublisherRegistry::GroupOfDomain("example.de"), "europe");
  EXPECT_EQ(PublisherRegistry::GroupOfDomain("example.gov"), "us");
  EXPECT_EQ(PublisherRegistry::GroupOfDomain("example.com"), "other");
}

class OverrideTest : public testing::Test {
 protected:
  ~OverrideTest() override { std::filesystem::remove(path_); }
  void Write(const std::string& text) { std::ofstream(path_) << text; }
  const std::string path_ = (std::filesystem::temp_directory_path() / ("racewatch-publishers-" + std::to_string(getpid()))).string();
};

TEST_F(OverrideTest, AnOverrideFileReplacesAndAdds) {
  Write("nytimes.com\tThe Times\tnytco\tus\tus\ten\tnews\nnews.example\tExample\texample\tde\teurope\tde\tnews\n");
  PublisherRegistry registry;
  ASSERT_TRUE(registry.LoadOverride(path_).ok());
  EXPECT_EQ(registry.Find("nytimes.com")->name, "The Times");
  EXPECT_EQ(registry.Find("a.news.example")->group, "europe");
}

TEST_F(OverrideTest, ABadLineIsNamed) {
  Write("# comment\na.example\tA\ta\tde\tmars\tde\tnews\n");
  PublisherRegistry registry;
  const base::Status status = registry.LoadOverride(path_);
  EXPECT_EQ(status.code(), base::Code::kInvalidArgument);
  EXPECT_NE(status.message().find(":2: group 'mars'"), std::string::npos) << status.message();
  EXPECT_EQ(registry.LoadOverride("/nonexistent/x").code(), base::Code::kNotFound);
}

TEST(LanguageTest, ScriptsSettleWhatTheyCan) {
  EXPECT_EQ(DetectLanguage("美国扩大对华芯片出口管制", "", "en"), "zh");
  EXPECT_EQ(DetectLanguage("生成AIの規制について政府が方針を示した", "", ""), "ja");
  EXPECT_EQ(DetectLanguage("반도체 수출 통제 강화", "", ""), "ko");
  EXPECT_EQ(DetectLanguage("OpenAI 发布 GPT 新模型，价格下调", "", ""), "zh");
}

TEST(LanguageTest, TheTextDecidesBeforeTheLabel) {
  EXPECT_EQ(DetectLanguage("The Commerce Department expands export controls on advanced chips",
                           "Officials said on Tuesday that the new rules would take effect next month.", "zh-CN"),
            "en");
  EXPECT_EQ(DetectLanguage("Die Bundesregierung will mehr Rechenzentren bauen",
                           "Das sagte der Minister am Dienstag in Berlin nach einem Treffen mit der Branche.", ""),
            "de");
}

TEST(LanguageTest, TheLabelDecidesWhereTheTextDoesNot) {
  EXPECT_EQ(DetectLanguage("GPT-5", "", "fr-FR"), "fr");
  EXPECT_EQ(DetectLanguage("12345", "", ""), "und");
  EXPECT_EQ(DetectLanguage("", "", "nonsense-label"), "und");
}

TEST(LanguageTest, ReadsTagsAsTheyAreSpelt) {
  EXPECT_EQ(PrimaryLanguage("zh_Hans_CN"), "zh");
  EXPECT_EQ(PrimaryLanguage("EN-us"), "en");
  EXPECT_EQ(PrimaryLanguage("nb"), "no");
  EXPECT_EQ(PrimaryLanguage("english"), "");
}

TEST(ArticleIdTest, HasThirtyTwoHexDigitsAndSurvivesBytes) {
  const ArticleId id = UrlKey("example.com/a");
  EXPECT_EQ(id.ToHex().size(), 32u);
  const auto bytes = id.ToBytes();
  EXPECT_EQ(ArticleId::FromBytes({bytes.data(), bytes.size()}), id);
}

// Stored ids and digests rest on these values: a change of the rule needs a new kIdRule.
TEST(ArticleIdTest, TheRuleDoesNotChangeUnnoticed) {
  EXPECT_EQ(kIdRule, 1u);
  EXPECT_EQ(UrlKey("example.com/a").ToHex(), "263705f869b4a643e980bfc85232a903");
}

TEST(ArticleIdTest, AGuidNamesAnArticleOfItsFeedOnly) {
  EXPECT_NE(GuidKey("feed-a", "1"), GuidKey("feed-b", "1"));
  EXPECT_NE(GuidKey("feed", "1"), TextKey("feed", "1"));
}

}  // namespace
}  // namespace racewatch::ingest
