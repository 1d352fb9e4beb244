#include "store/story/sketch.h"

#include <algorithm>
#include <cstddef>
#include <limits>

namespace racewatch::store {
namespace {

constexpr size_t kTokensMax = 8192;  // bounds the work on one article; its head decides
constexpr size_t kWordGram = 5;
constexpr size_t kSkeletonGram = 6;
constexpr uint64_t kMask = 0x51ED270B94C8A2F3ull;

uint32_t Mix(uint64_t hash) {
  hash = (hash ^ (hash >> 31)) * 0x7FB5D329728EA185ull;
  hash = (hash ^ (hash >> 27)) * 0x81DADEF4BC2DD44Dull;
  const auto folded = static_cast<uint32_t>(hash >> 32);
  return folded == 0 ? 1 : folded;  // 0 marks a free cell of FeatureSet
}

// Order-dependent combination of `n` hashes; products that do not wait for one another.
uint32_t Gram(const uint64_t* hashes, size_t n) {
  static constexpr uint64_t kFactors[] = {0x9FB21C651E98DF25ull, 0xD6E8FEB86659FD93ull, 0xA0761D6478BD642Full,
                                          0xE7037ED1A0B428DBull, 0x8EBC6AF09C88C6E3ull, 0x589965CC75374CC3ull};
  uint64_t sum = n;
  for (size_t i = 0; i < n; ++i) sum += (hashes[i] ^ hashes[i] >> 32) * kFactors[i];
  return Mix(sum);
}

void Add(uint32_t hash, size_t position, Facet facet, Profile* profile) {
  if (!profile->sets[facet].Insert(hash)) return;
  profile->features[facet].push_back({hash, static_cast<float>(hash) * static_cast<float>(position + kPositionBias)});
}

bool Before(const Feature& a, const Feature& b) { return a.priority != b.priority ? a.priority < b.priority : a.hash < b.hash; }

// Keeps the three times kSampleMax best features: the query's side of a comparison needs more than the
// sample, because a shift of the text moves priorities.
void Select(Facet facet, Profile* profile) {
  auto& features = profile->features[facet];
  profile->counts[facet] = static_cast<uint32_t>(features.size());
  const size_t keep = std::min(features.size(), kSampleMax[facet] * 3);
  std::partial_sort(features.begin(), features.begin() + static_cast<ptrdiff_t>(keep), features.end(), Before);
  Sample& sample = profile->samples[facet];
  const size_t n = std::min(features.size(), kSampleMax[facet]);
  sample.hashes.clear();
  for (size_t i = 0; i < n; ++i) sample.hashes.push_back(features[i].hash);
  sample.limit = features.size() > n ? features[n - 1].priority : std::numeric_limits<float>::infinity();
  features.resize(keep);
}

uint16_t BitOf(const Token& token) {
  constexpr uint32_t kNumbers = 64 * kNumberWords, kNames = 64 * (Signature().size() - kNumberWords);
  const uint32_t hash = Mix(token.hash);
  return static_cast<uint16_t>(token.digit ? hash % kNumbers : kNumbers + hash % kNames);
}

TitleBits BitsOf(const std::vector<Token>& title) {
  TitleBits bits;
  bits.fill(kNoBit);
  size_t n = 0;
  for (const Token& token : title)
    if (token.anchor && n < bits.size()) bits[n++] = BitOf(token);
  return bits;
}

void AddSkeleton(const std::vector<Token>& tokens, size_t count, Profile* profile) {
  uint64_t window[kSkeletonGram] = {};
  bool kept[kSkeletonGram] = {}, anchor[kSkeletonGram] = {};
  size_t filled = 0;
  bool masked_run = false;
  for (size_t i = 0; i < count; ++i) {
    const Token& token = tokens[i];
    const bool keep = token.function || token.anchor || token.ideograph;
    if (!keep && masked_run) continue;
    masked_run = !keep;
    std::move(window + 1, window + kSkeletonGram, window);
    std::move(kept + 1, kept + kSkeletonGram, kept);
    std::move(anchor + 1, anchor + kSkeletonGram, anchor);
    window[kSkeletonGram - 1] = keep ? token.hash : kMask;
    kept[kSkeletonGram - 1] = keep;
    anchor[kSkeletonGram - 1] = token.anchor || token.ideograph;
    if (++filled < kSkeletonGram) continue;
    const auto solid = std::count(kept, kept + kSkeletonGram, true);
    // "in the _ of the _" says nothing; a name or number, or hardly a gap, does.
    if (solid >= 5 || (solid >= 3 && std::count(anchor, anchor + kSkeletonGram, true) >= 1))
      Add(Gram(window, kSkeletonGram), i, kSkeleton, profile);
  }
}

}  // namespace

void FeatureSet::Clear(size_t expected) {
  size_t cells = 64;
  while (cells < expected * 2) cells *= 2;
  cells_.assign(cells, 0);
  mask_ = static_cast<uint32_t>(cells - 1);
}

bool FeatureSet::Insert(uint32_t hash) {
  uint32_t at = hash & mask_;
  while (cells_[at] != 0) {
    if (cells_[at] == hash) return false;
    at = (at + 1) & mask_;
  }
  cells_[at] = hash;
  return true;
}

bool FeatureSet::Contains(uint32_t hash) const {
  for (uint32_t at = hash & mask_; cells_[at] != 0; at = (at + 1) & mask_)
    if (cells_[at] == hash) return true;
  return false;
}

void Describe(const std::vector<Token>& tokens, const std::vector<Token>& title, Profile* profile) {
  const size_t count = std::min(tokens.size(), kTokensMax);
  for (size_t f = 0; f < kFacets; ++f) {
    profile->sets[f].Clear(count);
    profile->features[f].clear();
  }
  profile->tokens = static_cast<uint32_t>(tokens.size());
  profile->anchors = {};
  profile->title = BitsOf(title);
  uint64_t window[kWordGram];
  for (size_t i = 0; i < count; ++i) {
    if (tokens[i].anchor) SetBit(BitOf(tokens[i]), &profile->anchors);
    if (i + kWordGram > count) continue;
    for (size_t k = 0; k < kWordGram; ++k) window[k] = tokens[i + k].hash;
    Add(Gram(window, kWordGram), i, kWords, profile);
  }
  AddSkeleton(tokens, count, profile);
  for (size_t f = 0; f < kFacets; ++f) Select(static_cast<Facet>(f), profile);
}

}  // namespace racewatch::store
