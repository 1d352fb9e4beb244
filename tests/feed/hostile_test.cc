// Documents made to hurt: every one ends soon, with bounded memory, as a feed or as an error. A
// quadratic step anywhere would run into the test's timeout.
#include <gmock/gmock.h>

#include "tests/feed/feed_documents.h"

namespace racewatch::ingest {
namespace {

using ::testing::SizeIs;

std::string Repeat(std::string_view piece, size_t times) {
  std::string out;
  out.reserve(piece.size() * times);
  for (size_t i = 0; i < times; ++i) out += piece;
  return out;
}

const char* const kGood = "<item><title>Good</title></item>";

// The feed may or may not be readable; what matters is that the call comes back.
void Survive(const std::string& bytes) {
  const auto feed = ParseFeed(bytes);
  EXPECT_TRUE(feed.ok() || !feed.status().message().empty());
}

TEST(Hostile, BillionLaughsAreNotExpanded) {
  std::string doctype = "<!DOCTYPE r [<!ENTITY a0 \"lol\">";
  for (int i = 1; i < 40; ++i) {
    doctype += "<!ENTITY a" + std::to_string(i) + " \"";
    for (int k = 0; k < 10; ++k) doctype += "&a" + std::to_string(i - 1) + ";";
    doctype += "\">";
  }
  const Feed feed =
      MustParse(doctype + "]><rss><channel><item><title>x&a39;&a0;</title></item></channel></rss>");
  EXPECT_EQ(feed.entries.at(0).title, "x&a39;lol");
}

TEST(Hostile, ExternalEntitiesAreNotLoaded) {
  const Feed feed = MustParse(
      "<!DOCTYPE r [<!ENTITY f SYSTEM \"file:///etc/passwd\"><!ENTITY % p SYSTEM "
      "\"http://x.example/\">%p;]>"
      "<rss><channel><item><title>&f;</title></item></channel></rss>");
  EXPECT_EQ(feed.entries.at(0).title, "&f;");
}

TEST(Hostile, MillionNestedElementsDoNotHideTheNextItem) {
  const size_t deep = 1'000'000;
  const Feed feed = MustParse("<rss><channel><item><title>Deep</title>" + Repeat("<a>", deep) +
                              Repeat("</a>", deep) + "</item>" + kGood + "</channel></rss>");
  EXPECT_THAT(feed.entries, SizeIs(2));
  EXPECT_EQ(
      MustParse("<rss><channel>" + Repeat("<a>", deep) + kGood + "</channel></rss>").entries.size(),
      1u);
  Survive(Rss(Item("<description>" + Repeat("<div>", deep) + "</description>")));
}

TEST(Hostile, AttributeFloodIsPassedOver) {
  std::string flood = "<item";
  for (int i = 0; i < 200'000; ++i) flood += " a" + std::to_string(i) + "=\"v\"";
  EXPECT_THAT(MustParse(Rss(flood + "><title>x</title></item>" + kGood)).entries, SizeIs(2));
  std::string spaces = "<item";
  for (int i = 0; i < 50'000; ++i)
    spaces += " xmlns:n" + std::to_string(i) + "=\"urn:" + std::to_string(i) + "\"";
  EXPECT_THAT(MustParse(Rss(spaces + "><title>x</title></item>" + kGood)).entries, SizeIs(2));
}

TEST(Hostile, UnfinishedMarksRepeatedStayLinear) {
  for (const std::string_view piece :
       {"<![CDATA[", "<!--", "<!a [", "<!DOCTYPE x [", "<?", "<a b=\"", "<a b='", "</", "<", "&",
        "&#", "&aaaaaaaa", "]]>", "<a ", "<a<"}) {
    Survive(Rss(Item("<description>" + Repeat(piece, 300'000))));
    Survive("<rss>" + Repeat(piece, 300'000));
    Survive(Rss(Item("<title><![CDATA[" + Repeat(piece, 300'000) + "]]></title>")));
    Survive(Rss(Item("<description><![CDATA[" + Repeat(piece, 300'000) + "]]></description>")));
  }
}

TEST(Hostile, TagSoupInsideContentStaysLinear) {
  for (const std::string_view piece : {"<b><p>", "<script>", "<style><", "<!--<", "<a href=\"",
                                       "<a href='x", "<svg:", "<script></scrip"})
    Survive(
        Rss(Item("<content:encoded><![CDATA[" + Repeat(piece, 200'000) + "]]></content:encoded>")));
}

TEST(Hostile, UnclosedCDataInEveryItemStaysLinear) {
  Survive("<rss><channel>" + Repeat("<item><description><![CDATA[x</description></item>", 100'000) +
          "</channel></rss>");
  Survive("<rss><channel>" + Repeat("<item><description><![CDATA[x</description></item>", 100'000));
}

TEST(Hostile, MillionItemsAreAllKept) {
  EXPECT_THAT(MustParse(Rss(Repeat("<item/>", 300'000))).entries, SizeIs(300'000));
}

TEST(Hostile, HugeItemIsKeptWhole) {
  const std::string body(30'000'000, 'x');
  const Feed feed = MustParse(Rss(Item("<description>" + body + "</description>")));
  EXPECT_EQ(feed.entries.at(0).summary.size(), body.size());
}

TEST(Hostile, DocumentOverTheLimitIsRefused) {
  ParseOptions options;
  options.document_bytes_max = 100;
  EXPECT_EQ(ParseFeed(std::string(101, ' '), options).status().code(),
            base::Code::kResourceExhausted);
}

TEST(Hostile, LongUrlsAndNamesAreOnlyText) {
  const std::string url = "https://d.example/" + std::string(1'000'000, 'a');
  EXPECT_EQ(FirstItem("<link>" + url + "</link>").link, url);
  Survive(Rss("<" + std::string(1'000'000, 'n') + ">"));
  EXPECT_FALSE(FirstItem("<pubDate>" + std::string(1'000'000, '9') + "</pubDate>").published);
}

TEST(Hostile, DotSegmentsByTheThousandStayLinear) {
  ParseOptions options;
  options.base_url = "https://d.example/a/b";
  Feed feed = MustParse(Rss(Item("<link>" + Repeat("../a/", 200'000) + "</link>")), options);
  EXPECT_EQ(feed.entries.at(0).link, "https://d.example/a/");
}

TEST(Hostile, BinaryRubbishIsAnErrorOrAnEmptyFeed) {
  std::string bytes;
  uint32_t state = 1;
  for (int i = 0; i < 200'000; ++i)
    bytes.push_back(static_cast<char>((state = state * 1664525u + 1013904223u) >> 24));
  Survive(bytes);
  Survive("<rss>" + bytes);
  Survive(Rss(Item("<title>" + bytes + "</title>")));
  Survive("\x1F\x8B" + bytes);
  Survive(std::string("\xFF\xFE") + bytes);
  Survive("{" + bytes);
}

TEST(Hostile, DeepJsonIsRefused) {
  Survive("{\"version\":\"https://jsonfeed.org/version/1\",\"items\":" + Repeat("[", 1'000'000));
  Survive("{\"a\":" + Repeat("{\"a\":", 500'000));
}

// The mended name of the root lives as long as it is needed (a use after free that the feed fuzzer found).
TEST(Hostile, ARootWithAStrayAmpersandInItsNameIsKnown) {
  const std::string urls = "<url><loc>https://example.com/a</loc><news:news xmlns:news='http://www.google.com/schemas/sitemap-news/0.9'>"
                           "<news:title>A</news:title></news:news></url></urlset>";
  const Feed plain = MustParse("<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>" + urls);
  const Feed stray = MustParse("<url&set xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>" + urls);
  ASSERT_THAT(plain.entries, SizeIs(1));
  ASSERT_THAT(stray.entries, SizeIs(1));
  EXPECT_EQ(stray.entries[0].title, plain.entries[0].title);
}

TEST(Hostile, InvalidUtf8InATitleIsMended) {
  const std::string title = FirstItem("<title>ok \xFF\xC0 end</title>").title;
  EXPECT_TRUE(title.starts_with("ok ")) << title;
  EXPECT_TRUE(title.ends_with(" end")) << title;
}

TEST(Hostile, YearsOutOfRangeAreNoDate) {
  EXPECT_FALSE(FirstItem("<pubDate>Tue, 03 Nov 99999 09:15:00 GMT</pubDate>").published);
  EXPECT_TRUE(FirstItem("<pubDate>Fri, 31 Dec 9999 09:15:00 GMT</pubDate>").published);
}

}  // namespace
}  // namespace racewatch::ingest
