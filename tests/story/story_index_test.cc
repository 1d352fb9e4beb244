#include "store/story/story_index.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "tests/story/story_texts.h"

namespace racewatch::store {
namespace {

using fakes::MadeUpText;

constexpr base::UnixMs kDayMs = 24 * 3600 * 1000;

class StoryIndexTest : public testing::Test {
 protected:
  StoryDecision Add(const std::string& id, const std::string& title, const std::string& text, const std::string& url,
                    int64_t day = 1, const std::string& language = "") {
    return index_.Add({.id = id, .title = title, .text = text, .url = url, .published_ms = day * kDayMs, .language = language});
  }
  StoryIndex index_;
};

const std::string kTitle = "Chip makers report a strong second quarter";

TEST_F(StoryIndexTest, TheFirstArticleIsItsOwnStory) {
  const StoryDecision decision = Add("a", kTitle, MadeUpText(1, 300), "https://one.example/a");
  EXPECT_EQ(decision.relation, StoryRelation::kNew);
  EXPECT_EQ(decision.story, "a");
  EXPECT_TRUE(decision.of.empty());
}

TEST_F(StoryIndexTest, TheSameTextElsewhereIsExactWhateverQuotesSpacesAndForm) {
  Add("a", kTitle, "“Caf\xC3\xA9” prices in Z\xC3\xBCrich rose by 12 percent, the agency’s officials said on Monday.", "https://one.example/a");
  const StoryDecision copy = Add("b", "Another headline for it", "\"Cafe\xCC\x81\"  prices in Zu\xCC\x88rich rose by 12 percent, the agency's officials said on Monday.",
                                 "https://two.example/b");
  EXPECT_EQ(copy.relation, StoryRelation::kExact);
  EXPECT_EQ(copy.story, "a");
  EXPECT_EQ(copy.similarity, 1);
}

TEST_F(StoryIndexTest, AWireCopyWithFurnitureAndACutTailIsNear) {
  const std::string text = MadeUpText(2, 400);
  Add("a", kTitle, text, "https://one.example/a");
  const StoryDecision copy = Add("b", kTitle, "Sign in or subscribe today. Share this page. " + text.substr(0, text.size() * 2 / 3) + " Related links follow.",
                                 "https://two.example/b");
  EXPECT_EQ(copy.relation, StoryRelation::kNear);
  EXPECT_EQ(copy.kind, StoryKind::kWire);
  EXPECT_EQ(copy.story, "a");
  EXPECT_EQ(copy.of, "a");
}

TEST_F(StoryIndexTest, AMachineSpunCopyIsNearAndSaysSo) {
  const std::string text = MadeUpText(3, 400);
  Add("a", "Name3a doubles its shipments", text, "https://one.example/a");
  const StoryDecision copy = Add("b", "Name3a reworded its consignments", fakes::Spun(text), "https://two.example/b");
  EXPECT_EQ(copy.relation, StoryRelation::kNear);
  EXPECT_EQ(copy.kind, StoryKind::kSpun);
  EXPECT_EQ(copy.story, "a");
}

TEST_F(StoryIndexTest, AnotherTextAtTheSameAddressIsARevision) {
  const std::string text = MadeUpText(4, 300);
  Add("a", kTitle, text, "https://one.example/news/1");
  const StoryDecision revision = Add("b", kTitle, text + " One more paragraph was added by Name4b.", "http://one.example/news/1#top");
  EXPECT_EQ(revision.relation, StoryRelation::kRevision);
  EXPECT_EQ(revision.story, "a");
}

TEST_F(StoryIndexTest, TwoArticlesAtAHomePageAreNoRevisions) {
  Add("a", kTitle, MadeUpText(5, 300), "https://one.example/");
  EXPECT_EQ(Add("b", "Officials study licences for power projects", MadeUpText(6, 300), "https://one.example/").relation, StoryRelation::kNew);
}

TEST_F(StoryIndexTest, AnArticleSeenBeforeKeepsItsStory) {
  const std::string text = MadeUpText(7, 300);
  Add("a", kTitle, text, "https://one.example/a");
  Add("b", kTitle, text, "https://two.example/b");
  const StoryDecision again = Add("b", kTitle, text, "https://two.example/b");
  EXPECT_EQ(again.relation, StoryRelation::kExact);
  EXPECT_EQ(again.story, "a");
  const StoryDecision changed = Add("b", kTitle, MadeUpText(8, 300), "https://two.example/b");
  EXPECT_EQ(changed.relation, StoryRelation::kRevision);
  EXPECT_EQ(changed.story, "a");
  EXPECT_EQ(changed.of, "b");
}

TEST_F(StoryIndexTest, TwoIssuesOfOneFormStayApart) {
  const auto form = [](const std::string& state, const std::string& number) {
    return "The President declared that a major disaster exists in the State of " + state + " and ordered federal aid for the counties of " + state +
           "ville and North " + state + " beginning on day " + number + ". " + MadeUpText(9, 80);
  };
  Add("a", "President approves Kansas disaster declaration", form("Kansas", "1401"), "https://gov.example/1", 1);
  EXPECT_EQ(Add("b", "President approves Iowa disaster declaration", form("Iowa", "1777"), "https://gov.example/2", 40).relation, StoryRelation::kNew);
}

TEST_F(StoryIndexTest, PagesOfOneSiteThatShareOnlyFurnitureStayApart) {
  const std::string furniture = MadeUpText(10, 250);
  Add("a", "Grid operators warn of a cold winter", furniture + MadeUpText(11, 20), "https://one.example/1");
  EXPECT_EQ(Add("b", "Museum of glass opens in Ghent", furniture + MadeUpText(12, 20), "https://one.example/2").relation, StoryRelation::kNew);
}

TEST_F(StoryIndexTest, AnItemWithoutTextJoinsTheOneStoryOfItsTitle) {
  Add("a", kTitle, MadeUpText(13, 300), "https://one.example/a");
  EXPECT_EQ(Add("b", kTitle + " - Harbor Post", "", "https://two.example/b").story, "a");
  EXPECT_EQ(Add("c", "Weather", "", "https://three.example/c").relation, StoryRelation::kNew);
}

TEST_F(StoryIndexTest, ATitleThatSeveralStoriesBearDecidesNothing) {
  Add("a", kTitle, MadeUpText(14, 300), "https://one.example/a", 1);
  Add("b", kTitle, MadeUpText(15, 300), "https://two.example/b", 60);
  EXPECT_EQ(Add("c", kTitle, "", "https://three.example/c", 61).relation, StoryRelation::kNew);
}

TEST_F(StoryIndexTest, ChineseCopiesJoinByCharacters) {
  const std::string text = "国家数据局周一表示，今年上半年新增算力中心一百二十座，北京、上海和深圳的企业采购了大部分国产加速卡，分析师认为出口限制推动了这一变化。";
  Add("a", "上半年新增算力中心一百二十座", text, "https://one.example/a");
  const StoryDecision copy = Add("b", "国产加速卡采购大增", "来源：某网站 " + text + " 责任编辑", "https://two.example/b");
  EXPECT_EQ(copy.story, "a");
}

TEST_F(StoryIndexTest, TextsOfTwoKnownLanguagesNeverJoin) {
  const std::string text = MadeUpText(16, 300);
  Add("a", kTitle, text, "https://one.example/a", 1, "en");
  EXPECT_EQ(Add("b", kTitle, text, "https://two.example/b", 1, "de").relation, StoryRelation::kNew);
  EXPECT_EQ(Add("c", kTitle, text, "https://three.example/c", 1, "und").story, "a");
}

// A stream with copies, revisions and evictions.
std::vector<std::pair<StoryInput, std::vector<std::string>>> Stream(size_t n) {
  std::vector<std::pair<StoryInput, std::vector<std::string>>> stream(n);
  for (size_t i = 0; i < n; ++i) {
    auto& [input, owned] = stream[i];
    const size_t original = i % 3 == 0 ? i : i - i % 3;
    char id[33];
    std::snprintf(id, sizeof(id), "%032zx", i);
    owned = {i % 5 == 0 ? "plain-" + std::to_string(i) : id, "Title number " + std::to_string(original) + " of Name" + std::to_string(original),
             MadeUpText(original, 120 + i % 3 * 10), "https://host" + std::to_string(i) + ".example/p"};
    input = {.id = owned[0], .title = owned[1], .text = owned[2], .url = owned[3], .published_ms = kDayMs};
  }
  return stream;
}

std::string Line(const StoryDecision& d) {
  return d.story + " " + std::string(RelationName(d.relation)) + " " + d.of + " " + std::to_string(d.similarity) + " " + std::to_string(d.sequence);
}

TEST(StoryIndexRestoreTest, AnIndexBuiltFromKeptEntriesDecidesAsTheOldOneWould) {
  const auto stream = Stream(600);
  StoryIndex whole({.window_articles = 150});
  std::map<uint64_t, std::string> kept;
  for (size_t i = 0; i < 400; ++i) {
    const StoryDecision decision = whole.Add(stream[i].first);
    kept[decision.sequence] = whole.EncodeEntry(decision.sequence);
    if (decision.evicted) kept.erase(*decision.evicted);
  }
  ASSERT_EQ(kept.size(), 150u);
  StoryIndex rebuilt({.window_articles = 150});
  for (const auto& [sequence, bytes] : kept) ASSERT_TRUE(rebuilt.Restore(sequence, bytes).ok());
  EXPECT_EQ(rebuilt.size(), 150u);
  for (size_t i = 400; i < stream.size(); ++i) EXPECT_EQ(Line(whole.Add(stream[i].first)), Line(rebuilt.Add(stream[i].first)));
}

TEST(StoryIndexRestoreTest, DamagedEntriesAndWrongOrderAreRefused) {
  StoryIndex index;
  const StoryDecision decision = index.Add({.id = "a", .title = kTitle, .text = MadeUpText(1, 60), .url = "https://one.example/a"});
  const std::string good = index.EncodeEntry(decision.sequence);
  StoryIndex other;
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x10);
    EXPECT_EQ(other.Restore(1, bad).code(), base::Code::kDataLoss) << "byte " << i;
  }
  EXPECT_EQ(other.Restore(1, good.substr(0, good.size() / 2)).code(), base::Code::kDataLoss);
  EXPECT_EQ(other.size(), 0u);
  EXPECT_TRUE(other.Restore(5, good).ok());
  EXPECT_EQ(other.Restore(5, good).code(), base::Code::kInvalidArgument);
  EXPECT_EQ(other.StoryOf("a"), "a");
}

