// What the classifier's metrics say of its labels: how often each was given, how a canary differed, and how the shares of the
// newest relevant documents compare with those in training (drift). The registry outlives this object. Any thread.
#pragma once

#include <array>
#include <mutex>
#include <vector>

#include "classify/answer_labels.h"

namespace prometheus {
class Counter;
class Gauge;
class Registry;
template <typename T>
class Family;
}  // namespace prometheus

namespace racewatch::classify {

class Model;

class LabelMetrics {
 public:
  LabelMetrics(prometheus::Registry& registry, bool has_canary);

  // One answer each of `model`, none where a document was refused.
  void Given(const Model& model, const std::vector<AnswerLabels>& answers);
  void Compared(const AnswerLabels& given, const AnswerLabels& canary);

 private:
  void Follow(const Model& model);
  void AddShares(const std::array<size_t, kAnswerLabels>& counts);

  prometheus::Family<prometheus::Gauge>& share_family_;
  prometheus::Family<prometheus::Gauge>& trained_family_;
  prometheus::Gauge& drift_;
  std::array<prometheus::Counter*, kAnswerLabels> given_{}, only_active_{}, only_canary_{};
  prometheus::Counter* canary_documents_ = nullptr;

  std::mutex mutex_;  // everything below
  struct Watched {
    size_t label;
    double trained;
    double share = 0;
    prometheus::Gauge* share_gauge;
    prometheus::Gauge* trained_gauge;
  };
  std::vector<Watched> watched_;  // labels that the model in service has measured rates of
  std::string sha256_;            // of that model
  double seen_ = 0;               // relevant documents since it came into service
};

}  // namespace racewatch::classify
