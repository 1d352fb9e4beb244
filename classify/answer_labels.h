// The labels that an answer can carry, as numbers: relevance, themes, target × position and lean, `unsure` included. What
// the service counts, and what a canary is compared by. Pure functions.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <string>

#include "base/taxonomy.h"

namespace racewatch::v1 {
class Tags;
}

namespace racewatch::classify {

inline constexpr size_t kAnswerLabels =
    1 + base::kThemes.size() + base::kTargets.size() * base::kPositions.size() + base::kLeans.size();

using AnswerLabels = std::bitset<kAnswerLabels>;

// relevance, theme:ID, stance:TARGET:POSITION and lean:LABEL, by number.
const std::array<std::string, kAnswerLabels>& AnswerLabelNames();

// What `tags` assign; names outside the taxonomy are passed over.
AnswerLabels LabelsOf(const v1::Tags& tags);

}  // namespace racewatch::classify
