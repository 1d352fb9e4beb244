#include "classify/model/training.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <numeric>
#include <set>
#include <sstream>

#include "classify/model/gzip.h"
#include "classify/model/label.h"
#include "classify/model/model_file.h"
#include "racewatch/v1/tags.pb.h"

namespace racewatch::classify {
namespace {

std::string RatesTable(const std::vector<LabelRates>& rates) {
  char line[120];
  std::snprintf(line, sizeof line, "%-40s %8s %8s %8s %6s\n", "label", "hits", "faults", "given", "cases");
  std::string out = line;
  for (const LabelRates& one : rates) {
    std::snprintf(line, sizeof line, "%-40s %8.3f %8.3f %8.3f %6.0f\n", one.label.c_str(), one.true_positive, one.false_positive, one.given, one.cases);
    out += line;
  }
  return out;
}

std::string Card(const TrainingData& data, const TrainOptions& options, const TrainedModel& model, const std::string& version) {
  size_t real = 0, own = 0, counted = 0, relevant = 0, chinese = 0;
  for (const LabelledDocument& d : data.documents) {
    if (d.derived) continue;
    (d.own ? own : real) += 1;
    counted += d.counted != nullptr;
    relevant += d.labelled;
    chinese += d.language == "zh";
  }
  std::ostringstream card;
  card << "# racewatch model " << version << "\n\n"
       << "Tags news on the US-China AI race by relevance, 19 themes, 5 stance targets and lean (taxonomy "
       << base::kTaxonomyVersion << "). Linear heads over 1- to 3-grams, a bilingual term lexicon and its concept stream; int8 weights.\n\n"
       << "## Data\n" << real << " labelled real texts (" << counted << " by their counts alone) and " << own << " passages written for the project; " << relevant
       << " relevant, " << chinese << " Chinese. Seed " << options.seed << ", " << model.vocabulary.rows.size() << " rows, gate of "
       << model.gate_vocabulary.rows.size() << " rows.\n\n"
       << "## Scores\nOut of fold on the real texts, outlets disjoint, calibration and thresholds set on the same predictions "
          "(slightly optimistic; the nested figures stand in classify/README.md):\n\n```\n" << model.report << "```\n\n"
       << "## Errors\nOf the documents called relevant: of those that have a label the part that got it, of the others, and of all. Shares are "
          "corrected for these.\n\n```\n" << RatesTable(model.rates) << "```\n\n"
       << "## Limits\nTrained on openings of articles (Chinese 1,600 characters, others 3,500), mostly English and Chinese; other "
          "languages only through shared words. Sides of a stance and lean are far less certain than themes. Irony, long quotations "
          "and positions that need knowledge outside the text are missed.\n";
  return card.str();
}

}  // namespace

base::Result<TrainingData> LoadTrainingData(const TrainingInputs& inputs) {
  TrainingData data;
  for (const std::string& path : inputs.corpus) RW_RETURN_IF_ERROR(ReadLabelled(path, false, &data.documents));
  for (const std::string& path : inputs.own) RW_RETURN_IF_ERROR(ReadLabelled(path, true, &data.documents));
  if (data.documents.empty()) return base::InvalidArgument("train: no documents");
  data.fold_pairs = TraditionalToSimplified();
  data.fold = FoldTable(data.fold_pairs);
  const std::string path = inputs.lexicon.empty() ? RACEWATCH_SOURCE_DIR "/classify/model/data/lexicon.tsv" : inputs.lexicon;
  RW_ASSIGN_OR_RETURN(const std::string content, ReadFile(path));
  RW_ASSIGN_OR_RETURN(data.lexicon, Lexicon::Parse(path, content, data.fold));
  for (const std::string& folder : inputs.counted) {
    RW_RETURN_IF_ERROR(ReadCounted(folder, data.lexicon, data.fold, &data.documents, &data.counted_names));
  }
  AddShortened(&data.documents);
  return data;
}

base::Status TrainModelFile(const TrainingInputs& inputs, const TrainOptions& options, const std::string& out,
                            const std::function<void(std::string_view)>& progress) {
  RW_ASSIGN_OR_RETURN(const TrainingData data, LoadTrainingData(inputs));
  const Trainer trainer(data.documents, data.lexicon, data.fold, options, progress);
  std::vector<uint32_t> all(data.documents.size());
  std::iota(all.begin(), all.end(), 0u);
  const TrainedModel model = trainer.Train(all);
  std::vector<std::string> names = FeatureNames(data.documents, model.vocabulary, data.lexicon, data.fold);
  for (size_t i = 0; i < names.size(); ++i)
    if (const auto it = data.counted_names.find(model.vocabulary.rows[i].hash); names[i].empty() && it != data.counted_names.end()) names[i] = it->second;
  return WriteModelFile(out, model, data.lexicon, data.fold_pairs, names, inputs.version, Card(data, options, model, inputs.version));
}

namespace {

// The decision that tags state, read back from their names.
Decision FromTags(const v1::Tags& tags) {
  Decision decision;
  decision.stance.fill(kAbsent);
  decision.relevant = tags.relevance().label();
  for (const v1::ThemeTag& theme : tags.themes())
    if (const auto i = base::IndexOf(base::kThemes, theme.id())) decision.themes[*i] = true;
  for (const v1::StanceTag& stance : tags.stance()) {
    const auto position = base::IndexOf(base::kPositions, stance.position());
    if (const auto i = base::IndexOf(base::kTargets, stance.target()); i && position)
      decision.stance[*i] = *position == 3 ? kUnsure : static_cast<int>(*position);
  }
  if (const auto lean = base::IndexOf(base::kLeans, tags.lean().label())) decision.lean = *lean == 3 ? kUnsure : static_cast<int>(*lean);
  return decision;
}

}  // namespace

std::vector<Judged> JudgeWithModel(const Model& model, const std::vector<LabelledDocument>& documents) {
  Scratch scratch;
  v1::Tags tags;
  std::vector<Judged> judged;
  for (const LabelledDocument& d : documents) {
    const DocumentView view{d.title, d.text, d.language};
    const Scores scores = model.Classify(view, scratch, &tags);
    judged.push_back({&d, scores, FromTags(tags)});
  }
  return judged;
}

std::vector<Judged> CrossValidate(const TrainingData& data, const TrainOptions& options, uint32_t folds,
                                  const std::function<void(std::string_view)>& progress, std::vector<uint32_t>* groups) {
  const Trainer trainer(data.documents, data.lexicon, data.fold, options, [](std::string_view) {});
  const std::vector<uint32_t> fold = AssignFolds(data.documents, trainer.groups(), folds, false);
  std::set<uint32_t> judged_groups;  // groups with a document that some fold judges
  for (uint32_t i = 0; i < data.documents.size(); ++i)
    if (!data.documents[i].own && !data.documents[i].counted) judged_groups.insert(trainer.groups()[i]);
  std::vector<Judged> judged;
  groups->clear();
  for (uint32_t f = 0; f < folds; ++f) {
    std::vector<uint32_t> train, held;
    for (uint32_t i = 0; i < data.documents.size(); ++i) {
      const LabelledDocument& d = data.documents[i];
      if (d.own || fold[i] != f || !judged_groups.count(trainer.groups()[i])) train.push_back(i);
      else if (!d.derived && !d.counted) held.push_back(i);
    }
    const TrainedModel model = trainer.Train(train);
    for (const Judged& one : trainer.Judge(model, held)) judged.push_back(one);
    for (const uint32_t d : held) groups->push_back(trainer.groups()[d]);
    progress("fold " + std::to_string(f + 1) + " of " + std::to_string(folds) + ": " + std::to_string(held.size()) + " documents judged");
  }
  return judged;
}

}  // namespace racewatch::classify
