// The bus of a process, made from its configuration: Apache Kafka, or the embedded log of `racewatch up`.
// Sources and sinks are owned by the caller and go before the Bus. Used by main threads only.
#pragma once

#include <memory>
#include <string>

#include "base/bus/sink.h"
#include "base/bus/source.h"
#include "base/clock.h"
#include "base/lifecycle.h"
#include "base/log.h"
#include "base/status.h"
#include "racewatch/v1/config.pb.h"

namespace prometheus {
class Registry;
}
namespace racewatch::base {
class EmbeddedLog;
class Problems;
}  // namespace racewatch::base

namespace racewatch::cli {

// For a single role: the bus must be Kafka and name its brokers.
void CheckKafkaBus(const v1::BusConfig& bus, base::Problems* problems);

class Bus {
 public:
  // Opens the embedded log in `log_dir`, or remembers how to reach Kafka (which may be down just now).
  static base::Result<std::unique_ptr<Bus>> Open(const v1::BusConfig& config, std::string role, const std::string& log_dir,
                                                 const base::Clock& clock, base::Log& log);
  ~Bus();

  base::Result<std::unique_ptr<base::Source>> MakeSource(base::SourceOptions options);
  base::Result<std::unique_ptr<base::Sink>> MakeSink();
  // The consumer group of a role, with the configured prefix.
  std::string Group(const std::string& role) const;
  base::EmbeddedLog* embedded();  // null with Kafka

 private:
  struct Impl;
  explicit Bus(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Every partition of racewatch.retag.v1, for a store that builds a generation.
base::Result<std::unique_ptr<base::Source>> MakeRetagSource(Bus& bus, base::AssignmentListener& listener);

// Closes a sink or a source when the lifecycle stops, after the roles before it in the order have drained.
class SinkCloser final : public base::Component {
 public:
  explicit SinkCloser(base::Sink& sink) : sink_(sink) {}
  std::string name() const override { return "sink"; }
  base::Status Start() override { return {}; }
  base::Status Stop(std::chrono::milliseconds timeout) override { return sink_.Close(timeout); }

 private:
  base::Sink& sink_;
};

class SourceCloser final : public base::Component {
 public:
  explicit SourceCloser(base::Source& source) : source_(source) {}
  std::string name() const override { return "source"; }
  base::Status Start() override { return {}; }
  base::Status Stop(std::chrono::milliseconds) override { return source_.Close(); }

 private:
  base::Source& source_;
};

}  // namespace racewatch::cli
