// What changes when one model replaces another: both judge the same documents, and every label that only
// one of them assigns is counted. Reads documents, writes nothing; one thread.
#pragma once

#include <string>
#include <vector>

#include "classify/model/corpus.h"
#include "classify/model/model.h"

namespace racewatch::classify {

struct LabelChange {
  std::string label;
  size_t before = 0, after = 0;  // documents that have it under either model
  size_t gained = 0, lost = 0;
};

struct ModelDiff {
  size_t documents = 0, changed = 0;
  std::vector<LabelChange> labels;  // those that changed somewhere, in the order of the taxonomy
};

ModelDiff DiffModels(const Model& before, const Model& after, const std::vector<LabelledDocument>& documents);

std::string FormatModelDiff(const ModelDiff& diff);

}  // namespace racewatch::classify
