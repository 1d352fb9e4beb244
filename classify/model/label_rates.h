// How often a model is right and wrong about one label, measured on documents it was not trained on: what is needed to correct a
// share for the model's errors, and to notice a stream that is not like the training texts. Of documents that the model
// calls relevant, since those are what shares are taken of. Plain data; measuring belongs to training.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace racewatch::classify {

struct Judged;

struct LabelRates {
  std::string label;          // theme:ID, stance:TARGET:POSITION or lean:LABEL
  double true_positive = 0;   // of the documents that have it, the part that got it
  double false_positive = 0;  // of the others
  double given = 0;           // of all, the part that got it
  double cases = 0;           // documents that have it
};

// Labels with at least this many documents that have it, and as many that have not, are measured.
inline constexpr double kRateCasesMin = 10;

// A document that is nearly relevant counts as it does when the threshold of relevance is set. Documents whose readers differ
// on a label count for the others.
std::vector<LabelRates> MeasureRates(std::span<const Judged> judged);

}  // namespace racewatch::classify
