// Labelled documents for training and evaluation: JSON lines, plain or gzip, of the corpus format (one
// object with title, text, lang, outlet, labels, unscored). Fields on which readers differ are masked and
// count neither in training nor in scores. Plain data; no threads.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/status.h"
#include "classify/model/heads.h"

namespace racewatch::classify {

inline constexpr int8_t kMasked = -1;

struct CountedText;  // counted.h

struct LabelledDocument {
  std::string id, title, text, language, outlet, family;
  std::string title_key;  // stands for the title where that may not be kept; equal for equal titles
  std::shared_ptr<const CountedText> counted;  // a real text of which only the counts are here: title and text are empty
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

// The labels, language, outlet and ids of one object of that format. Throws nlohmann's exceptions.
LabelledDocument FromJson(const nlohmann::json& object, bool own);

// Whether documents of this repository stay out of training: unseen sets are drawn from it.
bool IsHeldOut(std::string_view repository);

// Bytes of the text, of a counted one as well.
size_t TextBytes(const LabelledDocument& document);

// Cuts the text to at most `bytes`, at a character's end.
void Shorten(size_t bytes, LabelledDocument* document);

// Appends the title and first sentences of every real text that is not relevant, as a summary feed would carry
// it: our passages are short and mostly relevant, and without these short would look relevant.
void AddShortened(std::vector<LabelledDocument>* documents);

// Equal for titles that differ in case and space only, and not to be read back; empty for an empty title.
std::string TitleKey(const std::string& title);

// Documents of one group never lie on two sides of a split: same outlet, equal title, or same family of
// passages. Returns a group number per document.
std::vector<uint32_t> Groups(const std::vector<LabelledDocument>& documents);

// Assigns groups to `folds` so that relevant documents are spread evenly; the largest groups first. Only real texts
// count, counted ones if `with_counted`; what is added later moves none of the others.
std::vector<uint32_t> AssignFolds(const std::vector<LabelledDocument>& documents, const std::vector<uint32_t>& groups,
                                  uint32_t folds, bool with_counted);

}  // namespace racewatch::classify
