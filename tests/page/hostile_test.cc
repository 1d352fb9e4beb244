// Pages made to cost time, memory or stack. What they must keep is the limit on nodes; the time limit of ctest and the
// bench watch the rest.
#include <gtest/gtest.h>

#include "ingest/page/html_tree.h"
#include "tests/page/page_documents.h"

namespace racewatch::ingest {
namespace {

std::string Repeat(std::string_view part, size_t times) {
  std::string out;
  out.reserve(part.size() * times);
  for (size_t i = 0; i < times; ++i) out += part;
  return out;
}

TEST(HostilePage, DeepNestingKeepsTheText) {
  for (const char* open : {"<div>", "<b>", "<blockquote><p>", "<ul><li>", "<table><tr><td>", "<span class=comment>", "<a href=x>"})
    EXPECT_TRUE(ExtractPage(Repeat(open, 200'000) + Paragraphs(1, 4)).ok()) << open;
  EXPECT_NE(Extract(Repeat("<div>", 1000) + Paragraphs(1, 4)).text.find("Paragraph 4"), std::string::npos);
}
// Found by page_fuzz: a heading of 400 bytes and more was cut in the middle of a character.
TEST(HostilePage, AHeadingTooLongIsCutBetweenCharacters) {
  for (size_t shift = 0; shift < 3; ++shift) {
    const std::string title = Extract("<h1>" + std::string(shift, 'a') + Repeat("\xE6\x97\xA7", 1000) + "</h1>" + Paragraphs(1, 4)).title;
    EXPECT_GT(title.size(), 100u);
    EXPECT_TRUE(title.ends_with("\xE6\x97\xA7")) << shift;
  }
}
TEST(HostilePage, MillionElementsDeepAreReadToTheNodeLimit) {
  page::Tree tree;
  page::ParseHtml(Repeat("<div>", 1'000'000), &tree);
  EXPECT_TRUE(tree.truncated);
  EXPECT_LE(tree.nodes.size(), page::kNodesMax);
}
TEST(HostilePage, MisnestedFormattingDoesNotMultiply) {
  page::Tree tree;
  page::ParseHtml(Repeat("<b>", 20'000) + Repeat("<p>", 20'000), &tree);
  EXPECT_EQ(tree.nodes.size(), 40'001u);
}
TEST(HostilePage, AttributeFloodKeepsAFew) {
  page::Tree tree;
  page::ParseHtml("<div " + Repeat("class=x ", 100'000) + ">t</div>", &tree);
  EXPECT_LE(tree.attrs.size(), page::kAttrsPerElementMax);
  EXPECT_EQ(tree.nodes.size(), 3u);
}
TEST(HostilePage, EndTagsThatFitNothingCostLittle) {
  EXPECT_TRUE(ExtractPage(Repeat("<div>", 250) + Repeat("</b></i></span></x></p></td>", 100'000)).ok());
}
TEST(HostilePage, UnclosedThingsEndWithThePage) {
  for (const char* tail : {"<!--", "<script>", "<a href=\"", "<style>", "<title>", "<![CDATA[", "<p class='", "</", "<", "&#", "&#x", "<textarea>"}) {
    const std::string page = "<html><body>" + Paragraphs(1, 4) + tail;
    EXPECT_NE(Extract(page).text.find("Paragraph 4"), std::string::npos) << tail;
    EXPECT_TRUE(ExtractPage("<p>" + Repeat(tail, 100'000)).ok()) << tail;
  }
}
TEST(HostilePage, TenMegabytesAreReadAndNoMore) {
  const std::string page = "<body>" + Repeat(Paragraph(1), 100'000) + "<p>The very last words, far behind the limit.</p>";
  ASSERT_GT(page.size(), 10u << 20);
  const std::string text = Extract(page).text;
  EXPECT_FALSE(text.empty());
  EXPECT_EQ(text.find("very last words"), std::string::npos);
}
TEST(HostilePage, OtherFormatsAreRefused) {
  for (const std::string& bytes : {std::string(), std::string("  \n"), std::string("%PDF-1.7 x"), std::string("PK\x03\x04zip"), std::string("a\0b\0c", 5),
                                   std::string("just words, no markup"), std::string("{\"a\":1}"),
                                   std::string("<?xml version='1.0'?><rss><channel></channel></rss>")}) {
    const auto page = ExtractPage(bytes);
    ASSERT_FALSE(page.ok()) << bytes;
    EXPECT_EQ(page.status().code(), base::Code::kInvalidArgument);
  }
}
TEST(HostilePage, InvalidUtf8ComesOutClean) {
  const std::string text = Extract("<meta charset=utf-8><p>Words, in a row, that are long enough \xFF\xC3\x28 to be kept as text.</p>").text;
  EXPECT_EQ(text.find('\xFF'), std::string::npos);
  EXPECT_NE(text.find("long enough"), std::string::npos);
}
TEST(HostilePage, DeepOrHugeJsonLdIsSkipped) {
  const std::string page = Document("<title>Still a title here</title><script type='application/ld+json'>" + Repeat("[", 200'000) + "</script>", Paragraphs(1, 4));
  EXPECT_EQ(Extract(page).title, "Still a title here");
}
TEST(HostilePage, NoStateCrossesFromPageToPage) {
  const std::string plain = Document("", Paragraphs(1, 4));
  const Page before = Extract(plain);
  Extract(Document("<title>Other page</title><meta name=author content='Bo Marsh'><base href='https://b.example/'>", Repeat("<div>", 1000) + Paragraphs(9, 30)));
  const Page after = Extract(plain);
  EXPECT_EQ(before.text, after.text);
  EXPECT_EQ(after.author, "");
  EXPECT_EQ(after.title, before.title);
}

}  // namespace
}  // namespace racewatch::ingest
