// What training and tagging read from a document, so that both see the same features: its tokens, and on
// demand its lexicon hits and concept features. Holds the buffers; one per thread, reused.
#pragma once

#include <string_view>
#include <vector>

#include "classify/model/concept.h"
#include "classify/model/lexicon.h"
#include "classify/model/text.h"

namespace racewatch::classify {

inline constexpr uint32_t kNgramTokensMax = 3;
inline constexpr uint32_t kGateNgramTokensMax = 2;

class Analysis {
 public:
  // Tokens and scripts; forgets the hits and concepts of the document before.
  void ReadTokens(std::string_view title, std::string_view text, const FoldTable& fold) {
    concepts.clear();
    hits.clear();
    Tokenise(title, text, fold, &tokens, &scripts);
  }

  // Lexicon hits and concept features of the document whose tokens were read last.
  void ReadConcepts(std::string_view title, std::string_view text, const Lexicon& lexicon, const ConceptRules& rules) {
    stems_.resize(tokens.size());
    for (size_t i = 0; i < tokens.size(); ++i) stems_[i] = Stem(tokens[i], title, text);
    lexicon.Match(tokens, stems_, &hits);
    stream_.Extract(tokens, hits, rules, &concepts);
  }

  std::vector<Token> tokens;
  ScriptCounts scripts;
  std::vector<LexiconHit> hits;
  std::vector<ConceptFeature> concepts;

 private:
  // Words come again and again, and equal ones have equal stems.
  uint64_t Stem(const Token& token, std::string_view title, std::string_view text) {
    if (!CanBeStemmed(token)) return token.hash;
    Known& known = known_[token.hash % kKnown];
    if (known.word != token.hash) known = {token.hash, StemHash(token, Bytes(title, text, token.start, token.length))};
    return known.stem;
  }

  static constexpr size_t kKnown = 2048;
  struct Known {
    uint64_t word, stem;
  };
  static std::vector<Known> NoneKnown() {
    std::vector<Known> none(kKnown, Known{0, 0});
    none[0].word = 1;  // which lies elsewhere
    return none;
  }
  std::vector<Known> known_ = NoneKnown();
  std::vector<uint64_t> stems_;
  ConceptStream stream_;
};

// Calls f(hash, first token, tokens) for every run of 1 to `longest` tokens inside a sentence.
template <typename F>
inline void ForEachNgram(const std::vector<Token>& tokens, uint32_t longest, F&& f) {
  const size_t count = tokens.size();
  for (size_t i = 0; i < count; ++i) {
    uint64_t hash = tokens[i].hash;
    f(hash, static_cast<uint32_t>(i), 1u);
    for (uint32_t n = 1; n < longest && i + n < count; ++n) {
      if (tokens[i + n].flags & Token::kSentenceStart) break;
      hash = Combine(hash, tokens[i + n].hash);
      f(hash, static_cast<uint32_t>(i), n + 1);
    }
  }
}

// The same for 1- and 2-grams of the title, under hashes of their own.
template <typename F>
inline void ForEachTitleNgram(const std::vector<Token>& tokens, F&& f) {
  for (size_t i = 0; i < tokens.size() && (tokens[i].flags & Token::kTitle); ++i) {
    const uint64_t one = tokens[i].hash ^ 0x7469746c65ULL;
    f(one, static_cast<uint32_t>(i), 1u);
    if (i + 1 < tokens.size() && (tokens[i + 1].flags & Token::kTitle))
      f(Combine(one, tokens[i + 1].hash), static_cast<uint32_t>(i), 2u);
  }
}

}  // namespace racewatch::classify