TEST(StoryIndexWindowTest, TheOldestEntryLeavesAndItsStoryNameStays) {
  StoryIndex index({.window_articles = 3});
  const std::string text = MadeUpText(1, 200);
  const auto add = [&](const std::string& id, const std::string& body) {
    return index.Add({.id = id, .title = kTitle + " " + id.substr(0, 1), .text = body, .url = "https://" + id + ".example/x"});
  };
  add("a1", text);
  EXPECT_EQ(add("a2", text).story, "a1");
  add("b", MadeUpText(2, 200));
  const StoryDecision fourth = add("c", MadeUpText(3, 200));
  EXPECT_EQ(fourth.evicted, 1u);
  EXPECT_EQ(index.size(), 3u);
  EXPECT_FALSE(index.StoryOf("a1"));
  EXPECT_EQ(add("a3", text).story, "a1") << "joins through a2, under the name of the first article";
  EXPECT_TRUE(index.EncodeEntry(1).empty());
}

TEST(StoryIndexWindowTest, MemoryStaysWithinSevenTenthsOfAKilobyteAnArticle) {
  constexpr size_t kWindow = 8192;
  StoryIndex index({.window_articles = kWindow});
  char id[33];
  for (size_t i = 0; i < kWindow + 2000; ++i) {
    std::snprintf(id, sizeof(id), "%032zx", i * 7919);
    const std::string text = MadeUpText(i, 450), title = "Title of Name" + std::to_string(i) + " and others";
    const std::string url = "https://host" + std::to_string(i % 50) + ".example/" + std::to_string(i);
    index.Add({.id = id, .title = title, .text = text, .url = url});
  }
  EXPECT_EQ(index.size(), kWindow);
  EXPECT_LE(static_cast<double>(index.memory_bytes()) / kWindow, 700);
  RecordProperty("bytes_per_article", static_cast<int>(index.memory_bytes() / kWindow));
}

TEST(StoryIndexInputTest, OddInputIsTakenWithoutHarm) {
  StoryIndex index;
  const std::string zeros(5000, '\0'), broken(5000, '\xE4'), long_word(300000, 'x');
  EXPECT_EQ(index.Add({.id = "z", .title = zeros, .text = zeros}).relation, StoryRelation::kNew);
  EXPECT_EQ(index.Add({.id = "b", .title = broken, .text = broken, .url = "not an address"}).relation, StoryRelation::kNew);
  EXPECT_EQ(index.Add({.id = "l", .title = "", .text = long_word}).relation, StoryRelation::kNew);
  EXPECT_EQ(index.Add({.id = std::string(70, 'i'), .title = "", .text = ""}).relation, StoryRelation::kNew);
}

}  // namespace
}  // namespace racewatch::store
