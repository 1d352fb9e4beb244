#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/page/page_documents.h"

namespace racewatch::ingest {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string Text(std::string_view body, std::string_view head = "") { return Extract(Document(head, body)).text; }

TEST(Content, ParagraphsAreSeparatedByABlankLine) {
  const std::string text = Text("<p>One sentence, long enough to be taken for a real paragraph.</p><p>Two sentences. Long enough, too, to be one of them.</p>");
  EXPECT_EQ(text, "One sentence, long enough to be taken for a real paragraph.\n\nTwo sentences. Long enough, too, to be one of them.");
}
TEST(Content, NavigationHeaderAndFooterAreLeftOut) {
  const std::string text = Text("<nav><p>Home, world, politics, and everything else that a menu holds, in one line.</p></nav>" + Paragraphs(1, 5) +
                                "<footer><p>Imprint, address, telephone number, and a long legal sentence nobody reads.</p></footer>");
  EXPECT_THAT(text, Not(HasSubstr("menu holds")));
  EXPECT_THAT(text, Not(HasSubstr("Imprint")));
  EXPECT_THAT(text, HasSubstr("Paragraph 5 tells"));
}
TEST(Content, BoxesNamedInTheMarkupAreLeftOut) {
  for (const char* name : {"related-posts", "newsletterSignup", "share_bar", "cookie-consent", "comments", "social", "advert", "author-bio"}) {
    const std::string box = std::string("<div class='x ") + name + "'><p>This box talks about something else, at length, and in full sentences.</p></div>";
    const std::string text = Text("<article>" + Paragraphs(1, 3) + box + Paragraphs(4, 6) + "</article>");
    EXPECT_THAT(text, Not(HasSubstr("This box"))) << name;
    EXPECT_THAT(text, HasSubstr("Paragraph 6 tells")) << name;
  }
}
TEST(Content, ANameThatCoversTheArticleIsAboutItsLayout) {
  EXPECT_THAT(Text("<div class='page has-sidebar ad'><div class='popup'>" + Paragraphs(1, 5) + "</div></div>"), HasSubstr("Paragraph 3 tells"));
}
TEST(Content, NamesThatHideNearlyEverythingAreNotTrusted) {
  std::string body;
  for (int n = 1; n <= 8; ++n) body += "<div class='promo'>" + Paragraph(n) + "</div>";
  EXPECT_THAT(Text(body), HasSubstr("Paragraph 8 tells"));
}
TEST(Content, HiddenElementsAreLeftOut) {
  const std::string text = Text(Paragraphs(1, 5) + "<div style='display: none'>" + Paragraph(77) + "</div><p hidden>" + Paragraph(78) + "</p>");
  EXPECT_THAT(text, Not(HasSubstr("Paragraph 77")));
}
TEST(Content, StreamedPartsAreRead) {
  EXPECT_THAT(Text("<div>" + Paragraph(1) + "</div><div hidden id='S:0'>" + Paragraphs(2, 6) + "</div>"), HasSubstr("Paragraph 6 tells"));
}
TEST(Content, TheTitleIsNotRepeated) {
  const std::string text = Text("<article><h1>Harbour opens again today</h1>" + Paragraphs(1, 4) + "</article>", "<title>Harbour opens again today</title>");
  EXPECT_TRUE(text.starts_with("Paragraph 1 tells")) << text;
}
TEST(Content, InnerHeadingsAndListsStay) {
  const std::string text = Text("<article>" + Paragraphs(1, 3) + "<h2>What comes next</h2><ul><li>A first step of some length, for the reader.</li></ul>" + Paragraph(4) + "</article>");
  EXPECT_THAT(text, HasSubstr("\n\nWhat comes next\n\nA first step"));
}
TEST(Content, RelatedListAtTheEndEndsTheArticle) {
  const std::string text = Text("<div>" + Paragraphs(1, 9) + "<h3>Related articles</h3>" + Paragraph(99) + "</div>");
  EXPECT_THAT(text, HasSubstr("Paragraph 9 tells"));
  EXPECT_THAT(text, Not(HasSubstr("Paragraph 99")));
}
TEST(Content, RelatedListInTheMiddleDoesNotEndTheArticle) {
  EXPECT_THAT(Text("<div>" + Paragraphs(1, 8) + "<h3>Related articles</h3>" + Paragraphs(9, 20) + "</div>"), HasSubstr("Paragraph 20 tells"));
}
TEST(Content, PointersCaptionsAndFootnoteMarksAreLeftOut) {
  const std::string text = Text("<article>" + Paragraphs(1, 3) + "<p>Also read: <a href=/x>The other story about the harbour</a></p>"
                                "<figure><figcaption>A crane at dusk, seen from the bridge.</figcaption></figure>"
                                "<p>A claim with a source, as it should be.<sup><a href='#f1'>17</a></sup></p>" + Paragraph(4) + "</article>");
  EXPECT_THAT(text, Not(HasSubstr("other story")));
  EXPECT_THAT(text, Not(HasSubstr("crane")));
  EXPECT_THAT(text, HasSubstr("as it should be.\n\n"));
}
TEST(Content, TwoLineBreaksMakeAParagraph) {
  EXPECT_THAT(Text("<div>First part, which is long enough to be a paragraph.<br><br>Second part, which is long enough as well, luckily.</div>"),
              HasSubstr("paragraph.\n\nSecond part"));
}
TEST(Content, CellsOfARowShareALine) {
  EXPECT_THAT(Text("<article>" + Paragraphs(1, 3) + "<table><tr><td>Year</td><td>Price</td></tr><tr><td>2026</td><td>12</td></tr></table>" + Paragraph(4) + "</article>"),
              HasSubstr("Year Price\n\n2026 12"));
}
TEST(Content, ItemsOfOrderedListsKeepTheirNumbers) {
  EXPECT_THAT(Text("<article>" + Paragraphs(1, 3) + "<ol><li>Read the rule, then the comments.</li>\n<li><p>Write down what it asks for.</p></li></ol>" + Paragraph(4) + "</article>"),
              HasSubstr("1. Read the rule, then the comments.\n\n2. Write down"));
}
TEST(Content, ALedeAboveTheArticleBodyStays) {
  const std::string lede = "The harbour, which had been shut since the storm of the last winter, opened again on Monday, and the first ships came in before noon, "
                           "greeted by the mayor and by a crowd that had waited since dawn.";
  const std::string text = Text("<main><h1>Harbour opens again</h1><div><p>" + lede + "</p></div><div class='article-body'>" + Paragraphs(1, 9) + "</div></main>",
                                "<title>Harbour opens again</title>");
  EXPECT_TRUE(text.starts_with(lede + "\n\nParagraph 1 tells")) << text;
}
TEST(Content, ArticleForReadersWithoutScriptsIsFound) {
  EXPECT_THAT(Text("<div id=app></div><noscript>" + Paragraphs(1, 4) + "</noscript>"), HasSubstr("Paragraph 4 tells"));
}
TEST(Content, APageOfLinksHasNoText) {
  std::string body;
  for (int i = 0; i < 30; ++i) body += "<li><a href=/" + std::to_string(i) + ">Some headline, number " + std::to_string(i) + "</a></li>";
  EXPECT_EQ(Text("<ul>" + body + "</ul>"), "");
}

}  // namespace
}  // namespace racewatch::ingest
