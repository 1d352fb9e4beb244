#include "classify/model/model_diff.h"

#include <algorithm>
#include <cstdio>

#include "classify/model/label.h"
#include "classify/model/training.h"

namespace racewatch::classify {
namespace {

std::vector<bool> LabelsOf(const Judged& judged) {
  std::vector<bool> has(AllLabels().size(), false);
  for (const size_t index : AssignedLabels(judged.decision, judged.scores)) has[index] = true;
  return has;
}

}  // namespace

ModelDiff DiffModels(const Model& before, const Model& after, const std::vector<LabelledDocument>& documents) {
  const std::vector<Judged> was = JudgeWithModel(before, documents), is = JudgeWithModel(after, documents);
  ModelDiff diff;
  diff.documents = documents.size();
  for (const Label& label : AllLabels()) diff.labels.push_back({label.name});
  for (size_t i = 0; i < documents.size(); ++i) {
    const std::vector<bool> had = LabelsOf(was[i]), has = LabelsOf(is[i]);
    diff.changed += had != has;
    for (size_t l = 0; l < has.size(); ++l) {
      LabelChange& change = diff.labels[l];
      change.before += had[l];
      change.after += has[l];
      change.gained += has[l] && !had[l];
      change.lost += had[l] && !has[l];
    }
  }
  std::erase_if(diff.labels, [](const LabelChange& c) { return c.gained + c.lost == 0; });
  return diff;
}

std::string FormatModelDiff(const ModelDiff& diff) {
  char line[160];
  std::snprintf(line, sizeof line, "%zu of %zu documents change\n\n%-40s %7s %7s %7s %7s\n", diff.changed, diff.documents, "label",
                "before", "after", "gained", "lost");
  std::string out = line;
  for (const LabelChange& c : diff.labels) {
    std::snprintf(line, sizeof line, "%-40s %7zu %7zu %7zu %7zu\n", c.label.c_str(), c.before, c.after, c.gained, c.lost);
    out += line;
  }
  return out;
}

}  // namespace racewatch::classify
