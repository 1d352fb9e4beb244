// What each format's elements become.
#include <gmock/gmock.h>

#include "ingest/feed/dates.h"
#include "tests/feed/feed_documents.h"

namespace racewatch::ingest {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string When(const std::optional<FeedTime>& time) {
  return time ? feed::FormatTime(*time) : "absent";
}

TEST(Rss, FieldsOfAnItemAreRead) {
  const FeedEntry entry = FirstItem(
      "<guid isPermaLink=\"false\">n-1</guid><title>Export "
      "rules</title><link>https://desk.example/a</link>"
      "<pubDate>Tue, 03 Nov 2026 09:15:00 GMT</pubDate><author>ann@desk.example (Ann Lee)</author>"
      "<description>Short</description><content:encoded><![CDATA[<p>Long</p>]]></content:encoded>"
      "<category>Chips</category><category>Trade</category>"
      "<source url=\"https://wire.example/rss\">The Wire</source>"
      "<enclosure url=\"https://desk.example/a.mp3\" type=\"audio/mpeg\" length=\"12\"/>");
  EXPECT_EQ(entry.id, "n-1");
  EXPECT_FALSE(entry.id_is_permalink);
  EXPECT_EQ(entry.title, "Export rules");
  EXPECT_EQ(entry.link, "https://desk.example/a");
  EXPECT_EQ(When(entry.published), "2026-11-03T09:15:00Z");
  EXPECT_EQ(entry.author, "Ann Lee");
  EXPECT_EQ(entry.summary, "Short");
  EXPECT_EQ(entry.content, "<p>Long</p>");
  EXPECT_THAT(entry.categories, ElementsAre("Chips", "Trade"));
  EXPECT_EQ(entry.source.title, "The Wire");
  EXPECT_EQ(entry.source.link, "https://wire.example/rss");
  ASSERT_THAT(entry.enclosures, SizeIs(1));
  EXPECT_EQ(entry.enclosures[0].url, "https://desk.example/a.mp3");
  EXPECT_EQ(entry.enclosures[0].type, "audio/mpeg");
  EXPECT_EQ(entry.enclosures[0].length, "12");
}

TEST(Rss, ChannelHintsOnPollingAreRead) {
  const Feed feed = MustParse(
      "<rss version=\"2.0\" xmlns:s=\"http://purl.org/rss/1.0/modules/syndication/\" "
      "xmlns:a=\"http://www.w3.org/2005/Atom\"><channel><title>T</title><ttl>30</ttl>"
      "<s:updatePeriod>daily</s:updatePeriod><s:updateFrequency>4</s:updateFrequency>"
      "<skipHours><hour>0</hour><hour>23</hour></skipHours><skipDays><day>Sunday</"
      "day><day>Tuesday</day></skipDays>"
      "<a:link rel=\"hub\" href=\"https://hub.example/\"/><a:link rel=\"self\" "
      "href=\"https://desk.example/rss\"/>"
      "</channel></rss>");
  EXPECT_EQ(feed.ttl_s, 1800);
  EXPECT_EQ(feed.update_period_s, 21600);
  EXPECT_EQ(feed.skip_hours, (1u << 0) | (1u << 23));
  EXPECT_EQ(feed.skip_days, (1u << 0) | (1u << 2));
  EXPECT_THAT(feed.hubs, ElementsAre("https://hub.example/"));
  EXPECT_EQ(feed.self_link, "https://desk.example/rss");
  EXPECT_EQ(feed.link, "");
}

TEST(Rss, GuidThatIsAPermalinkStandsInForTheLink) {
  EXPECT_EQ(FirstItem("<guid>https://desk.example/x</guid>").link, "https://desk.example/x");
  EXPECT_EQ(FirstItem("<guid isPermaLink=\"false\">https://desk.example/x</guid>").link, "");
  EXPECT_EQ(FirstItem("<guid>x-1</guid>").link, "");
}

TEST(Rss, ImageAndTextInputDoNotSpeakForTheChannel) {
  const Feed feed = MustParse(
      "<rss><channel><image><title>Logo</title><link>https://i.example/</link></image>"
      "<textInput><title>Search</title><link>https://s.example/</link></textInput>"
      "<title>Real</title><link>https://r.example/</link></channel></rss>");
  EXPECT_EQ(feed.title, "Real");
  EXPECT_EQ(feed.link, "https://r.example/");
}

TEST(Rss, SecondSummaryBecomesContent) {
  const FeedEntry entry = FirstItem("<description>One</description><summary>Two</summary>");
  EXPECT_EQ(entry.summary, "One");
  EXPECT_EQ(entry.content, "Two");
}

TEST(Rss, MediaAndItunesFillOnlyWhatIsMissing) {
  const FeedEntry filled = FirstItem(
      "<media:title>M</media:title><title>T</title>"
      "<media:group><media:description>D</media:description></media:group>");
  EXPECT_EQ(filled.title, "T");
  EXPECT_EQ(filled.summary, "D");
  EXPECT_EQ(FirstItem("<media:title>M</media:title>").title, "M");
}

TEST(Rss, DublinCoreDateIsPublishedAndUpdated) {
  const FeedEntry entry = FirstItem("<dc:date>2026-11-03T09:15:00Z</dc:date>");
  EXPECT_EQ(When(entry.published), "2026-11-03T09:15:00Z");
  EXPECT_EQ(When(entry.updated), "2026-11-03T09:15:00Z");
}

TEST(Rss, ForeignVocabularyDoesNotClash) {
  const FeedEntry entry = FirstItem(
      "<x:title xmlns:x=\"urn:x\">wrong</x:title><x:box xmlns:x=\"urn:x\"><title>wrong "
      "too</title></x:box>"
      "<title>right</title>");
  EXPECT_EQ(entry.title, "right");
}

TEST(Rss, NamespacesGoByUriNotPrefix) {
  const Feed feed = MustParse(
      "<r:rss xmlns:r=\"http://backend.userland.com/rss2\" "
      "xmlns:zz=\"http://purl.org/dc/elements/1.1/\"><r:channel>"
      "<r:item><r:title>T</r:title><zz:creator>Bo</zz:creator></r:item></r:channel></r:rss>");
  ASSERT_THAT(feed.entries, SizeIs(1));
  EXPECT_EQ(feed.entries[0].title, "T");
  EXPECT_EQ(feed.entries[0].author, "Bo");
}

TEST(Rss, UndeclaredPrefixMeansWhatItCommonlyMeans) {
  const Feed feed = MustParse(
      "<rss><channel><item><dc:creator>Bo</dc:creator><unknown:y>z</unknown:y>"
      "<title>T</title></item></channel></rss>");
  ASSERT_THAT(feed.entries, SizeIs(1));
  EXPECT_EQ(feed.entries[0].author, "Bo");
  EXPECT_EQ(feed.entries[0].title, "T");
}

TEST(Rss, VersionsAreTold) {
  EXPECT_EQ(MustParse("<rss version=\"0.91\"/>").format, FeedFormat::kRss091);
  EXPECT_EQ(MustParse("<rss version=\"2.0\"/>").format, FeedFormat::kRss20);
  EXPECT_EQ(MustParse("<rss version=\"9\"/>").format, FeedFormat::kRss);
  EXPECT_EQ(MustParse("<feed xmlns=\"http://purl.org/atom/ns#\" version=\"0.3\"/>").format,
            FeedFormat::kAtom03);
  EXPECT_EQ(MustParse(Atom("")).format, FeedFormat::kAtom10);
}

TEST(Rdf, ItemsBesideTheChannelAreEntries) {
  const Feed feed = MustParse(
      "<rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\" "
      "xmlns=\"http://purl.org/rss/1.0/\">"
      "<channel "
      "rdf:about=\"https://d.example/\"><title>D</title><items><rdf:Seq><rdf:li/></rdf:Seq></"
      "items></channel>"
      "<item "
      "rdf:about=\"https://d.example/1\"><title>One</title></item><item><title>Two</title></item></"
      "rdf:RDF>");
  EXPECT_EQ(feed.format, FeedFormat::kRss10);
  EXPECT_EQ(feed.title, "D");
  ASSERT_THAT(feed.entries, SizeIs(2));
  EXPECT_EQ(feed.entries[0].id, "https://d.example/1");
  EXPECT_EQ(feed.entries[1].title, "Two");
}

TEST(AtomFeed, FieldsOfAnEntryAreRead) {
  const FeedEntry entry = FirstEntry(Atom(Entry(
      "<id>urn:1</id><title>Talks</title><link href=\"https://p.example/1\"/>"
      "<link rel=\"enclosure\" href=\"https://p.example/1.mp4\" type=\"video/mp4\" length=\"9\"/>"
      "<published>2026-11-03T09:15:00+01:00</published><updated>2026-11-04T10:00:00Z</updated>"
      "<author><name>Ann Lee</name><email>a@p.example</email></author><category term=\"ai\" "
      "label=\"AI\"/>"
      "<source><title>Origin</title><link href=\"https://o.example/\"/></source>")));
  EXPECT_EQ(entry.id, "urn:1");
  EXPECT_EQ(entry.link, "https://p.example/1");
  EXPECT_EQ(When(entry.published), "2026-11-03T08:15:00Z");
  EXPECT_EQ(When(entry.updated), "2026-11-04T10:00:00Z");
  EXPECT_EQ(entry.author, "Ann Lee");
  EXPECT_THAT(entry.categories, ElementsAre("ai"));
  EXPECT_EQ(entry.source.title, "Origin");
  EXPECT_EQ(entry.source.link, "https://o.example/");
  ASSERT_THAT(entry.enclosures, SizeIs(1));
  EXPECT_EQ(entry.enclosures[0].type, "video/mp4");
}

TEST(AtomFeed, EveryFormOfContentIsUnderstood) {
  const auto content = [](std::string_view element) {
    return FirstEntry(Atom(Entry(element))).content;
  };
  EXPECT_EQ(content("<content type=\"html\">&lt;p&gt;A &amp;amp; B&lt;/p&gt;</content>"),
            "<p>A &amp; B</p>");
  EXPECT_EQ(content("<content type=\"text\">1 &lt; 2</content>"), "1 &lt; 2");
  EXPECT_EQ(content("<content type=\"xhtml\"><div xmlns=\"http://www.w3.org/1999/xhtml\"><p>A "
                    "&amp; B</p></div></content>"),
            "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>A &amp; B</p></div>");
  EXPECT_EQ(content("<content type=\"text/html\" mode=\"base64\">PHA+QjwvcD4=</content>"),
            "<p>B</p>");
  EXPECT_EQ(content("<content type=\"application/octet-stream\">PHA+QjwvcD4=</content>"),
            "<p>B</p>");
  EXPECT_EQ(content("<content type=\"xhtml\"><![CDATA[a < b]]></content>"), "a &lt; b");
  EXPECT_EQ(content("<content type=\"xhtml\"><h:div "
                    "xmlns:h=\"http://www.w3.org/1999/xhtml\"><h:br/>x</h:div></content>"),
            "<div xmlns:h=\"http://www.w3.org/1999/xhtml\"><br />x</div>");
}

TEST(AtomFeed, PlainTextEscapedOnceTooOftenIsMended) {
  const auto summary = [](std::string_view text) {
    return FirstEntry(Atom(Entry("<summary type=\"text\">" + std::string(text) + "</summary>"))).summary;
  };
  EXPECT_EQ(summary("A&amp;nbsp;B"), "A&nbsp;B");
  EXPECT_EQ(summary("&lt;b&gt; &amp;amp; more"), "&lt;b&gt; &amp;amp; more");
}

TEST(AtomFeed, ContentWithSrcAloneIsEmpty) {
  EXPECT_EQ(
      FirstEntry(Atom(Entry("<content type=\"text/html\" src=\"https://p.example/c\"/>"))).content,
      "");
}

TEST(AtomFeed, AlternateLinkWinsOverOtherRelations) {
  EXPECT_EQ(
      FirstEntry(
          Atom(Entry(
              "<link rel=\"related\" href=\"https://a.example/\"/>"
              "<link rel=\"alternate\" type=\"text/html\" href=\"https://b.example/\"/>"
              "<link rel=\"alternate\" type=\"application/json\" href=\"https://c.example/\"/>")))
          .link,
      "https://b.example/");
}

TEST(AtomFeed, BaseIsInheritedAndNested) {
  const Feed feed = MustParse(
      "<feed xmlns=\"http://www.w3.org/2005/Atom\" xml:base=\"https://p.example/a/\"><link "
      "href=\"b\"/>"
      "<entry xml:base=\"c/\"><link href=\"d\"/><content type=\"html\" xml:base=\"e/\">&lt;a "
      "href='f'&gt;x&lt;/a&gt;</content>"
      "</entry><entry><link href=\"/g\"/></entry></feed>");
  EXPECT_EQ(feed.link, "https://p.example/a/b");
  ASSERT_THAT(feed.entries, SizeIs(2));
  EXPECT_EQ(feed.entries[0].link, "https://p.example/a/c/d");
  EXPECT_EQ(feed.entries[0].content, "<a href=\"https://p.example/a/c/e/f\">x</a>");
  EXPECT_EQ(feed.entries[1].link, "https://p.example/g");
}

TEST(AtomFeed, LanguageComesFromXmlLang) {
  const Feed feed = MustParse(
      "<feed xmlns=\"http://www.w3.org/2005/Atom\" xml:lang=\"zh_CN\"><entry xml:lang=\"en\">"
      "<title xml:lang=\"fr\">T</title></entry></feed>");
  EXPECT_EQ(feed.language, "zh-CN");
  EXPECT_EQ(feed.entries.at(0).language, "en");
}

TEST(Cdf, ChannelAndItemsAreRead) {
  const Feed feed = MustParse(
      "<CHANNEL HREF=\"https://c.example/\"><TITLE>C</TITLE><ABSTRACT>About</ABSTRACT>"
      "<ITEM HREF=\"https://c.example/1\" "
      "LASTMOD=\"2026-11-03T09:15:00\"><TITLE>One</TITLE></ITEM></CHANNEL>");
  EXPECT_EQ(feed.format, FeedFormat::kCdf);
  EXPECT_EQ(feed.link, "https://c.example/");
  EXPECT_EQ(feed.description, "About");
  ASSERT_THAT(feed.entries, SizeIs(1));
  EXPECT_EQ(feed.entries[0].link, "https://c.example/1");
  EXPECT_EQ(When(feed.entries[0].updated), "2026-11-03T09:15:00Z");
}

constexpr std::string_view kJson =
    R"({"version":"https://jsonfeed.org/version/1.1","title":"J","home_page_url":"https://j.example/",
 "hubs":[{"type":"WebSub","url":"https://hub.example/"}],"language":"en","items":[
 {"id":"1","title":"A & B","url":"/1","content_html":"<p onclick='x()'>Hi</p>","summary":"S","date_published":"2026-11-03T09:15:00Z",
  "authors":[{"name":"Ann"}],"tags":["ai"],"attachments":[{"url":"/a.mp3","mime_type":"audio/mpeg","size_in_bytes":5}]},
 {"id":2,"content_text":"1 < 2"}]})";

