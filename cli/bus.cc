#include "cli/bus.h"

#include "base/bus/embedded_log.h"
#include "base/bus/embedded_sink.h"
#include "base/bus/embedded_source.h"
#include "base/config.h"

namespace racewatch::cli {

void CheckKafkaBus(const v1::BusConfig& bus, base::Problems* problems) {
  if (bus.has_embedded())
    problems->Add("bus.embedded", "lives in one process: a single role needs bus.kafka (or use `racewatch up`)");
  else if (bus.kafka().bootstrap_servers().empty())
    problems->Add("bus.kafka.bootstrap_servers", "is required, for example \"127.0.0.1:9092\"");
}

struct Bus::Impl {
  v1::BusConfig config;
  std::string role;
  std::unique_ptr<base::EmbeddedLog> log;
};

Bus::Bus(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Bus::~Bus() = default;

base::Result<std::unique_ptr<Bus>> Bus::Open(const v1::BusConfig& config, std::string role, const std::string& log_dir,
                                             const base::Clock& clock, base::Log&) {
  auto impl = std::make_unique<Impl>();
  impl->config = config;
  impl->role = std::move(role);
  if (!config.has_kafka()) {
    RW_ASSIGN_OR_RETURN(impl->log, base::EmbeddedLog::Open(base::EmbeddedLogOptionsFrom(config.embedded(), log_dir), clock));
  }
  return std::unique_ptr<Bus>(new Bus(std::move(impl)));
}

base::Result<std::unique_ptr<base::Source>> Bus::MakeSource(base::SourceOptions options) {
  if (impl_->log) return std::unique_ptr<base::Source>(std::make_unique<base::EmbeddedSource>(*impl_->log, std::move(options)));
  return base::Internal("kafka");
}

base::Result<std::unique_ptr<base::Sink>> Bus::MakeSink() {
  if (impl_->log) return std::unique_ptr<base::Sink>(std::make_unique<base::EmbeddedSink>(*impl_->log));
  return base::Internal("kafka");
}

std::string Bus::Group(const std::string& role) const {
  const std::string& prefix = impl_->config.kafka().group_prefix();
  return (prefix.empty() ? "racewatch" : prefix) + "-" + role;
}

base::EmbeddedLog* Bus::embedded() { return impl_->log.get(); }

}  // namespace racewatch::cli
