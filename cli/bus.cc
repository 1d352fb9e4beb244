#include "cli/bus.h"

#include "base/bus/embedded_log.h"
#include "base/bus/embedded_sink.h"
#include "base/bus/embedded_source.h"
#include "base/bus/kafka_sink.h"
#include "base/bus/kafka_source.h"
#include "base/bus/topics.h"
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
  base::Log* messages;
  std::unique_ptr<base::EmbeddedLog> log;
};

Bus::Bus(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Bus::~Bus() = default;

base::Result<std::unique_ptr<Bus>> Bus::Open(const v1::BusConfig& config, std::string role, const std::string& log_dir,
                                             const base::Clock& clock, base::Log& log) {
  auto impl = std::make_unique<Impl>();
  impl->config = config;
  impl->role = std::move(role);
  impl->messages = &log;
  if (!config.has_kafka()) {
    RW_ASSIGN_OR_RETURN(impl->log, base::EmbeddedLog::Open(base::EmbeddedLogOptionsFrom(config.embedded(), log_dir), clock, &log));
  }
  return std::unique_ptr<Bus>(new Bus(std::move(impl)));
}

base::Result<std::unique_ptr<base::Source>> Bus::MakeSource(base::SourceOptions options) {
  if (impl_->log) return std::unique_ptr<base::Source>(std::make_unique<base::EmbeddedSource>(*impl_->log, std::move(options)));
  RW_ASSIGN_OR_RETURN(auto source, base::KafkaSource::Create(impl_->config.kafka(), impl_->role, std::move(options), impl_->messages));
  return std::unique_ptr<base::Source>(std::move(source));
}

base::Result<std::unique_ptr<base::Sink>> Bus::MakeSink() {
  if (impl_->log) return std::unique_ptr<base::Sink>(std::make_unique<base::EmbeddedSink>(*impl_->log));
  RW_ASSIGN_OR_RETURN(auto sink, base::KafkaSink::Create(impl_->config.kafka(), impl_->role, impl_->messages));
  return std::unique_ptr<base::Sink>(std::move(sink));
}

std::string Bus::Group(const std::string& role) const {
  const std::string& prefix = impl_->config.kafka().group_prefix();
  return (prefix.empty() ? "racewatch" : prefix) + "-" + role;
}

base::Result<std::unique_ptr<base::Source>> MakeRetagSource(Bus& bus, base::AssignmentListener& listener) {
  return bus.MakeSource({.topics = {std::string(base::kRetagTopic)}, .listener = &listener});
}

base::EmbeddedLog* Bus::embedded() { return impl_->log.get(); }

}  // namespace racewatch::cli
