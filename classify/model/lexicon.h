// The bilingual term lexicon: which terms stand for which of at most 64 classes. Actors (CN, US, …) and
// concepts (LEAD, RESTRICT, …) form the concept stream, topics are only counted, and terms of kind `none`
// hide what lies inside them (应 in 应用). Built from data/lexicon.tsv by the trainer and stored in the model
// file as a sorted list of entries; immutable and shared between threads afterwards.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "classify/model/text.h"

namespace racewatch::classify {

struct LexiconEntry {
  uint64_t hash;     // of the stems, combined in order
  uint64_t classes;  // bit set; 0 for a term that hides
  uint32_t tokens;
  uint32_t more;  // 1 if a longer term starts with this sequence
};

// Classes that the concept stream treats by name. Their order in the file is free.
struct LexiconClasses {
  std::vector<std::string> names;
  uint64_t actors = 0;
  uint64_t concepts = 0;

  // Index of `name`, or 63 (an empty class) if the lexicon has none.
  uint32_t Find(std::string_view name) const;
};

// One place where terms start: `classes` of all terms starting at `first`, `tokens` of the longest.
struct LexiconHit {
  uint64_t classes;
  uint32_t first;
  uint32_t tokens;
};

class Lexicon {
 public:
  Lexicon() = default;
  Lexicon(LexiconClasses classes, std::span<const LexiconEntry> entries);

  // Reads lines `NAME<TAB>actor|concept|topic|none<TAB>term|term…`. INVALID_ARGUMENT: `F:LINE: what`.
  static base::Result<Lexicon> Parse(std::string_view file_name, std::string_view content, const FoldTable& fold);

  const LexiconClasses& classes() const { return classes_; }
  const std::vector<LexiconEntry>& entries() const { return entries_; }

  // Hits of the document in order of their first token. `stems` holds StemHash of every token.
  void Match(std::span<const Token> tokens, std::span<const uint64_t> stems, std::vector<LexiconHit>* hits) const;

 private:
  const LexiconEntry* Find(uint64_t hash) const;
  void BuildTable();

  LexiconClasses classes_;
  std::vector<LexiconEntry> entries_;  // sorted by hash
  struct Slot {
    uint32_t tag;    // upper half of the hash: another term is told apart without a look at its entry
    uint32_t entry;  // index + 1, 0 empty
  };
  std::vector<Slot> table_;  // open addressing
  uint64_t mask_ = 0;
};

}  // namespace racewatch::classify
