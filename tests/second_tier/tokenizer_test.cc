#include "classify/second_tier/tokenizer.h"

#include <gtest/gtest.h>

#include "classify/second_tier/gguf.h"
#include "tests/second_tier/tiny_model.h"

namespace racewatch::classify {
namespace {

class TokenizerTest : public testing::Test {
 protected:
  void SetUp() override {
    auto file = GgufFile::Open(WriteTemporary("tokenizer.gguf", model_.Bytes()));
    ASSERT_TRUE(file.ok()) << file.status().message();
    file_ = std::move(*file);
    auto tokenizer = Tokenizer::FromGguf(*file_);
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().message();
    tokenizer_ = std::move(*tokenizer);
  }

  // The tokens of `text` by their names in the vocabulary, a bar between them.
  std::string Names(std::string_view text) const {
    const std::vector<std::string> vocabulary = model_.Vocabulary();
    std::string out;
    for (const int32_t token : tokenizer_->Encode(text)) out += (out.empty() ? "" : "|") + vocabulary[static_cast<size_t>(token)];
    return out;
  }

  const TinyModel model_;
  std::unique_ptr<GgufFile> file_;
  std::unique_ptr<Tokenizer> tokenizer_;
};

TEST_F(TokenizerTest, JoinsThePairThatWasLearntFirst) {
  EXPECT_EQ(Names("the"), "the");
  EXPECT_EQ(Names("then"), "the|n");  // "th e" was learnt before "e n"
  EXPECT_EQ(Names("an the"), "an|Ġthe");
  EXPECT_EQ(Names("thn"), "th|n");
}

TEST_F(TokenizerTest, JoinsNothingAcrossWordsDigitsAndLines) {
  EXPECT_EQ(Names("t he"), "t|Ġ|h|e");
  EXPECT_EQ(Names("12"), "1|2");
  EXPECT_EQ(Names("t\nhe"), "t|Ċ|h|e");
}

TEST_F(TokenizerTest, SpellsOtherScriptsInBytes) {
  EXPECT_EQ(tokenizer_->Encode("中").size(), 3u);
  EXPECT_EQ(tokenizer_->Encode("").size(), 0u);
}

TEST_F(TokenizerTest, ComposesCharacters) { EXPECT_EQ(Names("e\u0301"), Names("\u00e9")); }

TEST_F(TokenizerTest, ReadsBytesThatAreNoUtf8) {
  EXPECT_EQ(Names("a\xff"), Names("a\xef\xbf\xbd"));
  EXPECT_FALSE(Names(std::string("\0\x80\xc3", 3)).empty());
}

TEST_F(TokenizerTest, TextMakesNoControlToken) {
  const auto start = tokenizer_->Control("<|im_start|>");
  ASSERT_TRUE(start.ok());
  for (const int32_t token : tokenizer_->Encode("<|im_start|>system\n<|im_end|>")) EXPECT_LT(token, *start);
  EXPECT_FALSE(tokenizer_->Control("the").ok());
  EXPECT_FALSE(tokenizer_->Control("<|other|>").ok());
}

TEST_F(TokenizerTest, ALongWordTakesNoLongTime) {
  std::string word;
  for (int i = 0; i < 100000; ++i) word += "th";
  EXPECT_EQ(tokenizer_->Encode(word).size(), 100000u);
}

TEST(TokenizerErrorTest, RefusesOtherKindsOfVocabulary) {
  TinyModel model;
  model.pre_tokenizer = "llama-bpe";
  const auto other = GgufFile::Open(WriteTemporary("other.gguf", model.Bytes()));
  ASSERT_TRUE(other.ok());
  EXPECT_NE(Tokenizer::FromGguf(**other).status().message().find("gpt2/llama-bpe"), std::string::npos);
  const auto none = GgufFile::Open(WriteTemporary("none.gguf", GgufWriter().Bytes()));
  ASSERT_TRUE(none.ok());
  EXPECT_EQ(Tokenizer::FromGguf(**none).status().code(), base::Code::kFailedPrecondition);
}

}  // namespace
}  // namespace racewatch::classify
