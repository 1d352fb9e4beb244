#include "store/story/verify.h"

#include <algorithm>
#include <bit>
#include <bitset>
#include <cstdlib>

namespace racewatch::store {
namespace {

constexpr double kSameWords = 0.6;        // nearly the same words
constexpr double kSameSkeleton = 0.3;     // of a spun text, at least
constexpr double kTitledWords = 0.35;     // under one title
constexpr double kTitledSkeleton = 0.45;

// One pseudo-feature that is not shared: a share that rests on little counts for less.
constexpr double kShrink = 1;

Missing Lacking(const Signature& of, const Signature& in, size_t first, size_t last) {
  Missing missing;
  for (size_t i = first; i < last; ++i) {
    missing.of += std::popcount(of[i]);
    missing.count += std::popcount(of[i] & ~in[i]);
  }
  return missing;
}

Signature TitleSignature(const Entry& entry) {
  Signature signature{};
  for (const uint16_t bit : entry.title)
    if (bit < 64 * signature.size()) SetBit(bit, &signature);
  return signature;
}

Signature Union(Signature a, const Signature& b) {
  for (size_t i = 0; i < a.size(); ++i) a[i] |= b[i];
  return a;
}

void CompareAnchors(const Entry& article, const Entry& candidate, Likeness* likeness) {
  const Signature article_title = TitleSignature(article), candidate_title = TitleSignature(candidate);
  const Signature article_all = Union(article.anchors, article_title), candidate_all = Union(candidate.anchors, candidate_title);
  const size_t all = article_all.size();
  likeness->candidate_anchors = Lacking(candidate.anchors, article_all, 0, all);
  likeness->article_anchors = Lacking(article.anchors, candidate_all, 0, all);
  likeness->candidate_numbers = Lacking(candidate.anchors, article_all, 0, kNumberWords);
  likeness->article_numbers = Lacking(article.anchors, candidate_all, 0, kNumberWords);
  likeness->candidate_title = Lacking(candidate_title, article_all, 0, all);
  likeness->article_title = Lacking(article_title, candidate_all, 0, all);
}

// Nearly the same words, yet another issue of the same form (a yearly order, a weekly report), not a copy. A date
// never decides alone: copies come out months late, so it counts only with names or numbers of their own on
// both sides, or within one publisher.
bool AnotherIssue(const Likeness& likeness, double words, int lacking_count) {
  constexpr int64_t kIssueDays = 14, kOwnIssueDays = 2, kYearlyDays = 300;
  constexpr double kCopyWords = 0.87;
  // A publisher seldom prints one text twice some days apart, and often another one under the same title.
  if (likeness.same_publisher && likeness.days_apart > kOwnIssueDays && words < kCopyWords && lacking_count >= 1) return true;
  if (likeness.same_publisher && likeness.days_apart > kYearlyDays) return true;
  return (likeness.same_publisher || !likeness.same_title) && likeness.days_apart > kIssueDays &&
         likeness.candidate_numbers.count >= 1 && likeness.article_numbers.count >= 1;
}

// All names and numbers of one text are in the other.
bool AnchorsContained(const Likeness& likeness) {
  return std::min(likeness.candidate_anchors.share(), likeness.article_anchors.share()) == 0 &&
         std::min(likeness.candidate_anchors.of, likeness.article_anchors.of) >= 8;
}

bool SameUnderOneTitle(const Likeness& likeness, double words, double skeleton) {
  return words >= kTitledWords || skeleton >= kTitledSkeleton || AnchorsContained(likeness);
}

}  // namespace

int64_t DaysApart(const Entry& a, const Entry& b) {
  if (a.published_day == 0 || b.published_day == 0) return 0;
  return std::abs(int64_t{a.published_day} - b.published_day);
}

void Comparison::Begin(const Entry& article, const Profile& profile) {
  article_ = &article;
  profile_ = &profile;
  for (size_t f = 0; f < kFacets; ++f) {
    const std::vector<Feature>& features = profile.features[f];
    Facet& facet = facets_[f];
    facet.weights.clear();
    facet.cells.fill(0);
    for (size_t i = 0; i < features.size(); ++i) {
      uint8_t at = static_cast<uint8_t>(features[i].hash);
      while (facet.cells[at] != 0) ++at;
      facet.cells[at] = static_cast<uint8_t>(i + 1);
    }
  }
}

std::optional<size_t> Comparison::NumberOf(uint32_t feature, size_t facet) const {
  const auto& cells = facets_[facet].cells;
  for (auto at = static_cast<uint8_t>(feature); cells[at] != 0; ++at)
    if (profile_->features[facet][cells[at] - 1u].hash == feature) return cells[at] - 1u;
  return std::nullopt;
}

double Comparison::CandidateInArticle(const Entry& candidate, size_t facet) const {
  double found = 0, total = kShrink;
  const uint32_t* features = candidate.begin(facet);
  for (size_t i = 0; i < candidate.counts[facet]; ++i) {
    const double weight = window_.Weight(features[i]);
    total += weight;
    if (profile_->sets[facet].Contains(features[i])) found += weight;
  }
  return found / total;
}

// Only features whose priority the candidate would have kept can be expected in its sample.
double Comparison::ArticleInCandidate(const Entry& candidate, size_t facet) const {
  std::bitset<256> shared;
  const uint32_t* features = candidate.begin(facet);
  for (size_t i = 0; i < candidate.counts[facet]; ++i)
    if (const auto number = NumberOf(features[i], facet)) shared.set(*number);
  double found = 0, total = kShrink;
  const std::vector<Feature>& own = profile_->features[facet];
  std::vector<double>& weights = facets_[facet].weights;
  for (size_t i = 0; i < own.size() && own[i].priority <= candidate.limits[facet]; ++i) {
    if (i == weights.size()) weights.push_back(window_.Weight(own[i].hash));
    total += weights[i];
    if (shared.test(i)) found += weights[i];
  }
  return found / total;
}

double Comparison::CandidateInArticleAtMost(const Entry& candidate, size_t facet) const {
  double found = 0;
  const uint32_t* features = candidate.begin(facet);
  for (size_t i = 0; i < candidate.counts[facet]; ++i)
    if (profile_->sets[facet].Contains(features[i])) found += window_.Weight(features[i]);
  constexpr double kRounding = 1e-9;
  return found / (kShrink + found) + kRounding;
}

void Comparison::CompareFields(const Entry& candidate, Likeness* likeness) const {
  const Entry& article = *article_;
  CompareAnchors(article, candidate, likeness);
  likeness->same_title = article.title_hash != 0 && article.title_hash == candidate.title_hash;
  likeness->same_publisher = article.publisher != 0 && article.publisher == candidate.publisher &&
                            (article.url_hash == 0 || article.url_hash != candidate.url_hash);
  likeness->days_apart = DaysApart(article, candidate);
}

Likeness Comparison::With(const Entry& candidate) const {
  Likeness likeness;
  for (size_t f = 0; f < kFacets; ++f)
    likeness.shared[f] = std::max(CandidateInArticle(candidate, f), ArticleInCandidate(candidate, f));
  CompareFields(candidate, &likeness);
  return likeness;
}

// Every branch of Judge that says `same` asks for one of these.
bool Comparison::MayBeSame(const Entry& candidate) const {
  std::array<double, kFacets> shared;
  for (size_t f = 0; f < kFacets; ++f)
    shared[f] = std::max(CandidateInArticleAtMost(candidate, f), ArticleInCandidate(candidate, f));
  if (shared[kWords] >= kTitledWords || shared[kSkeleton] >= kSameSkeleton) return true;
  Likeness likeness;
  CompareFields(candidate, &likeness);
  return likeness.same_title && AnchorsContained(likeness);
}

Verdict Judge(const Likeness& likeness) {
  const double words = likeness.shared[kWords], skeleton = likeness.shared[kSkeleton];
  Verdict verdict;
  verdict.similarity = std::max(words, skeleton);
  const double lacking = std::min(likeness.candidate_anchors.share(), likeness.article_anchors.share());
  const int lacking_count = std::min(likeness.candidate_anchors.count, likeness.article_anchors.count);
  const double title_lacking = std::min(likeness.candidate_title.share(), likeness.article_title.share());
  if (AnotherIssue(likeness, words, lacking_count)) {
    verdict.same = false;
  } else if (likeness.same_publisher && !likeness.same_title) {
    // Pages of one site share its furniture, and its forms: only a text that is all the same counts.
    verdict.same = words >= 0.9 && lacking_count == 0;
  } else if (likeness.same_title && likeness.days_apart <= 14) {
    verdict.same = SameUnderOneTitle(likeness, words, skeleton);
  } else if (words >= kSameWords) {
    // Nearly the same words under another headline: a copy keeps the names and numbers of its original,
    // another text of the same form has its own, in the title too.
    verdict.same = lacking_count == 0 || (likeness.same_title ? lacking <= 0.35 : lacking <= 0.25 && title_lacking < 0.4);
  } else {
    // A spun text keeps nearly all names; the thesaurus adds some, and spoils part of the title.
    verdict.same = skeleton >= (lacking <= 0.1 ? kSameSkeleton : 0.4) && lacking <= (title_lacking < 0.6 ? 0.2 : 0.03);
  }
  verdict.spun = verdict.same && words < kTitledWords;
  return verdict;
}

}  // namespace racewatch::store
