// What the index remembers of a text: three bottom-k samples of hashed features, and for the article at
// hand the full feature sets to hold them against.
//   words     5-grams of tokens (characters in Chinese): finds wire copies
//   skeleton  6-grams over function words and tokens with a capital or digit, with each run of other words
//             masked to one mark: survives thesaurus spinning (Broder 1997 shingles on a masked text)
//   anchors   single names, dates and numbers: tells a copy from another text of the same form
// A feature with hash h at position p has priority h·(p + kPositionBias) and the smallest priorities are kept:
// MinHash by bottom-k (Cohen & Kaplan 2007) weighted to the head of the text, so that a summary or a cut
// copy, whatever its length, keeps nearly the sample that its original has. Pure; one thread.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "store/story/tokens.h"

namespace racewatch::store {

enum Facet : size_t { kWords, kSkeleton, kFacets };

inline constexpr uint32_t kPositionBias = 64;
inline constexpr std::array<size_t, kFacets> kSampleMax = {20, 20};

// Bit set of the hashed anchors of a text (a Bloom filter with one hash): numbers in the first words,
// names in the rest.
using Signature = std::array<uint64_t, 10>;
inline constexpr size_t kNumberWords = 3;

// The anchors of a title as bits of a Signature; the first eight, the rest kNoBit.
using TitleBits = std::array<uint16_t, 8>;
inline constexpr uint16_t kNoBit = 0xFFFF;

struct Sample {
  std::vector<uint32_t> hashes;  // ascending priority
  float limit = 0;               // greatest priority kept; infinity when every feature is in
};

struct Feature {
  uint32_t hash;
  float priority;
};

// The features of one article, reused between articles: a list, and a bit for each in a table sparse enough that hardly any
// other feature meets one, for most questions are about features that are not there.
class FeatureSet {
 public:
  void Clear(size_t expected);
  // False: it was not there. True: it was, or another one with its bit.
  bool Insert(uint32_t hash) {
    uint64_t& bits = bits_[hash >> 6 & mask_];
    const uint64_t bit = uint64_t{1} << (hash & 63);
    const bool met = (bits & bit) != 0;
    bits |= bit;
    hashes_.push_back(hash);
    return met;
  }
  bool Contains(uint32_t hash) const { return (bits_[hash >> 6 & mask_] >> (hash & 63) & 1) != 0 && Listed(hash); }

 private:
  bool Listed(uint32_t hash) const;
  std::vector<uint64_t> bits_;
  std::vector<uint32_t> hashes_;
  uint32_t mask_ = 0;
};

inline void SetBit(uint16_t bit, Signature* signature) { (*signature)[bit / 64] |= uint64_t{1} << bit % 64; }

// All features of the article at hand. `features[f]` is in ascending priority up to a multiple of the sample.
struct Profile {
  std::array<FeatureSet, kFacets> sets;
  std::array<std::vector<Feature>, kFacets> features;
  std::array<Sample, kFacets> samples;
  Signature anchors{};
  TitleBits title{};
  uint32_t tokens = 0;
  std::vector<uint64_t> folded;  // working memory of Describe
};

// Fills `profile` from the tokens of an article's text and of its title.
void Describe(const std::vector<Token>& tokens, const std::vector<Token>& title, Profile* profile);

}  // namespace racewatch::store
