// Text made ready for the word search of saved queries: case-folded by NFKC_Casefold (Unicode Standard Annex 31), letters,
// digits and their marks kept, everything else one space. Han, kana, Hangul, Thai and their like are written without spaces
// between words (or with endings), so within them any place is a word's edge; where such a run meets other letters there is
// a space too. One object per text; not thread-safe while it is being set.
#pragma once

#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace racewatch::store {

// One word, prefix or phrase to look for.
class SearchTerm {
 public:
  // Nothing is left of `text` when it has neither letter nor digit: empty() then. `prefix`: the last word may go on.
  SearchTerm(std::string_view text, bool prefix);

  bool empty() const { return pattern_.empty(); }
  const std::string& pattern() const { return pattern_; }

 private:
  friend class SearchText;
  std::string pattern_;           // with a space at each end that must be a word's edge
  std::vector<uint32_t> words_;   // hashes of what stands between spaces in it
};

class SearchText {
 public:
  // Replaces what was there. Cost: about one pass over the text.
  void Set(std::string_view text);
  bool Has(const SearchTerm& term) const;

 private:
  static constexpr size_t kBits = 1u << 15;
  std::string text_;            // a space at both ends
  std::bitset<kBits> words_;    // hashes of its words: most terms are told absent by them alone
};

// As described above, with a space at both ends; a single space for a text without letters and digits.
std::string NormaliseForSearch(std::string_view text);

}  // namespace racewatch::store
