// The metrics of a source and of a sink, for the stage that owns them: how far behind the group is,
// gaps, bytes waiting for their acknowledgement. The stage calls Observe once per turn of its loop,
// on the thread that owns the source or sink; a scrape reads what was set last. The registry
// outlives this object.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/bus/sink.h"
#include "base/bus/source.h"
#include "base/clock.h"

namespace prometheus {
class Registry;
}

namespace racewatch::base {

// racewatch_lag_messages{group,topic,partition}, racewatch_lag_seconds{group,topic},
// racewatch_gaps{group}.
class SourceMetrics {
 public:
  SourceMetrics(prometheus::Registry& registry, const std::string& group);
  ~SourceMetrics();
  SourceMetrics(const SourceMetrics&) = delete;
  SourceMetrics& operator=(const SourceMetrics&) = delete;

  // `records`: what the last Poll handed out (may be empty). A partition that left the assignment,
  // or whose lag is unknown, leaves the metrics. The lag in seconds is the age of the newest record
  // handed out of a topic while others wait there, else 0.
  void Observe(const Source& source, const std::vector<Record>& records, UnixMs now_ms);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// racewatch_sink_queue_bytes{stage}.
class SinkMetrics {
 public:
  SinkMetrics(prometheus::Registry& registry, const std::string& stage);
  ~SinkMetrics();
  SinkMetrics(const SinkMetrics&) = delete;
  SinkMetrics& operator=(const SinkMetrics&) = delete;

  void Observe(const Sink& sink);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace racewatch::base
