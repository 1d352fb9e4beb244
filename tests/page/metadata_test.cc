#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ingest/page/page_json.h"
#include "tests/page/page_documents.h"

namespace racewatch::ingest {
namespace {

Page With(std::string_view head, std::string_view body = "") { return Extract(Document(head, std::string(body) + Paragraphs(1, 4))); }

TEST(Metadata, HeadlineIsTheHeadingThatTheTitleRepeats) {
  EXPECT_EQ(With("<title>Rivers rise again | Harbour Gazette</title>", "<h1>Harbour Gazette</h1><h1>Rivers rise again</h1>").title, "Rivers rise again");
}
TEST(Metadata, HeadlineIsTheHeadingThatTheAddressRepeats) {
  const std::string html = "<title>Paper - all the news</title><link rel=canonical href='https://a.example/r/chips-win-licence-after-months-of-talks'>"
                           "<body><h1>Chips win licence after months of talks</h1>";
  EXPECT_EQ(Extract(html).title, "Chips win licence after months of talks");
  const std::string section = "<title>Chips win licence - Paper</title><link rel=canonical href='https://a.example/news/123'><body><h1>News</h1>";
  EXPECT_EQ(Extract(section).title, "Chips win licence");
}
TEST(Metadata, AnchorMarksLeaveTheHeadline) { EXPECT_EQ(Extract("<title>Working with forms</title><h1>Working with forms<a href='#f'>¶</a></h1>").title, "Working with forms"); }
TEST(Metadata, SiteNameInFrontLeavesTheTitle) {
  EXPECT_EQ(Extract("<title>The Paper | Chips win licence after talks</title><meta property=og:site_name content='The Paper'><body>x").title, "Chips win licence after talks");
}
TEST(Metadata, SiteNameLeavesTheTitle) {
  EXPECT_EQ(With("<title>Rivers rise - again - Harbour Gazette</title><meta property=og:site_name content='Harbour Gazette'>").title, "Rivers rise - again");
  EXPECT_EQ(With("<title>芯片新规今日生效的几个问题_港湾日报</title>").title, "芯片新规今日生效的几个问题");
}
TEST(Metadata, JsonLdSpeaksFirst) {
  const Page page = With(R"(<script type="application/ld+json">{"@context":"https://schema.org","@graph":[
      {"@type":"WebPage","datePublished":"2020-01-01"},
      {"@type":["NewsArticle"],"headline":"From the graph","author":{"@id":"#ada"},"datePublished":"2026-03-14T09:26:53+01:00",
       "dateModified":"2026-03-15","articleSection":["Tech","AI"],"publisher":{"name":"Gazette"},"inLanguage":"en-GB"},
      {"@type":"Person","@id":"#ada","name":"Ada Quill"}]}</script><meta name=author content=Somebody><meta name=date content=2025-05-05>)");
  EXPECT_EQ(page.title, "From the graph");
  EXPECT_EQ(page.author, "Ada Quill");
  ASSERT_TRUE(page.published && page.modified);
  EXPECT_EQ(page.published->ToString(), "2026-03-14T08:26:53Z");
  EXPECT_EQ(page.modified->ToString(), "2026-03-15");
  EXPECT_EQ(page.section, "Tech");
  EXPECT_EQ(page.site, "Gazette");
  EXPECT_EQ(page.language, "en-gb");
}
TEST(Metadata, BrokenJsonLdIsRepairedOrSkipped) {
  EXPECT_EQ(With("<script type='application/ld+json'>//<![CDATA[\n{\"@type\":\"Article\",\"headline\":\"Line\nbreak inside\"}\n//]]></script>").title, "Line break inside");
  EXPECT_EQ(With("<script type='application/ld+json'>{\"@type\":</script><title>Still a title here</title>").title, "Still a title here");
  EXPECT_EQ(With("<meta name='script:ld+json' content='{&quot;@type&quot;:&quot;Article&quot;,&quot;headline&quot;:&quot;In an attribute&quot;}'>").title, "In an attribute");
}
TEST(Metadata, MetaTagsAndMicrodataGiveDates) {
  EXPECT_EQ(With("<meta property='article:published_time' content='2026-03-14T09:26Z'>").published->ToString(), "2026-03-14T09:26:00Z");
  EXPECT_EQ(With("", "<time itemprop='datePublished' datetime='2026-03-14'>today</time>").published->ToString(), "2026-03-14");
  EXPECT_EQ(With("<meta name=pubdate content='20260314'>").published->precision, PagePrecision::kDay);
}
TEST(Metadata, VisibleBylineIsTheLastResort) {
  const Page page = With("<title>Rivers rise again</title>", "<h1>Rivers rise again</h1><p>By Ada Quill, 14 March 2026</p>");
  EXPECT_EQ(page.author, "Ada Quill");
  EXPECT_EQ(page.published->ToString(), "2026-03-14");
}
TEST(Metadata, NoticeOfFirstPublicationWins) {
  const Page page = With("<meta property='article:published_time' content='2026-03-14'>", "<p>This article was originally published on 2 May 2019.</p>");
  EXPECT_EQ(page.published->ToString(), "2019-05-02");
}
TEST(Metadata, DateInTheAddressIsMarkedAsSuch) {
  const Page page = Extract(Document("", Paragraphs(1, 4)), {.url = "https://a.example/2026/03/14/rivers"});
  ASSERT_TRUE(page.published);
  EXPECT_TRUE(page.published->from_url);
  EXPECT_FALSE(Extract(Document("", Paragraphs(1, 4))).published);
}
TEST(Metadata, LinksBecomeAbsolute) {
  const Page page = Extract(Document("<link rel=canonical href='/c'><link rel='alternate' type='application/atom+xml' title='All &amp; more' href='feed'>"
                                     "<link rel=alternate hreflang=de href=/de>", Paragraphs(1, 4)), {.url = "https://a.example/x/y"});
  EXPECT_EQ(page.canonical_url, "https://a.example/c");
  ASSERT_EQ(page.feeds.size(), 1u);
  EXPECT_EQ(page.feeds[0].url, "https://a.example/x/feed");
  EXPECT_EQ(page.feeds[0].title, "All & more");
}
TEST(Metadata, JsonLeavesAbsentFieldsOut) {
  std::string json;
  Page page;
  page.title = "a \"b\"\n\x01";
  page.published = PageTime{.time_ms = 0, .precision = PagePrecision::kDay};
  AppendPageJson(page, "f.html", &json);
  EXPECT_EQ(json, R"({"file":"f.html","title":"a \"b\"\n\u0001","published":"1970-01-01","paywalled":false,"consent_wall":false})");
}

}  // namespace
}  // namespace racewatch::ingest
