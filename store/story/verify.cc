#include "store/story/verify.h"

#include <algorithm>
#include <bit>
#include <cstdlib>

namespace racewatch::store {
namespace {

// One pseudo-feature that is not shared: a share that rests on little counts for less.
constexpr double kShrink = 1;

double CandidateInArticle(const Profile& article, const Entry& candidate, size_t facet, FeatureWeights* weights) {
  double found = 0, total = kShrink;
  const uint32_t* features = candidate.begin(facet);
  for (size_t i = 0; i < candidate.counts[facet]; ++i) {
    const double weight = weights->Of(features[i]);
    total += weight;
    if (article.sets[facet].Contains(features[i])) found += weight;
  }
  return found / total;
}

// Only features whose priority the candidate would have kept can be expected in its sample.
double ArticleInCandidate(const Profile& article, const Entry& candidate, size_t facet, FeatureWeights* weights) {
  double found = 0, total = kShrink;
  const uint32_t* first = candidate.begin(facet);
  const uint32_t* last = first + candidate.counts[facet];
  for (const Feature& feature : article.features[facet]) {
    if (feature.priority > candidate.limits[facet]) break;
    const double weight = weights->Of(feature.hash);
    total += weight;
    if (std::find(first, last, feature.hash) != last) found += weight;
  }
  return found / total;
}

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

bool SameUnderOneTitle(const Likeness& likeness, double words, double skeleton) {
  const bool contained = std::min(likeness.candidate_anchors.share(), likeness.article_anchors.share()) == 0 &&
                         std::min(likeness.candidate_anchors.of, likeness.article_anchors.of) >= 8;
  return words >= 0.35 || skeleton >= 0.45 || contained;
}

}  // namespace

double FeatureWeights::Of(uint32_t feature) {
  Cell& cell = cells_[(feature * 0x9E3779B1u) >> 22];
  if (cell.round != round_ || cell.feature != feature) cell = {feature, round_, window_.Weight(feature)};
  return cell.weight;
}

int64_t DaysApart(const Entry& a, const Entry& b) {
  if (a.published_day == 0 || b.published_day == 0) return 0;
  return std::abs(int64_t{a.published_day} - b.published_day);
}

Likeness Compare(const Subject& article, const Entry& candidate, FeatureWeights* weights) {
  Likeness likeness;
  for (size_t f = 0; f < kFacets; ++f)
    likeness.shared[f] = std::max(CandidateInArticle(article.profile, candidate, f, weights),
                                  ArticleInCandidate(article.profile, candidate, f, weights));
  CompareAnchors(article.entry, candidate, &likeness);
  likeness.same_title = article.entry.title_hash != 0 && article.entry.title_hash == candidate.title_hash;
  likeness.same_publisher = article.entry.publisher != 0 && article.entry.publisher == candidate.publisher &&
                           (article.entry.url_hash == 0 || article.entry.url_hash != candidate.url_hash);
  likeness.days_apart = DaysApart(article.entry, candidate);
  return likeness;
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
  } else if (words >= 0.6) {
    // Nearly the same words under another headline: a copy keeps the names and numbers of its original,
    // another text of the same form has its own, in the title too.
    verdict.same = lacking_count == 0 || (likeness.same_title ? lacking <= 0.35 : lacking <= 0.25 && title_lacking < 0.4);
  } else {
    // A spun text keeps nearly all names; the thesaurus adds some, and spoils part of the title.
    verdict.same = skeleton >= (lacking <= 0.1 ? 0.3 : 0.4) && lacking <= (title_lacking < 0.6 ? 0.2 : 0.03);
  }
  verdict.spun = verdict.same && words < 0.35;
  return verdict;
}

}  // namespace racewatch::store
