// The metrics of the ingest stage beside those that every stage has. One object per process, made by the
// role over the registry that main owns. Thread-safe; label values come from closed sets.
#pragma once

#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/metrics.h"

namespace racewatch::ingest {

class IngestMetrics {
 public:
  // The registry outlives this object.
  explicit IngestMetrics(prometheus::Registry& registry);

  base::StageMetrics& stage() { return stage_; }
  void Fetch(std::string_view outcome);  // document, not_modified, unchanged, or a failure's reason
  void Page(std::string_view outcome);   // full, walled, thin, no_page, or a failure's reason
  void Revision();
  void DeadLettered();
  void LyingValidators();
  void Backfill(std::string_view outcome, size_t times);  // sent, dead_lettered, over_quota or failed
  void InFlight(size_t entries, size_t bytes);
  void Feeds(const std::unordered_map<int, size_t>& by_health);
  void FeedsOwned(size_t owned, size_t low_yield, size_t pushed);
  void Alarm(std::string_view alarm);                       // silent, low_yield
  void WebSub(std::string_view outcome);                    // what hubs said and were told
  void SharedRows(std::string_view outcome, size_t count);  // taken, known, bad

 private:
  prometheus::Counter& Labelled(std::unordered_map<std::string, prometheus::Counter*>* cache, const std::string& name,
                                const std::string& help, std::string_view outcome);

  prometheus::Registry& registry_;
  base::StageMetrics stage_;
  std::unordered_map<std::string, prometheus::Counter*> fetches_;
  std::unordered_map<std::string, prometheus::Counter*> pages_;
  std::unordered_map<std::string, prometheus::Counter*> websub_;
  std::unordered_map<std::string, prometheus::Counter*> shared_rows_;
  std::mutex websub_mutex_;  // hubs are answered on HTTP threads
  prometheus::Counter& revisions_;
  prometheus::Counter& dead_lettered_;
  prometheus::Counter& lying_;
  prometheus::Gauge& in_flight_;
  prometheus::Gauge& in_flight_bytes_;
};

}  // namespace racewatch::ingest
