// Which words spoke for a label: contributions of all rows laid out over the tokens they came from, and the
// strongest runs of tokens picked. Works on what a Reader holds of its last document; one thread.
#pragma once

#include <span>
#include <vector>

#include "classify/model/label.h"
#include "classify/model/reader.h"

namespace racewatch::classify {

struct EvidenceSpan {
  uint32_t start, length;  // bytes of title + "\n" + text
  float weight;            // log-odds
};

// What one unit of a row's value adds to the label's logit.
float LabelWeight(const ModelFile& file, const Label& label, uint32_t row);

// Lays the contributions of every row over its tokens, in equal parts, for up to kEvidenceLanes labels at once: the lane of a
// label is its place in `labels`.
void LayOutEvidence(Reader& reader, const ModelFile& file, std::span<const Label* const> labels);

// Up to `count` spans with positive weight of one lane of what was laid out last, strongest first.
void FindEvidence(const Reader& reader, size_t lane, size_t count, std::vector<EvidenceSpan>* spans);

}  // namespace racewatch::classify
