#include "classify/model/text.h"

#include <gtest/gtest.h>

#include <iterator>
#include <map>
#include <random>
#include <string>

#include "classify/model/fold.h"
#include "classify/model/hash.h"
#include "classify/model/language.h"

namespace racewatch::classify {
namespace {

struct Read {
  std::vector<Token> tokens;
  ScriptCounts scripts;
};

Read Tokens(std::string_view title, std::string_view text, const FoldTable& fold = FoldTable()) {
  Read read;
  Tokenise(title, text, fold, &read.tokens, &read.scripts);
  return read;
}

std::vector<uint64_t> Hashes(std::string_view text, const FoldTable& fold = FoldTable()) {
  std::vector<uint64_t> hashes;
  for (const Token& token : Tokens("", text, fold).tokens) hashes.push_back(token.hash);
  return hashes;
}

std::vector<std::string> Words(std::string_view title, std::string_view text) {
  std::vector<std::string> words;
  const std::string document = std::string(title) + "\n" + std::string(text);
  for (const Token& token : Tokens(title, text).tokens) words.push_back(document.substr(token.start, token.length));
  return words;
}

// A byte-order mark vanishes and makes the tokeniser read the word that it stands in byte by byte.
TEST(Tokenise, WordsReadEightBytesAtATimeAreThoseReadByteByByte) {
  std::mt19937 dice(4);
  constexpr std::string_view kBytes = "abkzABKZ0189.'@[`{/:- ,\n\xc3\xa9";
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (auto left = dice() % 40; left > 0; --left) text.push_back(dice() % 3 ? "etaOIN"[dice() % 6] : kBytes[dice() % kBytes.size()]);
    const Read all = Tokens("", text);
    for (const Token& token : all.tokens) {
      const std::string word = text.substr(token.start - 1, token.length);
      const Read alone = Tokens("", word + "\xef\xbb\xbf");
      ASSERT_EQ(alone.tokens.size(), 1u) << word;
      ASSERT_EQ(alone.tokens[0].hash, token.hash) << word << " in " << text;
    }
  }
}

TEST(StemHash, TokensOfOneHashHaveOneStem) {
  std::mt19937 dice(5);
  std::map<uint64_t, uint64_t> stems;
  size_t again = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string text;
    for (int word = 0; word < 40; ++word) {
      for (auto left = 1 + dice() % (dice() % 8 == 0 ? 26 : 3); left > 0; --left) text.push_back("aeIsSdgn1"[dice() % 9]);
      const std::string_view ends[] = {" ", "'s ", "'S, ", "\xe2\x80\x99s ", ".", "'t ", "-", "s' "};
      text += ends[dice() % std::size(ends)];
    }
    for (const Token& token : Tokens("", text).tokens) {
      if (!CanBeStemmed(token)) continue;
      const auto [at, is_new] = stems.emplace(token.hash, StemHash(token, Bytes("", text, token.start, token.length)));
      again += !is_new;
      ASSERT_EQ(at->second, StemHash(token, Bytes("", text, token.start, token.length))) << Bytes("", text, token.start, token.length);
    }
  }
  EXPECT_GT(again, 1000u);
}

TEST(Tokenise, LongWordsHashLikeTheirBytes) {
  for (size_t n = 1; n < 100; ++n) {
    TokenHasher hasher;
    for (size_t i = 0; i < n; ++i) hasher.Add(static_cast<uint8_t>('a' + i % 26));
    std::string word;
    for (size_t i = 0; i < n; ++i) word.push_back(static_cast<char>((i % 2 ? 'a' : 'A') + i % 26));
    for (const char* end : {"", " and then some more words", ". And", ", and so on", "'", "\xe2\x80\x94 or so"}) {
      const Read read = Tokens("", word + end);
      ASSERT_FALSE(read.tokens.empty());
      EXPECT_EQ(read.tokens[0].hash, hasher.Finish()) << word << end;
      EXPECT_EQ(read.tokens[0].length, n);
    }
  }
}

TEST(Tokenise, OffsetsPointAtTheWordsOfTitleNewlineText) {
  EXPECT_EQ(Words("AI race", "GPT-4 beats 通义 at 3.5%"),
            (std::vector<std::string>{"AI", "race", "GPT", "4", "beats", "通", "义", "at", "3.5"}));
}

TEST(Tokenise, FoldsCaseAndWidth) { EXPECT_EQ(Hashes("ＡＩ　Ｃｈｉｐ１"), Hashes("ai chip1")); }

TEST(Tokenise, FoldsTraditionalToSimplified) {
  const FoldTable fold{TraditionalToSimplified()};
  EXPECT_EQ(Hashes("中國晶片與美國競爭", fold), Hashes("中国晶片与美国竞争", fold));
  EXPECT_NE(Hashes("中國", FoldTable()), Hashes("中国", FoldTable()));
}

