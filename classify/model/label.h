// A label as the outside knows it ("theme:markets", "stance:china_parity:favor", "lean:us") and the heads
// whose sum is its logit: favor is presence + polar + side, neutral is presence - polar, lean neutral is -us - china.
// Plain data, made once.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "classify/model/decision.h"

namespace racewatch::classify {

struct Label {
  std::string name;
  struct Part {
    size_t head;
    float sign;
  };
  std::array<Part, 3> parts;
  size_t part_count;
  enum Kind { kRelevance, kTheme, kStance, kLean } kind;
  size_t index;  // theme or target
  int side;      // Position or Lean

  double Probability(const Scores& scores) const;
};

// Every label, in the order of the taxonomy.
const std::vector<Label>& AllLabels();

std::optional<size_t> FindLabel(std::string_view name);

// Indices into AllLabels of what `decision` assigns; `unsure` counts as the likelier side.
std::vector<size_t> AssignedLabels(const Decision& decision, const Scores& scores);

}  // namespace racewatch::classify
