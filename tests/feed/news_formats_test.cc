// Sitemaps, NewsML-G2, ninjs and deleted entries: what each becomes, and what a cut or odd document leaves.
#include <gmock/gmock.h>

#include "ingest/feed/dates.h"
#include "ingest/feed/feed_json.h"
#include "tests/fakes/gzip.h"
#include "tests/feed/feed_documents.h"

namespace racewatch::ingest {
namespace {

using fakes::Gzip;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string When(const std::optional<FeedTime>& time) {
  return time ? feed::FormatTime(*time) : "absent";
}

std::string Sitemap(std::string_view urls) {
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?><urlset "
         "xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\" "
         "xmlns:news=\"http://www.google.com/schemas/sitemap-news/0.9\" "
         "xmlns:image=\"http://www.google.com/schemas/sitemap-image/1.1\">" +
         std::string(urls) + "</urlset>";
}

const char* const kNewsUrl =
    "<url><loc>https://d.example/a?x=1&amp;y=2</loc><lastmod>2026-11-03T10:00:00Z</lastmod>"
    "<news:news><news:publication><news:name>Chip Desk</news:name><news:language>en</news:language>"
    "</news:publication><news:publication_date>2026-11-03T09:15:00+01:00</news:publication_date>"
    "<news:title>Export rules &amp; reactions</news:title><news:keywords>chips, trade ,"
    "</news:keywords></news:news><image:image><image:loc>https://d.example/p.jpg</image:loc>"
    "<image:title>A picture</image:title></image:image></url>";

TEST(NewsSitemap, TitleDateLanguageAndKeywordsAreRead) {
  const Feed feed = MustParse(Sitemap(kNewsUrl));
  EXPECT_EQ(FeedFormatName(feed.format), "sitemap");
  EXPECT_EQ(feed.title, "Chip Desk");
  ASSERT_THAT(feed.entries, SizeIs(1));
  const FeedEntry& entry = feed.entries[0];
  EXPECT_EQ(entry.link, "https://d.example/a?x=1&y=2");
  EXPECT_EQ(entry.title, "Export rules & reactions");
  EXPECT_EQ(When(entry.published), "2026-11-03T08:15:00Z");
  EXPECT_EQ(When(entry.updated), "2026-11-03T10:00:00Z");
  EXPECT_EQ(entry.language, "en");
  EXPECT_THAT(entry.categories, ElementsAre("chips", "trade"));
}

TEST(NewsSitemap, PrefixesMeanNothing) {
  std::string odd = Sitemap(kNewsUrl);
  for (size_t at; (at = odd.find("news:")) != std::string::npos;) odd.replace(at, 5, "n:");
  EXPECT_EQ(FirstEntry(odd).title, "Export rules & reactions");
}

TEST(NewsSitemap, EntriesClosedBeforeACutSurvive) {
  const std::string whole = Sitemap(std::string(kNewsUrl) + kNewsUrl + kNewsUrl);
  const size_t first = whole.find("</url>") + 6;
  const size_t second = whole.find("</url>", first) + 6;
  for (size_t cut = first; cut < whole.rfind("</url>"); ++cut) {
    const Feed feed = MustParse(whole.substr(0, cut));
    ASSERT_EQ(feed.entries.size(), cut < second ? 1u : 2u) << "cut at " << cut;
    ASSERT_TRUE(feed.truncated) << "cut at " << cut;
  }
}

TEST(PlainSitemap, HasAddressesWithoutTitles) {
  const Feed feed = MustParse(Sitemap(
      "<url><loc> https://d.example/a </loc><lastmod>2026-11-03</lastmod></url><url><loc>/b</loc>"
      "<url><loc>https://d.example/c</loc></url><url></url>"),
                              {.base_url = "https://d.example/sitemap.xml"});
  ASSERT_THAT(feed.entries, SizeIs(3));
  EXPECT_EQ(feed.entries[0].link, "https://d.example/a");
  EXPECT_EQ(feed.entries[0].updated->precision, TimePrecision::kDay);
  EXPECT_EQ(feed.entries[1].link, "https://d.example/b");
  EXPECT_EQ(feed.entries[2].title, "");
}

TEST(SitemapIndex, ListsItsSitemapsAsChildren) {
  const Feed feed = MustParse(
      "<sitemapindex xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">"
      "<sitemap><loc>https://d.example/1.xml.gz</loc><lastmod>2026-11-03</lastmod></sitemap>"
      "<sitemap><loc>https://d.example/2.xml</loc></sitemap></sitemapindex>");
  EXPECT_EQ(FeedFormatName(feed.format), "sitemap_index");
  EXPECT_THAT(feed.entries, IsEmpty());
  ASSERT_THAT(feed.children, SizeIs(2));
  EXPECT_EQ(feed.children[0].link, "https://d.example/1.xml.gz");
  EXPECT_EQ(When(feed.children[0].updated), "2026-11-03T00:00:00Z");
  std::string json;
  AppendFeedJson(feed, {}, &json);
  EXPECT_THAT(json, HasSubstr("\"children\":[{\"link\":\"https://d.example/1.xml.gz\""));
}

TEST(GzippedFeed, IsUnpacked) { EXPECT_THAT(MustParse(Gzip(Sitemap(kNewsUrl))).entries, SizeIs(1)); }

TEST(GzippedFeed, MembersAreJoinedAndACutTailKeepsWhatCameBefore) {
  const std::string whole = Sitemap(std::string(kNewsUrl) + kNewsUrl);
  const size_t half = whole.find("</url>") + 6;
  const std::string second = Gzip(whole.substr(half));
  EXPECT_THAT(MustParse(Gzip(whole.substr(0, half)) + second).entries, SizeIs(2));
  const Feed cut = MustParse(Gzip(whole.substr(0, half)) + second.substr(0, 12));
  EXPECT_THAT(cut.entries, SizeIs(1));
  EXPECT_TRUE(cut.truncated);
}

TEST(GzippedFeed, ABombIsRefusedAtTheLimit) {
  const auto feed = ParseFeed(Gzip(std::string(20 << 20, ' ')), {.document_bytes_max = 1 << 20});
  EXPECT_EQ(feed.status().code(), base::Code::kResourceExhausted);
  EXPECT_EQ(ParseFeed("\x1F\x8Bnonsense").status().code(), base::Code::kInvalidArgument);
}

std::string NewsItem(std::string_view guid, std::string_view status, std::string_view content) {
  return "<newsItem xmlns=\"http://iptc.org/std/nar/2006-10-01/\" guid=\"" + std::string(guid) +
         "\" version=\"2\" xml:lang=\"en-GB\"><itemMeta><itemClass qcode=\"ninat:text\"/>"
         "<provider qcode=\"p:1\"><name>Policy Wire</name></provider>"
         "<versionCreated>2026-11-03T10:00:00Z</versionCreated>"
         "<firstCreated>2026-11-03T09:15:00+01:00</firstCreated><pubStatus qcode=\"stat:" +
         std::string(status) +
         "\"/><link rel=\"irel:seeAlso\" contenttype=\"text/html\" "
         "href=\"https://w.example/story\"/></itemMeta>"
         "<contentMeta><by>Ann Lee</by><headline>Talks &amp; terms</headline><language tag=\"en\"/>"
         "<subject qcode=\"medtop:1\"><name>trade</name></subject></contentMeta><contentSet>" +
         std::string(content) + "</contentSet></newsItem>";
}

const char* const kXhtml =
    "<inlineXML contenttype=\"application/xhtml+xml\"><html "
    "xmlns=\"http://www.w3.org/1999/xhtml\"><head><title>Not the text</title></head><body>"
    "<p>First &amp; last.</p><script>alert(1)</script><p><a href=\"/more\">More</a></p></body>"
    "</html></inlineXML>";

TEST(NewsMl, ItemsOfAMessageAreEntries) {
  const Feed feed = MustParse(
      "<newsMessage xmlns=\"http://iptc.org/std/nar/2006-10-01/\"><header><sent>2026-11-03T10:01:00Z"
      "</sent><origin>wire</origin></header><itemSet>" +
          NewsItem("urn:1", "usable", kXhtml) +
          NewsItem("urn:2", "usable", "<inlineData contenttype=\"text/plain\">Plain &lt;text&gt;"
                                      "</inlineData>") +
          "</itemSet></newsMessage>",
      {.base_url = "https://w.example/g2"});
  EXPECT_EQ(FeedFormatName(feed.format), "newsml_g2");
  EXPECT_EQ(feed.title, "wire");
  ASSERT_THAT(feed.entries, SizeIs(2));
  const FeedEntry& entry = feed.entries[0];
  EXPECT_EQ(entry.id, "urn:1");
  EXPECT_EQ(entry.title, "Talks & terms");
  EXPECT_EQ(entry.link, "https://w.example/story");
  EXPECT_EQ(entry.author, "Ann Lee");
  EXPECT_EQ(entry.language, "en");
  EXPECT_EQ(When(entry.published), "2026-11-03T08:15:00Z");
  EXPECT_EQ(When(entry.updated), "2026-11-03T10:00:00Z");
  EXPECT_THAT(entry.categories, ElementsAre("trade"));
  EXPECT_EQ(entry.source.title, "Policy Wire");
  EXPECT_THAT(entry.content, HasSubstr("First &amp; last."));
  EXPECT_THAT(entry.content, HasSubstr("https://w.example/more"));
  EXPECT_THAT(entry.content, ::testing::Not(HasSubstr("Not the text")));
  EXPECT_THAT(entry.content, ::testing::Not(HasSubstr("alert")));
  EXPECT_EQ(feed.entries[1].content, "Plain &lt;text&gt;");
}

TEST(NewsMl, NitfBodyIsTheContent) {
  const FeedEntry entry = FirstEntry(NewsItem(
      "urn:1", "usable",
      "<inlineXML contenttype=\"application/nitf+xml\"><nitf><head><title>H</title></head><body>"
      "<body.head><hedline><hl1>H</hl1></hedline></body.head><body.content><p>The text.</p>"
      "</body.content></body></nitf></inlineXML>"));
  EXPECT_THAT(entry.content, HasSubstr("The text."));
  EXPECT_THAT(entry.content, ::testing::Not(HasSubstr("hl1")));
}

TEST(NewsMl, ACancelledItemIsADeletion) {
  const Feed feed = MustParse(NewsItem("urn:1", "canceled", ""));
  EXPECT_THAT(feed.entries, IsEmpty());
  ASSERT_THAT(feed.deletions, SizeIs(1));
  EXPECT_EQ(feed.deletions[0].id, "urn:1");
  EXPECT_EQ(feed.deletions[0].link, "https://w.example/story");
}

TEST(Ninjs, VersionOneAndThreeAreRead) {
  const FeedEntry one = FirstEntry(
      R"({"uri":"urn:n:1","type":"text","headline":"Chips &amp; rules","byline":"Ann Lee",
          "body_xhtml":"<p>Text</p><script>x()</script>","description_text":"Short",
          "versioncreated":"2026-11-03T10:00:00Z","firstcreated":"2026-11-03T09:00:00Z",
          "language":"en","subject":[{"name":"trade"}],"copyrightholder":"Policy Wire"})");
  EXPECT_EQ(one.title, "Chips & rules");
  EXPECT_EQ(one.content, "<p>Text</p>");
  EXPECT_EQ(one.summary, "Short");
  EXPECT_EQ(When(one.published), "2026-11-03T09:00:00Z");
  EXPECT_EQ(When(one.updated), "2026-11-03T10:00:00Z");
  EXPECT_THAT(one.categories, ElementsAre("trade"));
  const FeedEntry three = FirstEntry(
      R"([{"uri":"https://w.example/n/1","headlines":[{"role":"short","value":"S"},
          {"role":"main","value":"Long headline"}],
          "bodies":[{"role":"main","contentType":"text/plain","value":"A < B"}],
          "versionCreated":"2026-11-03T10:00:00Z","subjects":[{"name":"ai"}]}])");
  EXPECT_EQ(three.title, "Long headline");
  EXPECT_EQ(three.content, "A &lt; B");
  EXPECT_EQ(three.link, "https://w.example/n/1");
  EXPECT_THAT(three.categories, ElementsAre("ai"));
}

