// Which words spoke for a label: contributions of all rows laid out over the tokens they came from, and the
// strongest runs of tokens picked. Works on what a Reader holds of its last document; one thread.
#pragma once

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

// Up to `count` spans with positive weight, strongest first.
void FindEvidence(Reader& reader, const ModelFile& file, const Label& label, size_t count,
                  std::vector<EvidenceSpan>* spans);

}  // namespace racewatch::classify
