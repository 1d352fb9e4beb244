#include "store/story/tokens.h"

#include <gtest/gtest.h>

#include <string>

namespace racewatch::store {
namespace {

std::vector<uint64_t> Hashes(std::string_view text) {
  std::vector<Token> tokens;
  AppendTokens(text, &tokens);
  std::vector<uint64_t> hashes;
  for (const Token& token : tokens) hashes.push_back(token.hash);
  return hashes;
}

TEST(TokensTest, CasePunctuationQuotesAndSpacesAreFolded) {
  EXPECT_EQ(Hashes("The  agency's \"plan\"."), Hashes("the agency’s “plan”"));
  EXPECT_NE(Hashes("one two"), Hashes("two one"));
}

TEST(TokensTest, UnicodeFormsAreOne) {
  EXPECT_EQ(Hashes("caf\xC3\xA9 Z\xC3\x9CRICH"), Hashes("cafe\xCC\x81 zu\xCC\x88rich"));
  EXPECT_EQ(Hashes("\xEF\xBC\xA7\xEF\xBC\xB0\xEF\xBC\xB5 \xEF\xBC\x91\xEF\xBC\x92"), Hashes("GPU 12")) << "full width";
  EXPECT_EQ(Hashes("\xEA\xB0\x80"), Hashes("\xE1\x84\x80\xE1\x85\xA1")) << "Hangul, composed and not";
}

TEST(TokensTest, EveryHanCharacterIsAToken) {
  EXPECT_EQ(Hashes("算力中心").size(), 4u);
  EXPECT_EQ(Hashes("GPU算力2025").size(), 4u);
}

TEST(TokensTest, FunctionWordsAndAnchorsAreMarked) {
  std::vector<Token> tokens;
  AppendTokens("The makers of Nvidia sold 12 within China", &tokens);
  ASSERT_EQ(tokens.size(), 8u);
  EXPECT_FALSE(tokens[1].function || tokens[1].anchor);
  EXPECT_TRUE(tokens[2].function);
  EXPECT_TRUE(tokens[3].anchor);
  EXPECT_TRUE(tokens[5].anchor && tokens[5].digit);
  EXPECT_TRUE(tokens[6].function && !tokens[6].anchor);
  EXPECT_TRUE(tokens[7].anchor && !tokens[7].digit);
}

TEST(TokensTest, InvalidBytesSeparateWords) {
  EXPECT_EQ(Hashes("one\xFFtwo\xE4\xB8"), Hashes("one two"));
}

TEST(TokensTest, AnOutletNameAfterTheTitleIsLeftOff) {
  EXPECT_EQ(WithoutOutlet("Four words are enough | Harbor Post"), "Four words are enough");
  EXPECT_EQ(WithoutOutlet("Four words are enough \xE2\x80\x93 Metro Wire"), "Four words are enough");
  EXPECT_EQ(WithoutOutlet("Too short - Harbor Post"), "Too short - Harbor Post");
  EXPECT_EQ(WithoutOutlet("A longer second half is - after all part of the title"), "A longer second half is - after all part of the title");
}

}  // namespace
}  // namespace racewatch::store
