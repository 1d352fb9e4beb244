#include <gtest/gtest.h>

#include "ingest/page/html_tree.h"
#include "ingest/page/metadata.h"
#include "ingest/page/text.h"

namespace racewatch::ingest::page {
namespace {

// The tree as text: (p "a" (b "b")).
std::string Show(const Tree& tree, uint32_t node) {
  static const std::pair<Tag, const char*> kNames[] = {{Tag::kP, "p"}, {Tag::kB, "b"}, {Tag::kI, "i"}, {Tag::kDiv, "div"}, {Tag::kLi, "li"},
                                                       {Tag::kUl, "ul"}, {Tag::kTd, "td"}, {Tag::kTr, "tr"}, {Tag::kTable, "table"},
                                                       {Tag::kA, "a"}, {Tag::kH1, "h1"}, {Tag::kBr, "br"}, {Tag::kSpan, "span"}};
  const Node& n = tree.nodes[node];
  if (n.tag == Tag::kText) return std::string("'").append(n.text).append("'");
  std::string out = "(";
  for (const auto& [tag, name] : kNames)
    if (tag == n.tag) out += name;
  for (uint32_t child = node + 1; child < n.end; child = tree.nodes[child].end) out += " " + Show(tree, child);
  return out + ")";
}

std::string Parse(std::string_view html) {
  Tree tree;
  ParseHtml(html, &tree);
  return Show(tree, 0);
}

TEST(HtmlTree, BlockEndsAnOpenParagraph) { EXPECT_EQ(Parse("<p>a<p>b<div>c</div>"), "( (p 'a') (p 'b') (div 'c'))"); }
TEST(HtmlTree, ItemEndsAnOpenItemOfTheSameList) {
  EXPECT_EQ(Parse("<ul><li>a<ul><li>b</ul><li>c</ul>"), "( (ul (li 'a' (ul (li 'b'))) (li 'c')))");
}
TEST(HtmlTree, CellEndsAnOpenCell) { EXPECT_EQ(Parse("<table><tr><td>a<td>b<tr><td>c</table>d"),
                                               "( (table (tr (td 'a') (td 'b')) (tr (td 'c'))) 'd')"); }
TEST(HtmlTree, EndTagWithoutStartIsIgnored) { EXPECT_EQ(Parse("<div>a</b></p></table>b</div>"), "( (div 'a' 'b'))"); }
TEST(HtmlTree, InlineEndTagAroundABlockEndsWithTheBlock) {
  EXPECT_EQ(Parse("<a><div>x</a>y</div>z"), "( (a (div 'x' 'y')) 'z')");
}
TEST(HtmlTree, LinkInsideALinkEndsTheFirst) { EXPECT_EQ(Parse("<a>x<a>y</a>z"), "( (a 'x') (a 'y') 'z')"); }
TEST(HtmlTree, EndTagDoesNotReachOutOfACell) { EXPECT_EQ(Parse("<div><table><tr><td>a</div>b</table>c</div>"),
                                                         "( (div (table (tr (td 'a' 'b'))) 'c'))"); }
TEST(HtmlTree, BareAngleIsText) { EXPECT_EQ(Parse("<p>1 < 2 <3</p>"), "( (p '1 < 2 ' '<3'))"); }
TEST(HtmlTree, CommentsAndDoctypeVanish) { EXPECT_EQ(Parse("<!doctype html><p>a<!-- <b>x</b> --><!-->b</p>"), "( (p 'a' 'b'))"); }
TEST(HtmlTree, ScriptHidesMarkupUntilItsOwnEndTag) {
  Tree tree;
  ParseHtml("<script>if (a</b>) '<p>'</SCRIPT ><p>x", &tree);
  EXPECT_EQ(tree.nodes[1].text, "if (a</b>) '<p>'");
  EXPECT_EQ(tree.nodes[2].tag, Tag::kP);
}
TEST(HtmlTree, AttributesInAllQuotingsAreRead) {
  Tree tree;
  ParseHtml("<a HREF=x class='a b' id = \"c>d\" hidden class=late>t", &tree);
  EXPECT_EQ(tree.Get(1, Attr::kHref), "x");
  EXPECT_EQ(tree.Get(1, Attr::kClass), "a b");
  EXPECT_EQ(tree.Get(1, Attr::kId), "c>d");
  EXPECT_TRUE(tree.Has(1, Attr::kHidden));
  EXPECT_FALSE(tree.Has(1, Attr::kRel));
}
TEST(HtmlTree, SubtreesAreRangesOfNodes) {
  Tree tree;
  ParseHtml("<div><p>a</p><p>b</p></div><p>c</p>", &tree);
  for (uint32_t i = 1; i < tree.nodes.size(); ++i) {
    EXPECT_LT(tree.nodes[i].parent, i);
    EXPECT_LE(tree.nodes[i].end, tree.nodes[tree.nodes[i].parent].end);
  }
}

TEST(HtmlText, EntitiesAndSpacesAreFolded) {
  EXPECT_EQ(CleanText(" a&nbsp;&amp;\n b&#8217;s &#x4e2d; &eacute &bogus; AT&T &#0; "), "a & b’s 中 é &bogus; AT&T \xEF\xBF\xBD");
}
TEST(HtmlText, NumbersOfWindows1252AreMapped) { EXPECT_EQ(CleanText("&#147;x&#148;&#150;"), "“x”–"); }
TEST(HtmlText, InvisibleCharactersVanish) { EXPECT_EQ(CleanText("a\xC2\xAD" "b\xE2\x80\x8B" "c\xE3\x80\x80" "d"), "abc d"); }

TEST(AbsoluteUrl, FollowsTheBase) {
  EXPECT_EQ(AbsoluteUrl("https://a.example/x/y?q", "/z"), "https://a.example/z");
  EXPECT_EQ(AbsoluteUrl("https://a.example/x/y?q", "z"), "https://a.example/x/z");
  EXPECT_EQ(AbsoluteUrl("https://a.example", "z"), "https://a.example/z");
  EXPECT_EQ(AbsoluteUrl("https://a.example/x", "//b.example/z"), "https://b.example/z");
  EXPECT_EQ(AbsoluteUrl("https://a.example/x", "http://b.example/z"), "http://b.example/z");
  EXPECT_EQ(AbsoluteUrl("", "/z"), "/z");
}

}  // namespace
}  // namespace racewatch::ingest::page
