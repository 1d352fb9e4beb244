// Trains a model from labelled documents: vocabulary, heads, pruning, calibration and thresholds from
// out-of-fold predictions on real texts only. Features are extracted once; Fit may be called for many
// subsets (cross-validation). Deterministic for a seed. One thread; a few hundred MB while it lives.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "classify/model/decision.h"
#include "classify/model/evaluation.h"
#include "classify/model/features.h"
#include "classify/model/label_rates.h"

namespace racewatch::classify {

struct TrainOptions {
  uint64_t seed = 1;
  uint32_t rows_max = 17500;       // vocabulary after pruning; hits per document are the cost of tagging
  uint32_t gate_rows_max = 3000;   // vocabulary of the relevance gate
  double cost_relevance = 20.0;    // C of logistic regression by kind of head; larger fits harder
  double cost_theme = 10.0;
  double cost_presence = 12.0;
  double cost_polar = 3.0;
  double cost_side = 4.0;
  double cost_lean = 4.0;
  double own_relevant_weight = 0.4;  // of our own relevant passages for relevance: they say it plainly
  uint32_t folds = 5;
  // Whether counted texts set every calibration and threshold. On themes they are as good as the others; where a
  // position begins their single readers draw the line elsewhere (presence 0.73 to 0.71 when they count).
  bool counted_set_all = false;
  std::string without;  // for ablations: comma-separated of ngrams, title, counts, concepts, own, ratio
};

// Everything a model file holds, before quantisation.
struct TrainedModel {
  Vocabulary vocabulary;
  std::array<LinearHead, kHeads> heads;
  Vocabulary gate_vocabulary;
  LinearHead gate;
  std::array<ScopeSettings, kScopes> scopes;
  std::vector<LabelRates> rates;  // on the same predictions as the report, of full texts
  std::string report;  // scores on the out-of-fold predictions that set calibration and thresholds
};

// Below this probability of the gate a document is not looked at further.
inline constexpr double kGateThreshold = 0.05;

class Trainer {
 public:
  // `documents` and `lexicon` outlive the trainer. `progress` gets one line per step.
  Trainer(const std::vector<LabelledDocument>& documents, const Lexicon& lexicon, const FoldTable& fold,
          TrainOptions options, std::function<void(std::string_view)> progress);

  // Fits, prunes and calibrates on `documents` (indices).
  TrainedModel Train(std::span<const uint32_t> documents) const;

  // Documents judged under `model`, gate included, in order.
  std::vector<Judged> Judge(const TrainedModel& model, std::span<const uint32_t> documents) const;

  const std::vector<uint32_t>& groups() const { return groups_; }

 private:
  struct Weighted {
    uint32_t document;
    bool positive;
  };
  TrainedModel Fit(std::span<const uint32_t> documents) const;
  void FitGate(std::span<const uint32_t> documents, TrainedModel* model) const;
  void Calibrate(std::span<const uint32_t> documents, TrainedModel* model) const;
  // Whether a document sets calibration and threshold of `head`.
  bool Sets(uint32_t document, size_t head) const;
  void SetThresholds(std::span<const uint32_t> documents, std::span<const Scores> scores, Thresholds* thresholds) const;
  std::vector<Weighted> HeadExamples(std::span<const uint32_t> documents, size_t head) const;
  std::vector<Example> WeightExamples(std::vector<Weighted> examples, size_t head) const;
  void FitHeads(const SparseMatrix& x, const Vocabulary& vocabulary, std::span<const uint32_t> documents, TrainedModel* model) const;
  LinearHead FitHead(const SparseMatrix& x, std::span<const uint32_t> documents, size_t head) const;
  // Features as ExtractFeatures gives them for one scope of every document.
  struct ScopeFeatures {
    std::vector<DocumentFeatures> rows, gate;
  };
  // Out-of-fold predictions of one scope.
  struct HeldOut {
    std::vector<Logits> logits;
    std::vector<float> gate;
  };
  void Predict(const TrainedModel& model, const ScopeFeatures& features, std::span<const uint32_t> documents, HeldOut* out) const;
  void SetScope(std::span<const uint32_t> documents, const HeldOut& held, ScopeSettings* settings) const;

  const std::vector<LabelledDocument>& documents_;
  TrainOptions options_;
  std::function<void(std::string_view)> progress_;
  std::vector<uint32_t> groups_;
  std::array<ScopeFeatures, kScopes> features_;  // the shorter scopes of real texts only
};

}  // namespace racewatch::classify
