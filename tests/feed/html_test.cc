// Sanitising, plain text, links.
#include <gtest/gtest.h>

#include "ingest/feed/html_text.h"
#include "ingest/feed/links.h"
#include "ingest/feed/sanitise.h"

namespace racewatch::ingest {
namespace {

std::string Clean(std::string_view html, std::string_view base = {}) {
  std::string out;
  feed::AppendSanitised(html, base, feed::Markup::kHtml, &out);
  return out;
}

TEST(Sanitise, CleanMarkupPassesUnchanged) {
  const std::string html =
      "<p class=\"x\">A <a href=\"https://a.example/?x=1&amp;y=2\">b</a><br/>c &amp; d</p>";
  EXPECT_EQ(Clean(html), html);
}

TEST(Sanitise, CodeAndItsContentGoes) {
  EXPECT_EQ(Clean("a<script>x('<p>')</script>b<STYLE>p{}</style >c"), "abc");
  EXPECT_EQ(Clean("a<script src=x>"), "a");
  EXPECT_EQ(
      Clean("a<iframe src=\"https://x.example/\"></iframe>b<object data=x></object><embed src=x>"),
      "ab");
  EXPECT_EQ(Clean("<form action=/x><input name=q>t</form>"), "t");
}

TEST(Sanitise, HandlersAndStylesGo) {
  EXPECT_EQ(Clean("<p onclick=\"x()\" style='a:b' id=k>t</p>"), "<p id=\"k\">t</p>");
  EXPECT_EQ(Clean("<img src=\"https://x.example/i.png\" ONERROR=x()>"),
            "<img src=\"https://x.example/i.png\">");
}

TEST(Sanitise, AddressesThatRunCodeGo) {
  EXPECT_EQ(Clean("<a href=\"javascript:x()\">t</a>"), "<a>t</a>");
  EXPECT_EQ(Clean("<a href=\" java&#10;script:x()\">t</a>"), "<a>t</a>");
  EXPECT_EQ(Clean("<a href='data:text/html,x'>t</a>"), "<a>t</a>");
  EXPECT_EQ(Clean("<img src=\"data:image/png;base64,AA\">"),
            "<img src=\"data:image/png;base64,AA\">");
}

TEST(Sanitise, RelativeAddressesAreMadeAbsolute) {
  EXPECT_EQ(Clean("<a href=' /x '>t</a><img src=\"i.png\">", "https://a.example/d/f"),
            "<a href=\"https://a.example/x\">t</a><img src=\"https://a.example/d/i.png\">");
}

TEST(Sanitise, CommentsGoAndBareAnglesBecomeText) {
  EXPECT_EQ(Clean("a<!-- x -->b<!DOCTYPE html>c<?php x ?>d"), "abcd");
  EXPECT_EQ(Clean("1 < 2 <3 <!' <a href=\"https://a.example/\">t</a>"),
            "1 &lt; 2 &lt;3 &lt;!' <a href=\"https://a.example/\">t</a>");
  EXPECT_EQ(Clean("tail <a href=\"https://a.exa"), "tail &lt;a href=\"https://a.exa");
}

TEST(Sanitise, AttributeCannotBreakOutOfItsQuotes) {
  EXPECT_EQ(Clean("<a title='\"><script>x()</script>' onclick=x>t</a>").find("<script"),
            std::string::npos);
}

TEST(Sanitise, EndTagsLoseTheirAttributes) {
  EXPECT_EQ(Clean("<p>t</p title=\"<script x\">"), "<p>t</p>");
}

TEST(HtmlText, ParagraphsListsAndBreaksKeepTheirShape) {
  EXPECT_EQ(HtmlToText("<p>One  two</p><p>Three<br>four</p><ul><li>a</li><li>b</li></ul>tail"),
            "One two\n\nThree\nfour\n\na\nb\n\ntail");
}

TEST(HtmlText, EntitiesAreDecodedAndCodeLeftOut) {
  EXPECT_EQ(HtmlToText("A&nbsp;&amp;&#8217;<script>no()</script><style>no</style><!-- no -->B"),
            "A &’B");
}

TEST(HtmlText, TagSoupIsRead) {
  EXPECT_EQ(HtmlToText("</p>1 < 2 <b>x<i>y</b> <unknown>z"), "1 < 2 xy z");
  EXPECT_EQ(HtmlToText("cut <a href=\"x"), "cut <a href=\"x");
  EXPECT_EQ(HtmlToText(""), "");
}

TEST(HtmlText, LineHasNoBreaks) { EXPECT_EQ(HtmlToLine("<p>One</p>\n<p>two</p>"), "One two"); }

TEST(Links, ReferencesResolveAsRfc3986Says) {
  const auto resolve = [](std::string_view reference) {
    return feed::ResolveUrl("http://a/b/c/d;p?q", reference);
  };
  EXPECT_EQ(resolve("g:h"), "g:h");
  EXPECT_EQ(resolve("g"), "http://a/b/c/g");
  EXPECT_EQ(resolve("./g"), "http://a/b/c/g");
  EXPECT_EQ(resolve("g/"), "http://a/b/c/g/");
  EXPECT_EQ(resolve("/g"), "http://a/g");
  EXPECT_EQ(resolve("//g"), "http://g");
  EXPECT_EQ(resolve("?y"), "http://a/b/c/d;p?y");
  EXPECT_EQ(resolve("g?y#s"), "http://a/b/c/g?y#s");
  EXPECT_EQ(resolve("#s"), "http://a/b/c/d;p?q#s");
  EXPECT_EQ(resolve(""), "http://a/b/c/d;p?q");
  EXPECT_EQ(resolve("."), "http://a/b/c/");
  EXPECT_EQ(resolve(".."), "http://a/b/");
  EXPECT_EQ(resolve("../g"), "http://a/b/g");
  EXPECT_EQ(resolve("../../../g"), "http://a/g");
  EXPECT_EQ(resolve("g;x=1/../y"), "http://a/b/c/y");
}

TEST(Links, WithoutABaseAReferenceStays) {
  EXPECT_EQ(feed::ResolveUrl("", " /x "), "/x");
  EXPECT_EQ(feed::ResolveUrl("tag:a,2026:b", "/x"), "/x");
  EXPECT_EQ(feed::ResolveUrl("https://a.example", "x"), "https://a.example/x");
}

}  // namespace
}  // namespace racewatch::ingest
