// The metrics that every stage has alike, over one prometheus-cpp registry that main owns and hands
// down. Hold the StageMetrics, not the families: a look-up costs more than the count. Thread-safe.
// Label values come from closed sets only (stage, reason and type are string literals in our code).
#pragma once

#include <chrono>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace prometheus {
class Registry;
class Counter;
class Gauge;
class Histogram;
}  // namespace prometheus

namespace racewatch::base {

// racewatch_stage_{received,sent}_total{stage}, _dropped_total{stage,reason}, _errors_total{stage,type},
// racewatch_stage_duration_seconds{stage}, racewatch_heartbeat_timestamp_seconds{stage}.
class StageMetrics {
 public:
  // The registry outlives this object.
  StageMetrics(prometheus::Registry& registry, std::string stage);
  ~StageMetrics();
  StageMetrics(const StageMetrics&) = delete;
  StageMetrics& operator=(const StageMetrics&) = delete;

  void Received(double n = 1);
  void Sent(double n = 1);
  void Dropped(std::string_view reason, double n = 1);
  void Error(std::string_view type, double n = 1);
  void Duration(std::chrono::nanoseconds elapsed);
  void Heartbeat();  // now, by the machine's clock

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// A counter, gauge or histogram of its own, by full name. `labels` as {{"name","value"},…}. The same
// name and labels give the same object. Name and help must be string literals listed in docs/metrics.md.
prometheus::Counter& MakeCounter(prometheus::Registry& registry, const std::string& name, const std::string& help,
                                 std::initializer_list<std::pair<const std::string, std::string>> labels = {});
prometheus::Gauge& MakeGauge(prometheus::Registry& registry, const std::string& name, const std::string& help,
                             std::initializer_list<std::pair<const std::string, std::string>> labels = {});

// racewatch_build_info{version,role} 1.
void ExportBuildInfo(prometheus::Registry& registry, const std::string& role);

}  // namespace racewatch::base
