// The store's own metrics (docs/metrics.md): stages store, story, outbox and retag, lag per partition, story index, log
// changes. Used by the store's thread only; the registry outlives this.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base/bus/record.h"
#include "base/metrics.h"

namespace racewatch::store {

class StoreMetrics {
 public:
  explicit StoreMetrics(prometheus::Registry& registry);
  ~StoreMetrics();

  base::StageMetrics store;
  base::StageMetrics story;
  base::StageMetrics outbox;
  base::StageMetrics retag;

  // Unknown lag is shown by absence.
  void Lag(const base::TopicPartition& where, std::optional<int64_t> messages, double seconds);
  void DeadLettered(std::string_view reason);
  void LogReplaced();
  // Up to which moment of event time alert steps are decided; 0: not known yet.
  void Watermark(int64_t unix_ms);
  // The generation being built and how many records it lacks; 0: none is built.
  void Retag(uint32_t generation, uint64_t lag);
  void Beat(int64_t gaps, size_t index_articles, size_t index_bytes);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace racewatch::store
