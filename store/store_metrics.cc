#include "store/store_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <algorithm>
#include <map>
#include <string>

namespace racewatch::store {
namespace {

constexpr char kGroup[] = "racewatch-store";

}  // namespace

struct StoreMetrics::Impl {
  explicit Impl(prometheus::Registry& r)
      : registry(r),
        lag(prometheus::BuildGauge().Name("racewatch_lag_messages").Help("Records behind the end; absent when unknown.").Register(r)),
        lag_seconds(prometheus::BuildGauge().Name("racewatch_lag_seconds").Help("Age of the newest record read while others wait.").Register(r)),
        gaps(base::MakeGauge(r, "racewatch_store_gaps", "Resume positions that lay outside the log.")),
        replaced(base::MakeCounter(r, "racewatch_store_log_replaced_total", "Starts that met another log than before and read it from its start.")),
        articles(base::MakeGauge(r, "racewatch_store_story_window_articles", "Articles in the window of the story index.")),
        bytes(base::MakeGauge(r, "racewatch_store_story_window_bytes", "Memory of the story index.")),
        watermark(base::MakeGauge(r, "racewatch_alert_watermark_timestamp_seconds", "Event time up to which alert steps are decided.")),
        retag_generation(base::MakeGauge(r, "racewatch_retag_generation", "Number of the generation that is being built; 0: none.")),
        retag_lag(base::MakeGauge(r, "racewatch_retag_lag_messages", "Records counted that the generation being built lacks.")) {}

  prometheus::Registry& registry;
  prometheus::Family<prometheus::Gauge>& lag;
  prometheus::Family<prometheus::Gauge>& lag_seconds;
  prometheus::Gauge& gaps;
  prometheus::Counter& replaced;
  prometheus::Gauge& articles;
  prometheus::Gauge& bytes;
  prometheus::Gauge& watermark;
  prometheus::Gauge& retag_generation;
  prometheus::Gauge& retag_lag;
  std::map<base::TopicPartition, prometheus::Gauge*> lags;
  std::map<std::string, std::map<int32_t, double>> seconds;  // topic → partition
  std::map<std::string, prometheus::Counter*, std::less<>> dead;
};

StoreMetrics::StoreMetrics(prometheus::Registry& registry)
    : store(registry, "store"), story(registry, "story"), outbox(registry, "outbox"), retag(registry, "retag"), impl_(std::make_unique<Impl>(registry)) {}
StoreMetrics::~StoreMetrics() = default;

void StoreMetrics::Lag(const base::TopicPartition& where, std::optional<int64_t> messages, double seconds) {
  auto& gauge = impl_->lags[where];
  if (!messages) {
    if (gauge != nullptr) impl_->lag.Remove(gauge);
    gauge = nullptr;
    return;
  }
  if (gauge == nullptr)
    gauge = &impl_->lag.Add({{"group", kGroup}, {"topic", where.topic}, {"partition", std::to_string(where.partition)}});
  gauge->Set(static_cast<double>(*messages));
  auto& of_topic = impl_->seconds[where.topic];
  of_topic[where.partition] = *messages > 0 ? std::max(0.0, seconds) : 0;
  double worst = 0;
  for (const auto& [partition, age] : of_topic) worst = std::max(worst, age);
  impl_->lag_seconds.Add({{"group", kGroup}, {"topic", where.topic}}).Set(worst);
}

void StoreMetrics::DeadLettered(std::string_view reason) {
  auto at = impl_->dead.find(reason);
  if (at == impl_->dead.end())
    at = impl_->dead.emplace(std::string(reason), &base::MakeCounter(impl_->registry, "racewatch_store_dead_lettered_total",
                                                                     "Records that could not be counted and lie in the dead-letter topic.",
                                                                     {{"reason", std::string(reason)}})).first;
  at->second->Increment();
}

void StoreMetrics::Watermark(int64_t unix_ms) { impl_->watermark.Set(static_cast<double>(unix_ms) / 1000); }

void StoreMetrics::Retag(uint32_t generation, uint64_t lag) {
  impl_->retag_generation.Set(generation);
  impl_->retag_lag.Set(static_cast<double>(lag));
}

void StoreMetrics::LogReplaced() { impl_->replaced.Increment(); }

void StoreMetrics::Beat(int64_t gaps, size_t index_articles, size_t index_bytes) {
  store.Heartbeat();
  impl_->gaps.Set(static_cast<double>(gaps));
  impl_->articles.Set(static_cast<double>(index_articles));
  impl_->bytes.Set(static_cast<double>(index_bytes));
}

}  // namespace racewatch::store
