// The last word on a candidate: how much of each text lies in the other, with features that many different
// stories share (page furniture, form text) counting little; which names and numbers each text has that the
// other lacks; and the rule that turns this into "same story" or not. Pure functions; the thresholds and
// their reasons stand in verify.cc.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "store/story/entry.h"
#include "store/story/sketch.h"
#include "store/story/story_window.h"

namespace racewatch::store {

// Names and numbers of one text that the other lacks.
struct Missing {
  int count = 0;
  int of = 0;
  double share() const { return of > 0 ? static_cast<double>(count) / of : 0; }
};

struct Likeness {
  // Containment of the samples, in the better direction, shrunk where it rests on few features.
  std::array<double, kFacets> shared{};
  Missing candidate_anchors, article_anchors;
  Missing candidate_numbers, article_numbers;
  // Names in one title that the other article has neither in title nor text.
  Missing candidate_title, article_title;
  bool same_title = false;
  bool same_publisher = false;  // under different addresses
  int64_t days_apart = 0;  // between the dates of publication; 0 if either is unknown
};

// Holds one article against candidates. Features weigh what the window says; those of the article are looked up once.
// Used by StoryIndex for one article after the other; one thread; the window outlives it.
class Comparison {
 public:
  explicit Comparison(const StoryWindow& window) : window_(window) {}

  // The article, and its full feature sets; both outlive the calls of With, and the window stays as it is.
  void Begin(const Entry& article, const Profile& profile);
  Likeness With(const Entry& candidate) const;
  // False when Judge(With(candidate)) is not `same` however little the features weigh that only the candidate has: most
  // candidates share nothing but furniture, and looking their other features up is what costs.
  bool MayBeSame(const Entry& candidate) const;

 private:
  // The article's side of a facet, numbered as in Profile::features.
  struct Facet {
    std::vector<double> weights;  // of the first ones, as far as they were asked for
    std::array<uint8_t, 256> cells{};  // feature → its number + 1; open addressing, at most a quarter full
  };
  void CompareFields(const Entry& candidate, Likeness* likeness) const;
  double CandidateInArticle(const Entry& candidate, size_t facet) const;
  double CandidateInArticleAtMost(const Entry& candidate, size_t facet) const;
  double ArticleInCandidate(const Entry& candidate, size_t facet) const;
  // Number of the article's feature, or nullopt.
  std::optional<size_t> NumberOf(uint32_t feature, size_t facet) const;

  const StoryWindow& window_;
  const Entry* article_ = nullptr;
  const Profile* profile_ = nullptr;
  mutable std::array<Facet, kFacets> facets_;
};

// Between the dates of publication; 0 if either is unknown.
int64_t DaysApart(const Entry& a, const Entry& b);

struct Verdict {
  bool same = false;
  bool spun = false;
  double similarity = 0;
};
Verdict Judge(const Likeness& likeness);

inline constexpr uint32_t kThinTokens = 16;

}  // namespace racewatch::store
