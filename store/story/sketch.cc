#include "store/story/sketch.h"

#include <algorithm>
#include <array>
#include <bit>
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
  return folded == 0 ? 1 : folded;  // no feature is 0: StoryWindow marks free cells so
}

// A token's share of a gram before its place is weighed in.
uint64_t Fold(uint64_t hash) { return hash ^ hash >> 32; }

// Order-dependent combination of `n` folded hashes; products that do not wait for one another.
template <size_t n>
uint32_t Gram(const uint64_t* folded) {
  static constexpr uint64_t kFactors[] = {0x9FB21C651E98DF25ull, 0xD6E8FEB86659FD93ull, 0xA0761D6478BD642Full,
                                          0xE7037ED1A0B428DBull, 0x8EBC6AF09C88C6E3ull, 0x589965CC75374CC3ull};
  uint64_t sum = n;
  for (size_t i = 0; i < n; ++i) sum += folded[i] * kFactors[i];
  return Mix(sum);
}

// By priority, then by hash. Priorities are not negative, so their bits are in their order.
struct Before {
  static uint64_t Key(const Feature& f) { return uint64_t{std::bit_cast<uint32_t>(f.priority)} << 32 | f.hash; }
  bool operator()(const Feature& a, const Feature& b) const { return Key(a) < Key(b); }
};

// The best features of one facet so far. Most features of a long text come too late to be among them: nothing that is worse
// than the kKept-th of those seen can be kept in the end. A feature that comes again has a greater priority than before, so
// it can only meet itself among those that are kept.
class BestFeatures {
 public:
  BestFeatures(size_t kept, FeatureSet* all, std::vector<Feature>* features) : kept_(kept), all_(all), features_(features) {
    features_->clear();
  }
  void Add(uint32_t hash, size_t position) {
    const bool met = all_->Insert(hash);
    const Feature feature{hash, static_cast<float>(hash) * static_cast<float>(position + kPositionBias)};
    if (feature.priority > bound_) return;
    if (met && std::any_of(features_->begin(), features_->end(), [hash](const Feature& f) { return f.hash == hash; })) return;
    features_->push_back(feature);
    if (features_->size() < 4 * kept_) return;
    Cut();
    bound_ = (*features_)[kept_ - 1].priority;
  }
  // Sorts what is kept: all features there are if they are fewer than that.
  void Finish() {
    if (features_->size() > kept_) Cut();
    std::sort(features_->begin(), features_->end(), Before());
  }

 private:
  void Cut() {
    std::nth_element(features_->begin(), features_->begin() + static_cast<ptrdiff_t>(kept_ - 1), features_->end(), Before());
    features_->resize(kept_);
  }
  const size_t kept_;
  FeatureSet* all_;
  std::vector<Feature>* features_;
  float bound_ = std::numeric_limits<float>::infinity();
};

// The query's side of a comparison needs more than the sample, because a shift of the text moves priorities.
size_t KeptOf(size_t facet) { return kSampleMax[facet] * 3; }

void TakeSample(size_t facet, Profile* profile) {
  const std::vector<Feature>& features = profile->features[facet];
  Sample& sample = profile->samples[facet];
  const size_t n = std::min(features.size(), kSampleMax[facet]);
  sample.hashes.clear();
  for (size_t i = 0; i < n; ++i) sample.hashes.push_back(features[i].hash);
  sample.limit = features.size() > n ? features[n - 1].priority : std::numeric_limits<float>::infinity();
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

void AddWords(const std::vector<Token>& tokens, size_t count, Profile* profile) {
  std::vector<uint64_t>& folded = profile->folded;
  folded.clear();
  for (size_t i = 0; i < count; ++i) {
    folded.push_back(Fold(tokens[i].hash));
    if (tokens[i].anchor) SetBit(BitOf(tokens[i]), &profile->anchors);
  }
  BestFeatures best(KeptOf(kWords), &profile->sets[kWords], &profile->features[kWords]);
  for (size_t i = 0; i + kWordGram <= count; ++i) best.Add(Gram<kWordGram>(&folded[i]), i);
  best.Finish();
  TakeSample(kWords, profile);
}

// How many bits of the last kSkeletonGram are set.
constexpr auto kOnes = [] {
  std::array<uint8_t, 1u << kSkeletonGram> ones{};
  for (size_t i = 1; i < ones.size(); ++i) ones[i] = static_cast<uint8_t>(ones[i / 2] + i % 2);
  return ones;
}();

void AddSkeleton(const std::vector<Token>& tokens, size_t count, Profile* profile) {
  std::vector<uint64_t>& folded = profile->folded;
  folded.clear();
  BestFeatures best(KeptOf(kSkeleton), &profile->sets[kSkeleton], &profile->features[kSkeleton]);
  constexpr size_t kLast = kOnes.size() - 1;
  size_t kept = 0, anchors = 0;  // a bit for each of the last tokens, the newest lowest
  bool masked_run = false;
  for (size_t i = 0; i < count; ++i) {
    const Token& token = tokens[i];
    const bool keep = token.function || token.anchor || token.ideograph;
    if (!keep && masked_run) continue;
    masked_run = !keep;
    folded.push_back(Fold(keep ? token.hash : kMask));
    kept = (kept << 1 | static_cast<size_t>(keep)) & kLast;
    anchors = (anchors << 1 | static_cast<size_t>(token.anchor || token.ideograph)) & kLast;
    if (folded.size() < kSkeletonGram) continue;
    // "in the _ of the _" says nothing; a name or number, or hardly a gap, does.
    if (kOnes[kept] < 5 && (kOnes[kept] < 3 || anchors == 0)) continue;
    best.Add(Gram<kSkeletonGram>(&folded[folded.size() - kSkeletonGram]), i);
  }
  best.Finish();
  TakeSample(kSkeleton, profile);
}

}  // namespace

void FeatureSet::Clear(size_t expected) {
  size_t words = 16;
  while (words * 64 < expected * 16) words *= 2;
  bits_.assign(words, 0);
  mask_ = static_cast<uint32_t>(words - 1);
  hashes_.clear();
}

bool FeatureSet::Listed(uint32_t hash) const {
  constexpr size_t kAtOnce = 16;
  size_t at = 0;
  for (; at + kAtOnce <= hashes_.size(); at += kAtOnce) {
    uint32_t found = 0;
    for (size_t i = 0; i < kAtOnce; ++i) found |= hashes_[at + i] == hash;
    if (found != 0) return true;
  }
  return std::find(hashes_.begin() + static_cast<ptrdiff_t>(at), hashes_.end(), hash) != hashes_.end();
}

void Describe(const std::vector<Token>& tokens, const std::vector<Token>& title, Profile* profile) {
  const size_t count = std::min(tokens.size(), kTokensMax);
  for (FeatureSet& set : profile->sets) set.Clear(count);
  profile->tokens = static_cast<uint32_t>(tokens.size());
  profile->anchors = {};
  profile->title = BitsOf(title);
  AddWords(tokens, count, profile);
  AddSkeleton(tokens, count, profile);
}

}  // namespace racewatch::store
