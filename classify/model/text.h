// UTF-8 as received to tokens that remember their bytes. A token is a word of letters and digits,
// lower-cased, or one code point of an unspaced script (Chinese, kana), folded to simplified and half
// width. Invalid UTF-8 separates tokens; zero-width, bidi and combining characters vanish inside them.
// Pure functions over caller-owned buffers; the cost is linear in the bytes, whatever they hold.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "classify/model/fold.h"

namespace racewatch::classify {

// Bytes of a document that are read; what follows is ignored. Longer texts are dumps, not articles.
inline constexpr size_t kReadBytesMax = 256 * 1024;

// Longer words have no stem but themselves.
inline constexpr size_t kStemBytesMax = 24;

struct Token {
  enum Flag : uint16_t {
    kSentenceStart = 1,  // first token of a sentence
    kClauseStart = 2,    // first token after a clause mark
    kQuoted = 4,         // between quotation marks
    kTitle = 8,
    kUnspaced = 16,  // one code point of Chinese or kana
    kPlain = 32,     // ASCII letters only: can be stemmed
    kOtherScript = 64,
  };
  uint64_t hash;
  uint32_t start;  // byte offset in title + "\n" + text
  uint16_t length;
  uint16_t flags;
};

// Counts of letters by script, for language identification.
struct ScriptCounts {
  uint32_t latin = 0, han = 0, kana = 0, hangul = 0, cyrillic = 0, arabic = 0, other = 0;
};

// Appends the tokens of title and text to `tokens` (cleared first).
void Tokenise(std::string_view title, std::string_view text, const FoldTable& fold, std::vector<Token>* tokens,
              ScriptCounts* scripts);

// Hash of a word's stem: plural, -ed, -ing, possessive and doubled consonants gone, as the lexicon matches
// it. `bytes` is the token as it stands in the text; words that are not plain ASCII keep their own hash.
uint64_t StemHash(const Token& token, std::string_view bytes);

// False: its stem is the word itself, whatever its bytes. Of others, tokens of one hash have one stem.
inline bool CanBeStemmed(const Token& token) { return (token.flags & Token::kPlain) && token.length <= kStemBytesMax; }

// The bytes of `length` tokens from `first`, as they stand in the document.
std::string_view Bytes(std::string_view title, std::string_view text, uint32_t start, uint32_t length);

// The beginning of `text`, never ending inside a UTF-8 sequence.
std::string_view CutAtCharacter(std::string_view text, size_t bytes_max);

}  // namespace racewatch::classify
