// The concept stream: lexicon hits read as short statements. Within a sentence it gives 1- to 3-grams of
// consecutive classes (CN>CATCH>US), actor and concept pairs of a clause, who does what to whom (passives
// and comparisons turned round), who is said to be ahead, and what a named speaker says; negated concepts
// carry a "!". Pure; runs over hits only, so its cost is that of the hits.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "classify/model/hash.h"
#include "classify/model/lexicon.h"

namespace racewatch::classify {

enum class FeatureKind : uint8_t {
  kNgram,        // tokens
  kTitleNgram,   // tokens of the title
  kClassCount,   // lexicon class, counted over the document
  kClassTitle,   // lexicon class in the title
  kClassDense,   // sentences with two or more terms of a topic
  kClassTogether,  // three classes met in one sentence
  kConcept,      // 1- to 3-grams of the stream
  kPair,         // actor and concept in one clause
  kDeed,         // who, what, to whom
  kAhead,        // who is said to be ahead
  kSpeaker,      // who says what
  kQuoted,       // concept inside quotation marks
};

// One element of the stream: a class, or a class with kNegated.
inline constexpr uint8_t kNegated = 64;
inline constexpr uint8_t kNoClass = 63;

struct ConceptFeature {
  FeatureKind kind;
  uint8_t a, b, c;
  uint32_t hit_first, hit_last;  // hits that made it

  uint64_t hash() const {
    return Mix(0x51ed270b0a1f39c1ULL ^ (uint64_t{static_cast<uint8_t>(kind)} << 24 | uint64_t{a} << 16 | uint64_t{b} << 8 | c));
  }
};

// As the explanation shows it: "concept:CN>CATCH>US", "pair:US+!LEAD", "says:CN:FAIL", "class:export".
std::string FeatureName(const ConceptFeature& feature, const LexiconClasses& classes);

// Ids of the classes that the stream's rules name.
struct ConceptRules {
  explicit ConceptRules(const LexiconClasses& classes);
  uint64_t stream = 0;  // classes that enter the stream
  uint64_t topics = 0;
  uint32_t cn, us, third, cn_firm, us_firm, ai, neg, say, should, passive, than, lead, catch_up, pass, lag;
};

class ConceptStream {
 public:
  // Appends to `out` (cleared first) the features of the document.
  void Extract(std::span<const Token> tokens, std::span<const LexiconHit> hits, const ConceptRules& rules,
               std::vector<ConceptFeature>* out);

 private:
  struct Element {
    uint8_t code;
    bool actor;
    uint16_t clause;
    uint32_t hit;
    bool quoted;
  };
  void Sentence(std::span<const Token> tokens, std::span<const LexiconHit> hits, size_t first, size_t last,
                const ConceptRules& rules, std::vector<ConceptFeature>* out);
  void BuildElements(std::span<const Token> tokens, std::span<const LexiconHit> hits, size_t first, size_t last,
                     const ConceptRules& rules);
  void Counts(std::span<const Token> tokens, std::span<const LexiconHit> hits, size_t first, size_t last,
              const ConceptRules& rules, std::vector<ConceptFeature>* out) const;
  void Grams(std::vector<ConceptFeature>* out) const;
  void Pairs(const ConceptRules& rules, std::vector<ConceptFeature>* out) const;
  void Deeds(const ConceptRules& rules, std::vector<ConceptFeature>* out) const;
  void Speakers(const ConceptRules& rules, std::vector<ConceptFeature>* out) const;

  std::vector<Element> elements_;
  bool has_say_ = false;
};

}  // namespace racewatch::classify
