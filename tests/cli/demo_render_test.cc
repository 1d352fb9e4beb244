#include "cli/demo_render.h"

#include <gtest/gtest.h>

#include "cli/demo_week.h"

namespace racewatch::cli {
namespace {

constexpr int64_t kStart = 1772409600'000;  // 2026-03-02T00:00:00Z, a Monday
constexpr int64_t kHour = 3'600'000;

DemoWeek OneArticle(DemoFormat format, bool cdata) {
  DemoWeek week;
  week.start_ms = kStart;
  week.length_ms = 7 * 24 * kHour;
  DemoFeed feed;
  feed.id = "post";
  feed.title = "Post & Sons";
  feed.host = "post.example";
  feed.path = "/feed";
  feed.language = "en";
  feed.format = format;
  feed.cdata = cdata;
  feed.guid_style = "url";
  feed.link_pattern = "/{y}/{m}/{d}/{slug}";
  feed.utc_offset_min = -300;
  week.feeds.push_back(feed);
  EXPECT_TRUE(ParseDemoArticles("== post 0 02:00 a | Ann <ann@post.example> | AT&T, Chips\n-- off\n"
                                "# \"Q&A\": is 3 < 4?\n\nEnds ]]> here & <b>now</b>.\n\nSecond.\n"
                                "== post 0 05:00 a | Ann | Chips\n-- off\n# Corrected\n\nNew text.\n",
                                "t", &week)
                  .ok());
  return week;
}

TEST(DemoRender, WritesDatesInTheFeedsOwnZone) {
  EXPECT_EQ(FormatRfc822(kStart, 0), "Mon, 02 Mar 2026 00:00:00 GMT");
  EXPECT_EQ(FormatRfc822(kStart, -300), "Sun, 01 Mar 2026 19:00:00 -0500");
  EXPECT_EQ(FormatRfc3339(kStart, 330), "2026-03-02T05:30:00+05:30");
  EXPECT_EQ(FormatRfc3339(kStart, 0), "2026-03-02T00:00:00Z");
}

TEST(DemoRender, EscapesMarkupOnceInElementsAndTwiceInHtmlContent) {
  const DemoWeek week = OneArticle(DemoFormat::kRss2, false);
  const std::string rss = RenderDemoFeed(week, 0, 3 * kHour);
  EXPECT_NE(rss.find("<title>&quot;Q&amp;A&quot;: is 3 &lt; 4?</title>"), std::string::npos);
  EXPECT_NE(rss.find("<category>AT&amp;T</category>"), std::string::npos);
  EXPECT_NE(rss.find("&lt;p&gt;Ends ]]&amp;gt; here &amp;amp; &amp;lt;b&amp;gt;now"), std::string::npos);
}

TEST(DemoRender, SplitsCdataAtItsOwnTerminator) {
  EXPECT_EQ(CdataSection("a]]>b"), "<![CDATA[a]]]]><![CDATA[>b]]>");
  EXPECT_EQ(CdataSection(""), "<![CDATA[]]>");
}

TEST(DemoRender, ShowsNothingBeforeItsTimeAndTheLatestVersionAfterAnEdit) {
  for (const DemoFormat format : {DemoFormat::kRss2, DemoFormat::kRdf, DemoFormat::kAtom, DemoFormat::kJsonFeed}) {
    const DemoWeek week = OneArticle(format, true);
    EXPECT_EQ(RenderDemoFeed(week, 0, 2 * kHour - 1).find("Q&"), std::string::npos);
    EXPECT_EQ(RenderDemoFeed(week, 0, 2 * kHour).find("Corrected"), std::string::npos);
    const std::string edited = RenderDemoFeed(week, 0, 5 * kHour);
    EXPECT_NE(edited.find("Corrected"), std::string::npos);
    EXPECT_EQ(edited.find("Second."), std::string::npos);
    EXPECT_NE(edited.find("http://post.example/2026/03/01/a"), std::string::npos) << "link dated in the feed's zone";
  }
}

TEST(DemoRender, DatesAnEditInAtomAndJsonFeed) {
  EXPECT_NE(RenderDemoFeed(OneArticle(DemoFormat::kAtom, false), 0, 6 * kHour).find("<updated>2026-03-02T00:00:00-05:00</updated>"),
            std::string::npos);
  EXPECT_NE(RenderDemoFeed(OneArticle(DemoFormat::kJsonFeed, false), 0, 6 * kHour).find("\"date_modified\": \"2026-03-02T00:00:00-05:00\""),
            std::string::npos);
}

TEST(DemoRender, CarriesOnlyTheFirstParagraphWhereTheFeedIsSummaryOnly) {
  DemoWeek week = OneArticle(DemoFormat::kRss2, false);
  week.feeds[0].summary_only = true;
  EXPECT_EQ(RenderDemoFeed(week, 0, 3 * kHour).find("Second."), std::string::npos);
  const std::string page = RenderDemoPage(week, week.articles[0], 3 * kHour);
  EXPECT_NE(page.find("<p>Second.</p>"), std::string::npos);
  EXPECT_NE(page.find("<link rel=\"canonical\" href=\"http://post.example/2026/03/01/a\">"), std::string::npos);
}

TEST(DemoRender, KeepsTheNewestThirtyItems) {
  DemoWeek week = OneArticle(DemoFormat::kRss2, false);
  std::string text;
  for (int i = 10; i < 50; ++i)
    text += "== post 1 00:" + std::to_string(i) + " n" + std::to_string(i) + " | | \n-- off\n# Number " + std::to_string(i) + "\n\nText.\n";
  ASSERT_TRUE(ParseDemoArticles(text, "t", &week).ok());
  const std::string rss = RenderDemoFeed(week, 0, 48 * kHour);
  EXPECT_NE(rss.find("Number 49"), std::string::npos);
  EXPECT_NE(rss.find("Number 20"), std::string::npos);
  EXPECT_EQ(rss.find("Number 19"), std::string::npos);
}

}  // namespace
}  // namespace racewatch::cli
