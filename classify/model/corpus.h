// Labelled documents for training and evaluation: JSON lines, plain or gzip, of the corpus format (one
// object with title, text, lang, outlet, labels, unscored). Fields on which readers differ are masked and
// count neither in training nor in scores. Plain data; no threads.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "classify/model/heads.h"

namespace racewatch::classify {

inline constexpr int8_t kMasked = -1;

struct LabelledDocument {
  std::string id, title, text, language, outlet, family;
  bool own = false;        // written for the project
  bool derived = false;    // a shortened copy made for training; never judged
  bool near_miss = false;  // not relevant, but close enough that its readers gave it a genre
  int8_t relevant = kMasked;                // 0, 1 or masked
  bool labelled = false;                    // themes, stance and lean below mean something
  std::array<int8_t, kThemeCount> themes{};  // 0, 1 or masked
  std::array<int8_t, kTargetCount> stance{};  // Position or masked
  int8_t lean = kMasked;                      // Lean or masked
};

// Appends the documents of `path`. NOT_FOUND, or INVALID_ARGUMENT `F:LINE: what`.
base::Status ReadLabelled(const std::string& path, bool own, std::vector<LabelledDocument>* documents);

// Bytes of the text that a copy shortened to its summary keeps.
inline constexpr size_t kSummaryCopyBytes = 360;

// Cuts the text to at most `bytes`, at a character's end.
void Shorten(size_t bytes, LabelledDocument* document);

// Appends the title and first sentences of every real text that is not relevant, as a summary feed would carry
// it: our passages are short and mostly relevant, and without these short would look relevant.
void AddShortened(std::vector<LabelledDocument>* documents);

// Documents of one group never lie on two sides of a split: same outlet, equal title, or same family of
// passages. Returns a group number per document.
std::vector<uint32_t> Groups(const std::vector<LabelledDocument>& documents);

// Assigns groups to `folds` so that relevant documents are spread evenly; the largest groups first.
std::vector<uint32_t> AssignFolds(const std::vector<LabelledDocument>& documents, const std::vector<uint32_t>& groups,
                                  uint32_t folds);

}  // namespace racewatch::classify
