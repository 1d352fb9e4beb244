// Probes: pairs of short texts that differ in one thing (a negation, the countries, who is quoted, a by-line,
// the headline), with the label each side should get. A pair counts only if both sides are right. Never
// trained on. Plain functions; one thread.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "base/status.h"
#include "classify/model/evaluation.h"
#include "classify/model/model.h"

namespace racewatch::classify {

struct Probe {
  std::string id, kind;
  std::string field;  // "stance:TARGET", "lean", "relevance" or "theme:ID"
  std::array<LabelledDocument, 2> sides;
  std::array<std::string, 2> expected;
};

// JSON lines as tests/testdata/README.md describes them. NOT_FOUND, or INVALID_ARGUMENT `F:LINE: what`.
base::Result<std::vector<Probe>> ReadProbes(const std::string& path);

// What `decision` says of `field`: a position or "absent", a lean, "relevant", "present"; "none" for the lean of
// an irrelevant document.
std::string AnswerOf(const Decision& decision, const std::string& field);

struct ProbeScore {
  std::string kind;
  size_t pairs = 0, right = 0, sides_right = 0;
};

// One score a kind, in order of first appearance.
std::vector<ProbeScore> ScoreProbes(const Model& model, const std::vector<Probe>& probes);

std::string FormatProbes(const std::vector<ProbeScore>& scores);

}  // namespace racewatch::classify
