// The last word on a candidate: how much of each text lies in the other, with features that many different
// stories share (page furniture, form text) counting little; which names and numbers each text has that the
// other lacks; and the rule that turns this into "same story" or not. Pure functions; the thresholds and
// their reasons stand in verify.cc.
#pragma once

#include <array>
#include <cstdint>
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

// The article at hand: what it will be kept as, and its full feature sets.
struct Subject {
  const Entry& entry;
  const Profile& profile;
};

// StoryWindow::Weight, each feature looked up once while one article is decided.
class FeatureWeights {
 public:
  explicit FeatureWeights(const StoryWindow& window) : window_(window), cells_(kCells) {}
  double Of(uint32_t feature);
  void Forget() { ++round_; }  // before the next article, and whenever the window changed

 private:
  static constexpr size_t kCells = 1024;  // a full row of cells only costs a second look-up
  struct Cell {
    uint32_t feature = 0;
    uint32_t round = 0;
    double weight = 0;
  };
  const StoryWindow& window_;
  std::vector<Cell> cells_;
  uint32_t round_ = 1;
};

Likeness Compare(const Subject& article, const Entry& candidate, FeatureWeights* weights);

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
