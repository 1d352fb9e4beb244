// The trends as Prometheus metrics (docs/metrics.md): read from the store's tables at each scrape, so they cost
// nothing per article, survive restarts and equal the API to the integer. About 6,100 series whatever is counted.
// Of several processes over one database only the leader shows them, else a sum would count everything as often as there
// are processes. Whether this one leads is asked at each scrape: one that was stopped and woke up says so no longer.
// Any thread. A scrape before the store has started, or while a read fails, shows none of them.
#pragma once

#include <prometheus/collectable.h>

#include <functional>
#include <mutex>
#include <vector>

#include "base/clock.h"
#include "store/engine.h"

namespace racewatch::store {

class TrendCollectable final : public prometheus::Collectable {
 public:
  explicit TrendCollectable(const base::Clock& clock) : clock_(clock) {}

  // Start exporting from `engine` while `leads` (any thread) says so; nullptr stops it, after a scrape that runs.
  void Serve(const Engine* engine, std::function<bool()> leads);

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const base::Clock& clock_;
  mutable std::mutex mutex_;  // one scrape at a time
  const Engine* engine_ = nullptr;
  std::function<bool()> leads_;
};

}  // namespace racewatch::store
