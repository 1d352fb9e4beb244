// The whole way from files to a model file, as `racewatch train` and the tests walk it: read the corpus, our
// own passages and the lexicon, train, name the rows, write the card, write the file. The same inputs, seed
// and build give the same bytes. One thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "classify/model/counted.h"
#include "classify/model/evaluation.h"
#include "classify/model/trainer.h"

namespace racewatch::classify {

struct TrainingInputs {
  std::vector<std::string> corpus;   // labelled real texts, JSON lines, plain or gzip
  std::vector<std::string> own;      // passages written for the project
  std::vector<std::string> counted;  // folders of real texts of which only the counts are kept (counted.h)
  std::string lexicon;               // empty: the one in the source tree
  std::string version = "1";
};

// Documents and lexicon in memory.
struct TrainingData {
  std::vector<LabelledDocument> documents;
  std::vector<FoldPair> fold_pairs;
  FoldTable fold;
  Lexicon lexicon;
  FeatureNameMap counted_names;  // of features that only counted texts show
};

base::Result<TrainingData> LoadTrainingData(const TrainingInputs& inputs);

// Trains on all of it and writes `out`. Errors of reading and writing, with the file's name.
base::Status TrainModelFile(const TrainingInputs& inputs, const TrainOptions& options, const std::string& out,
                            const std::function<void(std::string_view)>& progress);

// Trains `folds` models, each without the documents of some outlets, and judges those with it. Counted texts are not
// judged; they train all models but those that judge their outlet.
// Thresholds and calibration are set inside each training part.
std::vector<Judged> CrossValidate(const TrainingData& data, const TrainOptions& options, uint32_t folds,
                                  const std::function<void(std::string_view)>& progress, std::vector<uint32_t>* groups);

// What `model` says of `documents`, text and title alone.
std::vector<Judged> JudgeWithModel(const Model& model, const std::vector<LabelledDocument>& documents);

// One readable name per row, from the documents that the vocabulary came from.
std::vector<std::string> FeatureNames(const std::vector<LabelledDocument>& documents, const Vocabulary& vocabulary,
                                      const Lexicon& lexicon, const FoldTable& fold);

}  // namespace racewatch::classify
