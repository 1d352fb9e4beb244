// Documents that no strict parser takes, and what their authors meant.
#include <gmock/gmock.h>

#include "tests/feed/feed_documents.h"

namespace racewatch::ingest {
namespace {

using ::testing::SizeIs;

std::vector<std::string> Titles(std::string_view bytes) {
  std::vector<std::string> titles;
  for (const FeedEntry& entry : MustParse(bytes).entries) titles.push_back(entry.title);
  return titles;
}

const std::vector<std::string> kBoth = {"One", "Two"};

TEST(Wild, TitleIsPlainTextHoweverOftenEscaped) {
  const auto title = [](std::string_view text) {
    return FirstItem("<title>" + std::string(text) + "</title>").title;
  };
  EXPECT_EQ(title("AT&amp;T"), "AT&T");
  EXPECT_EQ(title("AT&amp;amp;T"), "AT&T");
  EXPECT_EQ(title("It&amp;#8217;s"), "It’s");
  EXPECT_EQ(title("&lt;b&gt;Bold&lt;/b&gt; move"), "Bold move");
  EXPECT_EQ(title("<![CDATA[A <i>b</i> &amp; c]]>"), "A b & c");
  EXPECT_EQ(title("1 &lt; 2"), "1 < 2");
  EXPECT_EQ(title("std::vector&lt;T&gt; explained"), "std::vector<T> explained");
  EXPECT_EQ(title("  two\n lines "), "two lines");
}

TEST(Wild, BareAmpersandIsText) {
  EXPECT_EQ(FirstItem("<title>R & D</title>").title, "R & D");
  EXPECT_EQ(FirstItem("<link>https://d.example/?a=1&b=2</link>").link,
            "https://d.example/?a=1&b=2");
  EXPECT_EQ(FirstItem("<enclosure url=\"https://d.example/?a=1&b=2\"/>").enclosures.at(0).url,
            "https://d.example/?a=1&b=2");
}

TEST(Wild, StrayAmpersandInATagIsLeftOut) {
  EXPECT_EQ(
      Titles("<rss><channel><it& em><ti&tle>One</tit& le></item><& item><title>Two</title></item>"
             "</channel></rss>"),
      kBoth);
}

TEST(Wild, NamedEntitiesOfHtmlAreKnownAndOthersStay) {
  EXPECT_EQ(FirstItem("<title>caf&eacute;&nbsp;&ndash; &nosuch; &#x41;&#66;</title>").title,
            "café – &nosuch; AB");
}

TEST(Wild, PlainEntityOfTheDoctypeIsReplacedAndNestedOnesAreNot) {
  EXPECT_EQ(
      Titles("<!DOCTYPE rss [<!ENTITY co \"Acme\"><!ENTITY two \"&co;&co;\">]><rss><channel><item>"
             "<title>&co; and &two;</title></item></channel></rss>"),
      std::vector<std::string>{"Acme and &two;"});
}

TEST(Wild, ControlCharactersAreDropped) {
  EXPECT_EQ(FirstItem("<title>a\x02"
                      "b\x0B"
                      "c&#2;d</title>")
                .title,
            "abcd");
}

TEST(Wild, UnclosedElementsAreRecoveredAtTheNextItem) {
  EXPECT_EQ(
      Titles("<rss><channel><item><title>One</title><item><title>Two</title></channel></rss>"),
      kBoth);
  EXPECT_EQ(
      Titles(
          "<rss><channel><item><title>One</item><item><title>Two</title></item></channel></rss>"),
      kBoth);
  EXPECT_EQ(Titles("<rss><channel><item><br><title>One</title></item><item><title>Two</title></"
                   "item></channel></rss>"),
            kBoth);
}

TEST(Wild, UnclosedForeignElementDoesNotHideTheItemsBehindIt) {
  EXPECT_EQ(
      Titles("<rss><channel><sy:upda&tePeriod>hourly</sy:updatePeriod><item><title>One</title>"
             "</item><item><title>Two</title></item></channel></rss>"),
      kBoth);
}

TEST(Wild, ItemsInsideAForeignElementOfAnItemAreNotEntries) {
  EXPECT_EQ(
      Titles("<rss><channel><item><title>One</title><x:related xmlns:x=\"urn:x\"><item><title>no"
             "</title></item></x:related></item><item><title>Two</title></item></channel></rss>"),
      kBoth);
}

TEST(Wild, StrayEndTagsAreIgnored) {
  EXPECT_EQ(Titles("<rss><channel><item></p><title>One</title></b></item><item><title>Two</title></"
                   "item></channel></rss>"),
            kBoth);
}

TEST(Wild, CDataWithoutEndStopsAtItsElement) {
  EXPECT_EQ(Titles("<rss><channel><item><title><![CDATA[One</title></"
                   "item><item><title><![CDATA[Two]]></title></item></channel></rss>"),
            kBoth);
  EXPECT_EQ(
      Titles("<rss><channel><item><title>One</title><description><![CDATA[x</description></item>"
             "<item><title>Two</title></item></channel></rss>"),
      kBoth);
}

TEST(Wild, CDataSplitAroundItsOwnEndMarkIsOneText) {
  EXPECT_EQ(FirstItem("<description><![CDATA[a]]]]><![CDATA[>b]]></description>").summary, "a]]>b");
}

TEST(Wild, JunkBeforeAndBehindIsPassedOver) {
  const std::string feed = Rss("<item><title>One</title></item><item><title>Two</title></item>");
  EXPECT_EQ(Titles("\n\n" + feed), kBoth);
  EXPECT_EQ(Titles("<!-- cached -->" + feed), kBoth);
  EXPECT_EQ(Titles("<b>Warning</b>: something in line 3<br />\n" + feed), kBoth);
  EXPECT_EQ(Titles(feed + "\n<!-- 0.3 s --><script>x()</script>"), kBoth);
}

TEST(Wild, CaseOfElementNamesDoesNotMatter) {
  EXPECT_EQ(Titles("<RSS><Channel><ITEM><Title>One</TITLE></ITEM><Item><title>Two</title></iTEM></"
                   "Channel></RSS>"),
            kBoth);
}

TEST(Wild, UnquotedAttributesAndForgottenAnglesAreRead) {
  const FeedEntry entry = FirstItem(
      "<enclosure url=https://d.example/a.mp3 type='audio/mpeg' length=5><title>T</title");
  EXPECT_EQ(entry.enclosures.at(0).url, "https://d.example/a.mp3");
  EXPECT_EQ(entry.enclosures.at(0).length, "5");
}

TEST(Wild, AngleThatBeginsNothingIsText) {
  EXPECT_EQ(FirstItem("<title>a < b and c <3</title>").title, "a < b and c <3");
}

TEST(Wild, NakedMarkupInADescriptionIsKept) {
  EXPECT_EQ(FirstItem("<description>See <b>this</b> &amp; that</description>").summary,
            "See <b>this</b> & that");
}

TEST(Wild, UnknownDefaultNamespaceOnTheRootIsOverlooked) {
  EXPECT_EQ(
      Titles("<rss xmlns=\"urn:nobody\"><channel><item><title>One</title></item></channel></rss>"),
      std::vector<std::string>{"One"});
}

TEST(Wild, EntryCutInTheMiddleIsLeftOutUnlessItIsAllThereIs) {
  const Feed feed = MustParse(
      "<rss><channel><item><title>One</title></item><item><title>Two</title><link>https://d.ex");
  EXPECT_THAT(feed.entries, SizeIs(1));
  EXPECT_TRUE(feed.truncated);
  EXPECT_THAT(
      MustParse("<rss><channel><item><title>One</title><link>https://d.example/</link><descr")
          .entries,
      SizeIs(1));
  EXPECT_FALSE(MustParse(Rss("")).truncated);
}

TEST(Wild, NoFeedIsAnErrorThatNamesWhatWasFound) {
  const auto message = [](std::string_view bytes) {
    const auto feed = ParseFeed(bytes);
    EXPECT_EQ(feed.status().code(), base::Code::kInvalidArgument) << bytes;
    return feed.status().message();
  };
  EXPECT_THAT(message("<!DOCTYPE html><html><body><rss></rss></body></html>"),
              ::testing::HasSubstr("HTML page"));
  EXPECT_THAT(message("<catalog><title>x</title></catalog>"), ::testing::HasSubstr("<catalog>"));
  EXPECT_THAT(message("PK\x03\x04zip"), ::testing::HasSubstr("archive"));
  EXPECT_THAT(message(""), ::testing::HasSubstr("empty"));
  EXPECT_THAT(message(std::string_view("\0\0\0\0", 4)), ::testing::HasSubstr("empty"));
  message("just words");
}

}  // namespace
}  // namespace racewatch::ingest
