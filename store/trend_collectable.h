// The trends as Prometheus metrics (docs/metrics.md): read from the store's tables at each scrape, so they cost
// nothing per article, survive restarts and equal the API to the integer. About 6,100 series whatever is counted.
// Any thread. A scrape before the store has started, or while a read fails, shows none of them.
#pragma once

#include <prometheus/collectable.h>

#include <atomic>
#include <vector>

#include "base/clock.h"
#include "store/engine.h"

namespace racewatch::store {

class TrendCollectable final : public prometheus::Collectable {
 public:
  explicit TrendCollectable(const base::Clock& clock) : clock_(clock) {}

  // Start exporting from `engine`; nullptr stops it. The engine outlives the last scrape.
  void Serve(const Engine* engine) { engine_ = engine; }

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const base::Clock& clock_;
  std::atomic<const Engine*> engine_ = nullptr;
};

}  // namespace racewatch::store