TEST(Tokenise, ZeroWidthAndBidiCharactersVanishInsideWords) {
  EXPECT_EQ(Hashes("ex\u200Bport\u202E con\u00ADtrols\uFEFF"), Hashes("export controls"));
}

TEST(Tokenise, TheCountryInCapitalsIsNotThePronoun) {
  EXPECT_EQ(Hashes("US"), Hashes("U.S."));
  EXPECT_NE(Hashes("US"), Hashes("us"));
}

TEST(Tokenise, PossessiveIsNotPartOfTheWord) {
  EXPECT_EQ(Hashes("China's"), Hashes("China"));
  EXPECT_EQ(Hashes("China’s"), Hashes("China"));
}

TEST(Tokenise, InvalidBytesSeparateTokensAndKeepOffsets) {
  const std::string text = "ban\xFF\xC3(chips\xE4\xB8 中";
  const auto tokens = Tokens("", text).tokens;
  ASSERT_EQ(tokens.size(), 3u);
  EXPECT_EQ(text.substr(tokens[1].start - 1, tokens[1].length), "chips");
  EXPECT_EQ(text.substr(tokens[2].start - 1, tokens[2].length), "中");
}

TEST(Tokenise, EveryByteStringGivesTokensInsideTheDocument) {
  uint64_t state = 5;
  for (int round = 0; round < 300; ++round) {
    std::string text;
    for (int i = 0; i < 200; ++i) {
      state = state * 6364136223846793005ULL + 1442695040888963407ULL;
      text += static_cast<char>(state >> 56);
    }
    uint32_t last = 0;
    for (const Token& token : Tokens("t", text).tokens) {
      EXPECT_GE(token.start, last);
      EXPECT_GT(token.length, 0);
      EXPECT_LE(token.start + token.length, text.size() + 2);
      last = token.start + token.length;
    }
  }
}

TEST(Tokenise, ReadsNoMoreThanItsLimit) {
  const std::string text(10 << 20, 'a');
  size_t bytes = 0;
  for (const Token& token : Tokens("", text).tokens) bytes += token.length;
  EXPECT_LE(bytes, kReadBytesMax);
}

TEST(Tokenise, SentencesAndClausesStartWhereTheMarksSay) {
  const auto tokens = Tokens("", "One two, three. Four").tokens;
  ASSERT_EQ(tokens.size(), 4u);
  EXPECT_TRUE(tokens[0].flags & Token::kSentenceStart);
  EXPECT_FALSE(tokens[1].flags & Token::kClauseStart);
  EXPECT_TRUE(tokens[2].flags & Token::kClauseStart);
  EXPECT_FALSE(tokens[2].flags & Token::kSentenceStart);
  EXPECT_TRUE(tokens[3].flags & Token::kSentenceStart);
}

TEST(StemHash, ForgetsPluralsAndTenses) {
  const auto stem = [](std::string_view word) { return StemHash(Tokens("", word).tokens.at(0), word); };
  for (const char* word : {"ban", "bans", "banned", "banning"}) EXPECT_EQ(stem(word), stem("ban")) << word;
  for (const char* word : {"loses", "losing"}) EXPECT_EQ(stem(word), stem("lose")) << word;
  EXPECT_EQ(stem("policies"), stem("policy"));
  EXPECT_NE(stem("chips"), stem("china"));
}

std::string Language(std::string_view text, std::string_view hint = "") {
  const Read read = Tokens("", text);
  return DetectLanguage("", text, read.tokens, read.scripts, hint);
}

TEST(DetectLanguage, KnowsScriptsAndFunctionWords) {
  EXPECT_EQ(Language("中国与美国的人工智能竞赛"), "zh");
  EXPECT_EQ(Language("これは人工知能についての記事です"), "ja");
  EXPECT_EQ(Language("인공지능 경쟁이 뜨겁다"), "ko");
  EXPECT_EQ(Language("The race for artificial intelligence is not over and the lead has been lost"), "en");
  EXPECT_EQ(Language("Die Regierung hat mit dem Gesetz auch die Regeln für Modelle nicht geändert"), "de");
  EXPECT_EQ(Language("Il governo della Cina non è più in ritardo con una legge sui modelli"), "it");
  EXPECT_EQ(Language(""), "und");
}

TEST(DetectLanguage, ScriptOutranksTheSourcesWordWithinItselfTheWordIsBelieved) {
  EXPECT_EQ(Language("中国与美国的人工智能竞赛", "en"), "zh");
  EXPECT_EQ(Language("Chips", "pt-BR"), "pt");
  EXPECT_EQ(Language("\xFF\xFE", "xx1"), "und");
}

}  // namespace
}  // namespace racewatch::classify
