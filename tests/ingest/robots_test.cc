#include "ingest/robots.h"

#include <gtest/gtest.h>

namespace racewatch::ingest {
namespace {

bool Allowed(std::string_view text, std::string_view path) { return RobotsRules::Parse(text, "racewatch").Allows(path); }

TEST(RobotsTest, AnEmptyFileForbidsNothing) {
  EXPECT_TRUE(Allowed("", "/a"));
  EXPECT_TRUE(Allowed("User-agent: *\nDisallow:\n", "/a"));
  EXPECT_TRUE(Allowed("<html>not robots</html>", "/a"));
}

TEST(RobotsTest, OurOwnGroupReplacesTheOneForAll) {
  constexpr char kText[] = "User-agent: *\nDisallow: /\n\nUser-Agent: RaceWatch/1.0\nDisallow: /private\n";
  EXPECT_TRUE(Allowed(kText, "/a"));
  EXPECT_FALSE(Allowed(kText, "/private/x"));
  EXPECT_FALSE(RobotsRules::Parse(kText, "otherbot").Allows("/a"));
  EXPECT_FALSE(Allowed("User-agent: racewatchbot\nDisallow:\nUser-agent: *\nDisallow: /\n", "/a"));  // another's name
}

TEST(RobotsTest, GroupsOfOneAgentAreJoinedAndAgentsShareAGroup) {
  constexpr char kText[] =
      "User-agent: racewatch\nDisallow: /a\nUser-agent: x\nUser-agent: racewatch\nDisallow: /b\nUser-agent: y\nDisallow: /c\n";
  EXPECT_FALSE(Allowed(kText, "/a"));
  EXPECT_FALSE(Allowed(kText, "/b"));
  EXPECT_TRUE(Allowed(kText, "/c"));
}

TEST(RobotsTest, TheLongestRuleDecidesAndAllowWinsATie) {
  constexpr char kText[] = "User-agent: *\nDisallow: /news\nAllow: /news/public\nDisallow: /p\nAllow: /p\n";
  EXPECT_FALSE(Allowed(kText, "/news/1"));
  EXPECT_TRUE(Allowed(kText, "/news/public/1"));
  EXPECT_TRUE(Allowed(kText, "/p/1"));
}

TEST(RobotsTest, KnowsStarAndEnd) {
  constexpr char kText[] = "User-agent: *\nDisallow: /*.pdf$\nDisallow: /*?print=\n";
  EXPECT_FALSE(Allowed(kText, "/a/b.pdf"));
  EXPECT_TRUE(Allowed(kText, "/a/b.pdf?x"));
  EXPECT_FALSE(Allowed(kText, "/a?print=1"));
  EXPECT_FALSE(Allowed("User-agent: *\nDisallow: /a*b*c$", "/aXbXbXc"));
  EXPECT_TRUE(Allowed("User-agent: *\nDisallow: /a*b*c$", "/aXbXbXcd"));
}

TEST(RobotsTest, ComparesEscapesAndIgnoresCommentsAndCase) {
  EXPECT_FALSE(Allowed("user-AGENT:*#all\r\ndisallow: /%e4%b8%ad # x\r\n", "/中/1"));
  EXPECT_FALSE(Allowed("User-agent: *\nDisallow: /中", "/%E4%B8%AD"));
}

TEST(RobotsTest, ALongPatternOfStarsStaysCheap) {
  std::string text = "User-agent: *\nDisallow: /";
  for (int i = 0; i < 10'000; ++i) text += "*a";
  EXPECT_TRUE(Allowed(text + "$\n", "/" + std::string(5'000, 'a') + "b"));
}

TEST(RobotsTest, TheFileItselfIsAlwaysAllowed) { EXPECT_TRUE(RobotsRules::DisallowAll().Allows("/robots.txt")); }

}  // namespace
}  // namespace racewatch::ingest
