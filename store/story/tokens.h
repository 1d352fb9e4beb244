// Text as a sequence of folded tokens, the common ground of all sketches: a word (letters and digits,
// accents, case and compatibility forms folded away) or one Han or kana character. Used by StoryIndex once
// per article with a reused vector. Stateless, no errors: invalid UTF-8 separates words.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace racewatch::store {

struct Token {
  uint64_t hash;   // of the folded token
  bool function;   // function word: at most three letters in lower case, or a longer one of the list
  bool digit;      // carries a digit
  bool anchor;     // carries a capital or a digit and is no function word: names, dates, numbers
  bool ideograph;  // one Han or kana character
};

// Appends the tokens of UTF-8 `text`. Equal for texts that differ only in case, quotes, spaces,
// punctuation, accents, or Unicode normal form.
void AppendTokens(std::string_view text, std::vector<Token>* tokens);

// `title` without a trailing outlet name (` – Outlet`, ` | Outlet`, ` - Outlet` of at most four words).
std::string_view WithoutOutlet(std::string_view title);

}  // namespace racewatch::store
