// Where a page leads: links a selector chooses, the article's next page, a redirect in the markup; and the zone of its times.
#include <gmock/gmock.h>

#include "ingest/page/link_selector.h"
#include "ingest/page/page_extractor.h"

namespace racewatch::ingest {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const char* const kList =
    "<html lang='en'><head><title>Newsroom | Chip Desk</title></head><body><nav><a href='/about'>About us</a></nav>"
    "<main id='list'><div class='card big'><h2><a href='/a?x=1&amp;y=2#top'>Export rules &amp; reactions</a></h2>"
    "<a class='img' href='/a?x=1&amp;y=2'><img></a></div><div class='card'><a href='b.html' title='From the title'><img></a></div>"
    "<div class='ad'><a href='https://ads.example/x'>Buy now</a></div><a href='mailto:x@d.example'>Mail</a></main></body></html>";

std::vector<std::string> Links(std::string_view selector) {
  const auto parsed = LinkSelector::Parse(selector);
  EXPECT_TRUE(parsed.ok()) << parsed.status().ToString();
  if (!parsed.ok()) return {};
  const auto found = parsed->Select(kList, {.url = "https://d.example/news/"});
  EXPECT_TRUE(found.ok());
  std::vector<std::string> out;
  for (const PageLink& link : found->links) out.push_back(link.url + " " + link.text);
  return out;
}

TEST(LinkSelector, ChoosesLinksInsideWhatItNames) {
  EXPECT_THAT(Links("#list .card"),
              ElementsAre("https://d.example/a?x=1&y=2 Export rules & reactions", "https://d.example/news/b.html From the title"));
  EXPECT_THAT(Links("main h2 a"), ElementsAre("https://d.example/a?x=1&y=2 Export rules & reactions"));
}

TEST(LinkSelector, KnowsAttributesAndAlternatives) {
  EXPECT_THAT(Links("a[href^='/about'], a[href*=ads]"), ElementsAre("https://d.example/about About us", "https://ads.example/x Buy now"));
  EXPECT_THAT(Links("div[class=card]"), ElementsAre("https://d.example/news/b.html From the title"));
  EXPECT_THAT(Links(".car"), ElementsAre());
}

TEST(LinkSelector, SaysWhatIsWrong) {
  for (const auto& [selector, why] : std::vector<std::pair<std::string, std::string>>{
           {"", "empty"}, {"a,", "empty"}, {"blink a", "no HTML element 'blink'"}, {"a[onclick]", "attribute 'onclick'"},
           {"a[href", "']'"}, {"a > b", "not understood"}, {".", "name is missing"}, {"a[href='x]", "quote"}})
    EXPECT_THAT(LinkSelector::Parse(selector).status().message(), HasSubstr(why)) << selector;
}

std::string Article(std::string_view head, std::string_view links) {
  std::string text;
  for (int i = 0; i < 6; ++i) text += "<p>The rules were published on Monday, and the companies that make chips read them with care.</p>";
  return "<html><head><title>T</title>" + std::string(head) + "</head><body><article><h1>Chips</h1>" + text + "</article>" + std::string(links) + "</body></html>";
}

std::string Next(std::string_view url, std::string_view href, int number = 1, std::string_view first = "") {
  const auto page = ExtractPage(Article("", "<a href='" + std::string(href) + "'>2</a>"),
                                {.url = url, .page_number = number, .first_url = first, .find_next = true});
  return page.ok() ? page->next_url : "error";
}

TEST(NextPage, IsTheArticlesAddressWithTheNextNumber) {
  EXPECT_EQ(Next("https://d.example/a/chips.html", "chips_2.html"), "https://d.example/a/chips_2.html");
  EXPECT_EQ(Next("https://d.example/a/chips.html", "/a/chips-2.html"), "https://d.example/a/chips-2.html");
  EXPECT_EQ(Next("https://d.example/a/chips", "?page=2"), "https://d.example/a/chips?page=2");
  EXPECT_EQ(Next("https://d.example/a/chips/", "/a/chips/2/"), "https://d.example/a/chips/2/");
  EXPECT_EQ(Next("https://d.example/a?id=7", "/a?id=7&amp;page=2"), "https://d.example/a?id=7&page=2");
  EXPECT_EQ(Next("https://d.example/a/chips_2.html", "chips_3.html", 2, "https://d.example/a/chips.html"), "https://d.example/a/chips_3.html");
}

TEST(NextPage, IsNeitherAnotherArticleNorComments) {
  EXPECT_EQ(Next("https://d.example/a/chips.html", "/a/trade_2.html"), "");
  EXPECT_EQ(Next("https://d.example/a/chips", "?page=2#comments"), "");
  EXPECT_EQ(Next("https://d.example/a/chips", "?page=3"), "");
  EXPECT_EQ(Next("https://d.example/a/1", "/a/2"), "");
}

TEST(MetaRefresh, IsWhereThePageSendsItsReader) {
  const auto refresh = [](std::string_view content) {
    return ExtractPage(Article("<meta http-equiv=refresh content=\"" + std::string(content) + "\">", ""), {.url = "https://a.example/x"})->refresh_url;
  };
  EXPECT_EQ(refresh("0;URL='https://d.example/a?b=1&amp;c=2'"), "https://d.example/a?b=1&c=2");
  EXPECT_EQ(refresh("1; url=/there"), "https://a.example/there");
  EXPECT_EQ(refresh("300"), "");
  EXPECT_EQ(refresh("300; url=/reload"), "");
}

std::string Published(std::string_view head, std::string_view url) {
  const auto page = ExtractPage(Article(head, ""), {.url = url});
  return page.ok() && page->published ? page->published->ToString() : "none";
}

TEST(ZonelessTime, HasTheZoneThatThePageWritesElsewhere) {
  EXPECT_EQ(Published("<meta property='article:published_time' content='2026-03-14 01:30'>"
                      "<meta property='article:modified_time' content='2026-03-14T09:00:00+08:00'>",
                      "https://d.example/a"),
            "2026-03-13T17:30:00Z");
}

TEST(ZonelessTime, HasTheZoneOfACountryWithOne) {
  const char* const head = "<meta name='publishdate' content='2026-03-14 01:30:05'>";
  EXPECT_EQ(Published(head, "https://news.d.com.cn/a"), "2026-03-13T17:30:05Z");
  EXPECT_EQ(Published(head, "https://d.co.jp/a"), "2026-03-13T16:30:05Z");
}

TEST(ZonelessTime, IsADayOfThePagesCalendarElsewhere) {
  EXPECT_EQ(Published("<meta name='publishdate' content='2026-03-14 23:30'>", "https://d.example/a"), "2026-03-14");
  EXPECT_EQ(Published("<meta name='publishdate' content='2026-03-14 23:30'>"
                      "<meta property='article:modified_time' content='2026-03-14T09:00:00Z'>",
                      "https://d.example/a"),
            "2026-03-14");
  EXPECT_EQ(Published("<meta name='publishdate' content='2026-03-14T23:30Z'>", "https://d.example/a"), "2026-03-14T23:30:00Z");
}

}  // namespace
}  // namespace racewatch::ingest
