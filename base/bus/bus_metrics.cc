#include "base/bus/bus_metrics.h"

#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <algorithm>

#include "base/metrics.h"

namespace racewatch::base {

struct SourceMetrics::Impl {
  using Gauges = prometheus::Family<prometheus::Gauge>;

  Impl(prometheus::Registry& registry, const std::string& g)
      : group(g),
        lag(prometheus::BuildGauge()
                .Name("racewatch_lag_messages")
                .Help("Records behind the end; absent when unknown.")
                .Register(registry)),
        lag_seconds(prometheus::BuildGauge()
                        .Name("racewatch_lag_seconds")
                        .Help("Age of the newest record read while others wait.")
                        .Register(registry)),
        gaps(MakeGauge(registry, "racewatch_gaps", "Resume positions that lay outside the log.",
                       {{"group", g}})) {}

  void SetLag(const TopicPartition& where, int64_t messages) {
    auto& gauge = lags[where];
    if (!gauge)
      gauge = &lag.Add({{"group", group},
                        {"topic", where.topic},
                        {"partition", std::to_string(where.partition)}});
    gauge->Set(static_cast<double>(messages));
  }

  const std::string group;
  Gauges& lag;
  Gauges& lag_seconds;
  prometheus::Gauge& gaps;
  std::map<TopicPartition, prometheus::Gauge*> lags;
  std::map<std::string, UnixMs> newest;  // time of the newest record handed out, per topic
  std::map<std::string, prometheus::Gauge*> ages;
};

SourceMetrics::SourceMetrics(prometheus::Registry& registry, const std::string& group)
    : impl_(std::make_unique<Impl>(registry, group)) {}
SourceMetrics::~SourceMetrics() = default;

void SourceMetrics::Observe(const Source& source, const std::vector<Record>& records,
                            UnixMs now_ms) {
  for (const Record& record : records) {
    UnixMs& newest = impl_->newest[record.topic];
    newest = std::max(newest, record.timestamp_ms);
  }
  const auto lags = source.Lag();
  std::map<std::string, bool> waiting;
  for (const auto& [where, messages] : lags) {
    if (!messages) continue;
    impl_->SetLag(where, *messages);
    waiting[where.topic] |= *messages > 0;
  }
  std::erase_if(impl_->lags, [&](const auto& entry) {
    const auto it = lags.find(entry.first);
    if (it != lags.end() && it->second) return false;
    impl_->lag.Remove(entry.second);
    return true;
  });
  for (const auto& [topic, waits] : waiting) {
    auto& age = impl_->ages[topic];
    if (!age) age = &impl_->lag_seconds.Add({{"group", impl_->group}, {"topic", topic}});
    const auto newest = impl_->newest.find(topic);
    const bool known = waits && newest != impl_->newest.end();
    age->Set(known ? static_cast<double>(std::max<int64_t>(0, now_ms - newest->second)) / 1000 : 0);
  }
  impl_->gaps.Set(static_cast<double>(source.gaps()));
}

struct SinkMetrics::Impl {
  prometheus::Gauge& queue_bytes;
};

SinkMetrics::SinkMetrics(prometheus::Registry& registry, const std::string& stage)
    : impl_(new Impl{MakeGauge(registry, "racewatch_sink_queue_bytes",
                               "Bytes sent and not yet acknowledged.", {{"stage", stage}})}) {}
SinkMetrics::~SinkMetrics() = default;

void SinkMetrics::Observe(const Sink& sink) {
  impl_->queue_bytes.Set(static_cast<double>(sink.queued_bytes()));
}

}  // namespace racewatch::base
