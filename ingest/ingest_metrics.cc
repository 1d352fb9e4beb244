#include "ingest/ingest_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>

#include "ingest/feed_health.h"

namespace racewatch::ingest {

IngestMetrics::IngestMetrics(prometheus::Registry& registry)
    : registry_(registry),
      stage_(registry, "ingest"),
      revisions_(base::MakeCounter(registry, "racewatch_ingest_revisions_total",
                                   "Articles sent again because their content changed")),
      dead_lettered_(base::MakeCounter(registry, "racewatch_ingest_dead_lettered_total",
                                       "Articles that could not be delivered and lie in the dead-letter topic")),
      lying_(base::MakeCounter(registry, "racewatch_ingest_lying_validators_total",
                               "Feeds found to hide new entries behind unchanged validators")),
      in_flight_(base::MakeGauge(registry, "racewatch_ingest_in_flight", "Entries parsed and not yet dealt with")),
      in_flight_bytes_(base::MakeGauge(registry, "racewatch_ingest_in_flight_bytes",
                                       "Bytes of articles sent and not yet acknowledged")) {}

prometheus::Counter& IngestMetrics::Labelled(std::unordered_map<std::string, prometheus::Counter*>* cache,
                                             const std::string& name, const std::string& help, std::string_view outcome) {
  std::string key(outcome);
  prometheus::Counter*& counter = (*cache)[key];
  if (counter == nullptr) counter = &base::MakeCounter(registry_, name, help, {{"outcome", key}});
  return *counter;
}

void IngestMetrics::Fetch(std::string_view outcome) {
  Labelled(&fetches_, "racewatch_ingest_fetches_total", "Fetches of feeds by outcome", outcome).Increment();
}

void IngestMetrics::Page(std::string_view outcome) {
  Labelled(&pages_, "racewatch_ingest_pages_total", "Fetches of article pages by outcome", outcome).Increment();
}

void IngestMetrics::WebSub(std::string_view outcome) {
  const std::lock_guard lock(websub_mutex_);
  Labelled(&websub_, "racewatch_ingest_websub_total", "Exchanges with WebSub hubs by outcome", outcome).Increment();
}

void IngestMetrics::SharedRows(std::string_view outcome, size_t count) {
  Labelled(&shared_rows_, "racewatch_ingest_shared_rows_total", "Rows read from racewatch.feeds.v1 by outcome", outcome)
      .Increment(static_cast<double>(count));
}

void IngestMetrics::Alarm(std::string_view alarm) {
  base::MakeCounter(registry_, "racewatch_ingest_alarms_total", "Feeds that fell silent or whose pages stopped to give texts",
                    {{"alarm", std::string(alarm)}})
      .Increment();
}

void IngestMetrics::FeedsOwned(size_t owned, size_t low_yield, size_t pushed) {
  base::MakeGauge(registry_, "racewatch_ingest_feeds_owned", "Feeds that this process fetches").Set(static_cast<double>(owned));
  base::MakeGauge(registry_, "racewatch_ingest_feeds_low_yield", "Feeds whose pages gave texts and do so no longer")
      .Set(static_cast<double>(low_yield));
  base::MakeGauge(registry_, "racewatch_ingest_feeds_pushed", "Feeds with a live WebSub hub").Set(static_cast<double>(pushed));
}

void IngestMetrics::Revision() { revisions_.Increment(); }
void IngestMetrics::DeadLettered() { dead_lettered_.Increment(); }
// Rare, and called from the HTTP server's threads: no cache.
void IngestMetrics::Backfill(std::string_view outcome, size_t times) {
  if (times == 0) return;
  base::MakeCounter(registry_, "racewatch_ingest_backfill_total", "Articles and lines taken from backfills, and batches refused",
                    {{"outcome", std::string(outcome)}})
      .Increment(static_cast<double>(times));
}

void IngestMetrics::LyingValidators() { lying_.Increment(); }

void IngestMetrics::InFlight(size_t entries, size_t bytes) {
  in_flight_.Set(static_cast<double>(entries));
  in_flight_bytes_.Set(static_cast<double>(bytes));
}

void IngestMetrics::Feeds(const std::unordered_map<int, size_t>& by_health) {
  for (int health = 0; health <= v1::FEED_HEALTH_FAILING; ++health) {
    const auto it = by_health.find(health);
    base::MakeGauge(registry_, "racewatch_ingest_feeds", "Feeds by state",
                    {{"state", std::string(HealthName(static_cast<v1::FeedHealth>(health)))}})
        .Set(it == by_health.end() ? 0.0 : static_cast<double>(it->second));
  }
}

}  // namespace racewatch::ingest
