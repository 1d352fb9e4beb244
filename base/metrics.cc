#include "base/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <map>
#include <mutex>

namespace racewatch::base {
namespace {

using Labels = std::map<std::string, std::string>;

// From 0.1 ms to about 100 s in steps of four: wide enough for a fetch, fine enough for a batch.
const prometheus::Histogram::BucketBoundaries& DurationBuckets() {
  static const prometheus::Histogram::BucketBoundaries kBuckets = {0.0001, 0.0004, 0.0016, 0.0064, 0.025,
                                                                   0.1,    0.4,    1.6,    6.4,    25.6, 102.4};
  return kBuckets;
}

}  // namespace

struct StageMetrics::Impl {
  Impl(prometheus::Registry& registry, std::string stage_name)
      : stage(std::move(stage_name)),
        received(prometheus::BuildCounter()
                     .Name("racewatch_stage_received_total")
                     .Help("Records taken in by a stage.")
                     .Register(registry)
                     .Add(Labels{{"stage", stage}})),
        sent(prometheus::BuildCounter()
                 .Name("racewatch_stage_sent_total")
                 .Help("Records handed on by a stage and acknowledged.")
                 .Register(registry)
                 .Add(Labels{{"stage", stage}})),
        dropped(prometheus::BuildCounter()
                    .Name("racewatch_stage_dropped_total")
                    .Help("Records a stage dropped on purpose, by reason.")
                    .Register(registry)),
        errors(prometheus::BuildCounter()
                   .Name("racewatch_stage_errors_total")
                   .Help("Errors met by a stage, by type; the record may still have been handed on.")
                   .Register(registry)),
        duration(prometheus::BuildHistogram()
                     .Name("racewatch_stage_duration_seconds")
                     .Help("Time of one unit of work of a stage (fetch, batch, transaction).")
                     .Register(registry)
                     .Add(Labels{{"stage", stage}}, DurationBuckets())),
        heartbeat(prometheus::BuildGauge()
                      .Name("racewatch_heartbeat_timestamp_seconds")
                      .Help("When the stage's loop last came round.")
                      .Register(registry)
                      .Add(Labels{{"stage", stage}})) {}

  prometheus::Counter& Of(prometheus::Family<prometheus::Counter>& family,
                          std::map<std::string, prometheus::Counter*, std::less<>>& cache, const char* label,
                          std::string_view value) {
    const std::scoped_lock lock(mutex);
    auto it = cache.find(value);
    if (it == cache.end())
      it = cache.emplace(std::string(value), &family.Add(Labels{{"stage", stage}, {label, std::string(value)}})).first;
    return *it->second;
  }

  const std::string stage;
  prometheus::Counter& received;
  prometheus::Counter& sent;
  prometheus::Family<prometheus::Counter>& dropped;
  prometheus::Family<prometheus::Counter>& errors;
  prometheus::Histogram& duration;
  prometheus::Gauge& heartbeat;
  std::mutex mutex;
  std::map<std::string, prometheus::Counter*, std::less<>> dropped_by_reason;
  std::map<std::string, prometheus::Counter*, std::less<>> errors_by_type;
};

StageMetrics::StageMetrics(prometheus::Registry& registry, std::string stage)
    : impl_(std::make_unique<Impl>(registry, std::move(stage))) {}
StageMetrics::~StageMetrics() = default;

void StageMetrics::Received(double n) { impl_->received.Increment(n); }
void StageMetrics::Sent(double n) { impl_->sent.Increment(n); }
void StageMetrics::Dropped(std::string_view reason, double n) {
  impl_->Of(impl_->dropped, impl_->dropped_by_reason, "reason", reason).Increment(n);
}
void StageMetrics::Error(std::string_view type, double n) {
  impl_->Of(impl_->errors, impl_->errors_by_type, "type", type).Increment(n);
}
void StageMetrics::Duration(std::chrono::nanoseconds elapsed) {
  impl_->duration.Observe(std::chrono::duration<double>(elapsed).count());
}
void StageMetrics::Heartbeat() { impl_->heartbeat.SetToCurrentTime(); }

prometheus::Counter& MakeCounter(prometheus::Registry& registry, const std::string& name, const std::string& help,
                                 std::initializer_list<std::pair<const std::string, std::string>> labels) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add(Labels(labels));
}

prometheus::Gauge& MakeGauge(prometheus::Registry& registry, const std::string& name, const std::string& help,
                             std::initializer_list<std::pair<const std::string, std::string>> labels) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add(Labels(labels));
}

void ExportBuildInfo(prometheus::Registry& registry, const std::string& role) {
  prometheus::BuildGauge()
      .Name("racewatch_build_info")
      .Help("1, with the version of this build and the role of this process.")
      .Register(registry)
      .Add(Labels{{"version", RACEWATCH_VERSION}, {"role", role}})
      .Set(1);
}

}  // namespace racewatch::base