TEST(JsonFeed, FieldsAreRead) {
  ParseOptions options;
  options.base_url = "https://j.example/feed.json";
  const Feed feed = MustParse(kJson, options);
  EXPECT_EQ(feed.format, FeedFormat::kJson11);
  EXPECT_EQ(feed.link, "https://j.example/");
  EXPECT_THAT(feed.hubs, ElementsAre("https://hub.example/"));
  ASSERT_THAT(feed.entries, SizeIs(2));
  EXPECT_EQ(feed.entries[0].title, "A & B");
  EXPECT_EQ(feed.entries[0].link, "https://j.example/1");
  EXPECT_EQ(feed.entries[0].content, "<p>Hi</p>");
  EXPECT_EQ(feed.entries[0].author, "Ann");
  EXPECT_THAT(feed.entries[0].categories, ElementsAre("ai"));
  EXPECT_EQ(feed.entries[0].enclosures.at(0).length, "5");
  EXPECT_EQ(feed.entries[1].id, "2");
  EXPECT_EQ(feed.entries[1].content, "1 &lt; 2");
}

TEST(JsonFeed, CutDocumentKeepsItsCompleteItems) {
  const size_t second = kJson.find("{\"id\":2");
  for (size_t cut = second; cut < kJson.size() - 1; ++cut) {
    const Feed feed = MustParse(kJson.substr(0, cut));
    EXPECT_GE(feed.entries.size(), 1u) << cut;
    EXPECT_TRUE(feed.truncated) << cut;
  }
}

TEST(JsonFeed, OtherJsonIsRefused) {
  EXPECT_EQ(ParseFeed("{\"items\":3}").status().code(), base::Code::kInvalidArgument);
  EXPECT_EQ(ParseFeed("{\"items\":[").status().code(), base::Code::kInvalidArgument);
}

}  // namespace
}  // namespace racewatch::ingest
