#include "classify/label_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <algorithm>
#include <cmath>

#include "base/metrics.h"
#include "classify/model/model.h"

namespace racewatch::classify {
namespace {

// About so many relevant documents make a share: a day or two of a newsroom's feeds.
constexpr double kHorizon = 5000;

}  // namespace

LabelMetrics::LabelMetrics(prometheus::Registry& registry, bool has_canary)
    : share_family_(prometheus::BuildGauge()
                        .Name("racewatch_classifier_label_share")
                        .Help("Share of the newest relevant documents that got the label.")
                        .Register(registry)),
      trained_family_(prometheus::BuildGauge()
                          .Name("racewatch_classifier_label_share_trained")
                          .Help("The same in training, of documents the model had not seen.")
                          .Register(registry)),
      drift_(base::MakeGauge(registry, "racewatch_classifier_drift", "Mean difference between both shares over all labels.")) {
  auto& given = prometheus::BuildCounter().Name("racewatch_classifier_labels_total").Help("Labels given, `unsure` included.").Register(registry);
  auto& differences = prometheus::BuildCounter()
                          .Name("racewatch_canary_differences_total")
                          .Help("Labels that only one of the two models gave, of documents that the canary read too.")
                          .Register(registry);
  for (size_t i = 0; i < kAnswerLabels; ++i) {
    const std::string& label = AnswerLabelNames()[i];
    given_[i] = &given.Add({{"label", label}});
    if (!has_canary) continue;
    only_active_[i] = &differences.Add({{"label", label}, {"only", "active"}});
    only_canary_[i] = &differences.Add({{"label", label}, {"only", "canary"}});
  }
  if (has_canary) canary_documents_ = &base::MakeCounter(registry, "racewatch_canary_documents_total", "Documents that the canary read too.");
}

void LabelMetrics::Given(const Model& model, const std::vector<AnswerLabels>& answers) {
  std::array<size_t, kAnswerLabels> counts{};
  for (const AnswerLabels& labels : answers)
    for (size_t i = 0; i < kAnswerLabels && labels.any(); ++i) counts[i] += labels[i];
  for (size_t i = 0; i < kAnswerLabels; ++i)
    if (counts[i] > 0) given_[i]->Increment(static_cast<double>(counts[i]));
  const std::scoped_lock lock(mutex_);
  Follow(model);
  if (counts[0] > 0) AddShares(counts);
}

// Another model is compared with its own training, and from its own documents on.
void LabelMetrics::Follow(const Model& model) {
  if (model.sha256() == sha256_) return;
  for (const Watched& one : watched_) {
    share_family_.Remove(one.share_gauge);
    trained_family_.Remove(one.trained_gauge);
  }
  watched_.clear();
  sha256_ = model.sha256();
  seen_ = 0;
  drift_.Set(0);
  for (const LabelRates& rates : model.rates()) {
    const auto at = std::find(AnswerLabelNames().begin(), AnswerLabelNames().end(), rates.label);
    if (at == AnswerLabelNames().end()) continue;
    Watched one{static_cast<size_t>(at - AnswerLabelNames().begin()), rates.given, 0, &share_family_.Add({{"label", rates.label}}),
                &trained_family_.Add({{"label", rates.label}})};
    one.trained_gauge->Set(rates.given);
    watched_.push_back(one);
  }
}

void LabelMetrics::AddShares(const std::array<size_t, kAnswerLabels>& counts) {
  const auto relevant = static_cast<double>(counts[0]);
  seen_ += relevant;
  const double weight = relevant / std::min(seen_, std::max(kHorizon, relevant));
  double difference = 0;
  for (Watched& one : watched_) {
    one.share += weight * (static_cast<double>(counts[one.label]) / relevant - one.share);
    one.share_gauge->Set(one.share);
    difference += std::fabs(one.share - one.trained);
  }
  if (!watched_.empty()) drift_.Set(difference / static_cast<double>(watched_.size()));
}

void LabelMetrics::Compared(const AnswerLabels& given, const AnswerLabels& canary) {
  canary_documents_->Increment();
  const AnswerLabels differ = given ^ canary;
  for (size_t i = 0; i < kAnswerLabels && differ.any(); ++i)
    if (differ[i]) (given[i] ? only_active_ : only_canary_)[i]->Increment();
}

}  // namespace racewatch::classify
