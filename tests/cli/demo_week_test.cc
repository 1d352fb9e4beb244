#include "cli/demo_week.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/taxonomy.h"

namespace racewatch::cli {
namespace {

const DemoWeek& Week() {
  static const DemoWeek week = [] {
    auto loaded = LoadDemoWeek(DemoDataDir());
    EXPECT_TRUE(loaded.ok()) << loaded.status().ToString();
    return loaded.ok() ? *loaded : DemoWeek();
  }();
  return week;
}

DemoWeek OneFeed() {
  DemoWeek week;
  DemoFeed feed;
  feed.id = "post";
  feed.host = "post.example";
  feed.link_pattern = "/{slug}";
  week.feeds.push_back(feed);
  return week;
}

// Characters, not bytes.
size_t Length(const DemoVersion& version) {
  size_t n = 0;
  for (const std::string& p : version.paragraphs)
    n += static_cast<size_t>(std::count_if(p.begin(), p.end(), [](char c) { return (c & 0xC0) != 0x80; }));
  return n;
}

TEST(DemoWeek, HasAtLeastThreeHundredArticlesInTwelveFeeds) {
  EXPECT_GE(Week().articles.size(), 300u);
  std::map<size_t, int> per_feed;
  for (const DemoArticle& article : Week().articles) ++per_feed[article.feed];
  EXPECT_EQ(per_feed.size(), Week().feeds.size()) << "a feed without articles";
  EXPECT_GE(per_feed.size(), 12u);
}

TEST(DemoWeek, HasEveryFormatLanguageGroupAndDesk) {
  std::set<DemoFormat> formats;
  std::set<std::string> languages, groups, desks;
  for (const DemoFeed& feed : Week().feeds) {
    formats.insert(feed.format);
    languages.insert(feed.language.substr(0, 2));
    groups.insert(feed.publisher_group);
    desks.insert(feed.desk);
  }
  EXPECT_EQ(formats.size(), 4u);
  EXPECT_EQ(languages, (std::set<std::string>{"de", "en", "fr", "zh"}));
  EXPECT_EQ(groups, std::set<std::string>(base::kPublisherGroups.begin(), base::kPublisherGroups.end()));
  EXPECT_TRUE(desks.contains("technology") && desks.contains("policy"));
}

TEST(DemoWeek, GivesEachArticleALinkAndGuidOfItsOwn) {
  std::set<std::string> links, guids;
  for (const DemoArticle& article : Week().articles) {
    EXPECT_TRUE(links.insert(article.link).second) << article.link;
    EXPECT_TRUE(guids.insert(std::to_string(article.feed) + " " + article.guid).second) << article.guid;
    EXPECT_NE(article.link.find(".example/"), std::string::npos) << article.link;
  }
}

TEST(DemoWeek, LabelsOnlyWithNamesOfTheTaxonomy) {
  for (const DemoArticle& article : Week().articles) {
    for (const DemoVersion& version : article.versions) {
      const DemoLabels& labels = version.labels;
      for (const std::string& theme : labels.themes) EXPECT_TRUE(base::IndexOf(base::kThemes, theme)) << article.slug << ' ' << theme;
      for (const auto& [target, position] : labels.stance) {
        EXPECT_TRUE(base::IndexOf(base::kTargets, target)) << article.slug << ' ' << target;
        EXPECT_TRUE(position == "favor" || position == "against" || position == "neutral") << article.slug;
      }
      if (!labels.relevant) continue;
      EXPECT_TRUE(labels.lean == "us" || labels.lean == "china" || labels.lean == "neutral") << article.slug;
      EXPECT_FALSE(labels.themes.empty()) << article.slug;
    }
  }
}

TEST(DemoWeek, SpeaksOfEveryThemeTargetPositionAndLean) {
  std::set<std::string> themes, stances, leans;
  for (const DemoArticle& article : Week().articles) {
    for (const DemoVersion& version : article.versions) {
      if (!version.labels.relevant) continue;
      themes.insert(version.labels.themes.begin(), version.labels.themes.end());
      for (const auto& [target, position] : version.labels.stance) stances.insert(target + "=" + position);
      leans.insert(version.labels.lean);
    }
  }
  EXPECT_EQ(themes.size(), base::kThemes.size());
  EXPECT_EQ(stances.size(), base::kTargets.size() * 3);
  EXPECT_EQ(leans.size(), 3u);
}

TEST(DemoWeek, IsAtLeastAFifthOtherNews) {
  const auto off = std::count_if(Week().articles.begin(), Week().articles.end(),
                                 [](const DemoArticle& a) { return !a.versions.front().labels.relevant; });
  EXPECT_GE(static_cast<size_t>(off) * 5, Week().articles.size());
}

TEST(DemoWeek, BurstsOnceWithManyPublishersWithinTwoHours) {
  constexpr int64_t kTwoHours = 2 * 3'600'000;
  size_t most = 0;
  for (const DemoArticle& first : Week().articles) {
    std::set<size_t> publishers;
    for (const DemoArticle& article : Week().articles) {
      const int64_t after = article.published_ms() - first.published_ms();
      const auto& themes = article.versions.front().labels.themes;
      if (after >= 0 && after < kTwoHours && std::count(themes.begin(), themes.end(), "export_controls")) publishers.insert(article.feed);
    }
    most = std::max(most, publishers.size());
  }
  EXPECT_GE(most, 10u);
}

TEST(DemoWeek, EditsAtLeastTwoArticles) {
  EXPECT_GE(std::count_if(Week().articles.begin(), Week().articles.end(),
                          [](const DemoArticle& a) { return a.versions.size() > 1; }), 2);
}

TEST(DemoWeek, WritesTextsOfReadableLength) {
  for (const DemoArticle& article : Week().articles)
    for (const DemoVersion& version : article.versions) {
      EXPECT_GE(Length(version), 100u) << article.slug;
      EXPECT_LE(Length(version), 2500u) << article.slug;
    }
}

TEST(DemoWeek, RepeatsNoTextExceptWhereAWireIsCopied) {
  std::map<std::string, std::string> seen;
  for (const DemoArticle& article : Week().articles) {
    const std::string& opening = article.versions.front().paragraphs.front();
    const auto [it, fresh] = seen.emplace(opening, article.slug);
    EXPECT_TRUE(fresh || it->second == article.slug) << article.slug << " opens like " << it->second;
  }
}

TEST(DemoArticles, NameTheLineOfAMistake) {
  DemoWeek week = OneFeed();
  EXPECT_EQ(ParseDemoArticles("// note\n== nobody 0 00:00 a | | \n", "f.txt", &week).ToString(),
            "INVALID_ARGUMENT: f.txt:2: unknown feed 'nobody'");
  EXPECT_EQ(ParseDemoArticles("== post 7 00:00 a | | \n", "f.txt", &week).ToString(),
            "INVALID_ARGUMENT: f.txt:1: bad time '7 00:00'");
  EXPECT_EQ(ParseDemoArticles("== post 0 00:00 a | | \n-- off\n# T\n", "f.txt", &week).code(), base::Code::kInvalidArgument);
}

TEST(DemoArticles, JoinLinesOfAParagraphAndTakeALaterVersionAsAnEdit) {
  DemoWeek week = OneFeed();
  ASSERT_TRUE(ParseDemoArticles("== post 0 01:00 a | | \n-- off\n# New\n\nlater\n== post 0 00:30 a | | \n-- off\n# Old\n\none\ntwo\n", "f", &week).ok());
  ASSERT_EQ(week.articles.size(), 1u);
  EXPECT_EQ(week.articles[0].At(0), nullptr);
  EXPECT_EQ(week.articles[0].At(30 * 60'000)->paragraphs, std::vector<std::string>{"one two"});
  EXPECT_EQ(week.articles[0].At(60 * 60'000)->title, "New");
}

}  // namespace
}  // namespace racewatch::cli