TEST(Ninjs, CancelledItemsAreDeletionsAndACutListKeepsWholeItems) {
  const Feed feed = MustParse(
      R"({"items":[{"uri":"urn:1","headline":"A"},{"uri":"urn:2","pubstatus":"canceled"},{"uri":"urn:3","head)");
  EXPECT_TRUE(feed.truncated);
  EXPECT_THAT(feed.entries, SizeIs(1));
  ASSERT_THAT(feed.deletions, SizeIs(1));
  EXPECT_EQ(feed.deletions[0].id, "urn:2");
}

TEST(Ninjs, OtherJsonIsStillNoFeed) {
  EXPECT_FALSE(ParseFeed("[1,2,3]").ok());
  EXPECT_FALSE(ParseFeed(R"({"uri":"urn:1"})").ok());
  EXPECT_FALSE(ParseFeed(R"([{"headline":"no uri"}])").ok());
}

TEST(DeletedEntry, IsReadFromAtom) {
  const Feed feed = MustParse(
      "<feed xmlns=\"http://www.w3.org/2005/Atom\" "
      "xmlns:t=\"http://purl.org/atompub/tombstones/1.0\"><t:deleted-entry ref=\"urn:gone\" "
      "when=\"2026-11-03T10:00:00Z\"><title>Not the feed's title</title></t:deleted-entry>"
      "<entry><id>urn:here</id><title>Here</title></entry></feed>");
  EXPECT_EQ(feed.title, "");
  EXPECT_THAT(feed.entries, SizeIs(1));
  ASSERT_THAT(feed.deletions, SizeIs(1));
  EXPECT_EQ(feed.deletions[0].id, "urn:gone");
}

}  // namespace
}  // namespace racewatch::ingest
