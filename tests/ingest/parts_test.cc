// The small pure parts that shape articles: aggregator links, entry rules, what an edit changed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ingest/aggregator.h"
#include "ingest/article_edit.h"
#include "ingest/page_source.h"

namespace racewatch::ingest {
namespace {

using testing::ElementsAre;

TEST(UnwrapUrlTest, FindsThePublishersAddress) {
  EXPECT_EQ(UnwrapUrl("https://www.bing.com/news/apiclick.aspx?ref=x&url=https%3a%2f%2fp.example%2fa&c=1"), "https://p.example/a");
  EXPECT_EQ(UnwrapUrl("https://www.google.com/url?rct=j&url=https%3A%2F%2Fwww.google.com%2Furl%3Fq%3Dhttps%253A%252F%252Fp.example%252Fa"), "https://p.example/a");
  EXPECT_EQ(UnwrapUrl("https://link.zhihu.com/?target=https%3A//p.example/a"), "https://p.example/a");
}

TEST(UnwrapUrlTest, LeavesOtherAddressesAlone) {
  for (const char* url : {"https://p.example/url?url=https%3A%2F%2Fq.example", "https://www.google.com/url?q=javascript%3Aalert", "https://news.google.com/rss/articles/AU_yqLtoken",
                          "https://notgoogle.com/url?q=https://p.example/", "", "nonsense", "https://www.google.com/url?q=file%3A%2F%2F%2Fetc%2Fpasswd"})
    EXPECT_EQ(UnwrapUrl(url), std::nullopt) << url;
}

TEST(ArticleEditTest, VersionsOfDifferentQualityAreNoEditOfEachOther) {
  v1::Article summary;
  summary.set_title("T");
  summary.set_text("Short.");
  summary.set_body_quality(v1::BODY_QUALITY_SUMMARY);
  v1::SeenArticle seen;
  RememberVersion(summary, &seen);
  seen.set_body_quality(v1::BODY_QUALITY_SUMMARY);
  v1::Article full = summary;
  full.set_text("Long.\n\nLonger.");
  full.set_body_quality(v1::BODY_QUALITY_FULL);
  DescribeEdit(seen, &full);
  EXPECT_FALSE(full.has_edit());
}

TEST(ArticleEditTest, ARepeatedParagraphCountsEachTime) {
  v1::Article before;
  before.set_title("T");
  before.set_text("Same.\n\nSame.\n\nGone.");
  v1::SeenArticle seen;
  RememberVersion(before, &seen);
  v1::Article after = before;
  after.set_text("Same.\n\nNew.\n\nSame.\n\nSame.");
  DescribeEdit(seen, &after);
  ASSERT_EQ(after.edit().added_size(), 2);
  EXPECT_EQ(after.text().substr(after.edit().added(0).start(), after.edit().added(0).length()), "New.");
  EXPECT_EQ(after.text().substr(after.edit().added(1).start(), after.edit().added(1).length()), "Same.");
  EXPECT_EQ(after.edit().removed_paragraphs(), 1u);
  EXPECT_EQ(after.edit().title_before(), "");
}

TEST(DiscoveredFeedsTest, LeavesOutCommentsAndSecondFormats) {
  Page page;
  page.feeds = {{"https://d.example/rss", "application/rss+xml", "News"}, {"https://d.example/atom", "application/atom+xml", "News"},
                {"https://d.example/comments/feed", "application/rss+xml", "Latest comments"}, {"https://d.example/tech", "application/rss+xml", "Tech"}};
  EXPECT_THAT(DiscoveredFeeds(page, 5), ElementsAre("https://d.example/rss", "https://d.example/tech"));
  EXPECT_THAT(DiscoveredFeeds(page, 1), ElementsAre("https://d.example/rss"));
}

}  // namespace
}  // namespace racewatch::ingest
