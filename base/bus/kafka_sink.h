// A producer into Apache Kafka over librdkafka: idempotent, acks=all, proof by delivery report
// only. A thread of the sink collects the reports and calls the callbacks. After a fatal error of
// the client it makes a new one and sends again, in order, what was not acknowledged; only then may
// a record lie in the log twice (its id tells). Threads and errors as in sink.h; a record that no
// broker took within `message.timeout.ms` (5 min) fails with UNAVAILABLE.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/bus/sink.h"

struct rd_kafka_s;
struct rd_kafka_message_s;

namespace racewatch::v1 {
class KafkaConfig;
}

namespace racewatch::base {

class Log;

class KafkaSink final : public Sink {
 public:
  // `role` names the client when the configuration does not. `log` may be null, else outlives the
  // sink. Needs no broker yet. INVALID_ARGUMENT: a mistake in the configuration.
  static Result<std::unique_ptr<KafkaSink>> Create(const v1::KafkaConfig& config,
                                                   const std::string& role, Log* log);
  ~KafkaSink() override;

  Status Send(Record record, DeliveryCallback on_delivery) override;
  Status Flush(std::chrono::milliseconds timeout) override;
  size_t queued_bytes() const override;
  Status Close(std::chrono::milliseconds timeout) override;

  // How often a fatal error made the sink start its client anew.
  int64_t restarts() const { return restarts_; }
  // For tests: makes the client fail as after a fatal error of the brokers.
  void InjectFatalError();

 private:
  struct InFlight;
  struct Client;  // librdkafka's handle and configuration
  KafkaSink(std::unique_ptr<Client> client, size_t queue_bytes_max, Log* log);

  static void OnDelivery(rd_kafka_s* client, const rd_kafka_message_s* message, void* opaque);
  static void OnError(rd_kafka_s* client, int error, const char* reason, void* opaque);
  static void OnLog(const rd_kafka_s* client, int level, const char* facility, const char* text);

  Status Produce(InFlight* entry);  // under mutex_; hands `entry` to librdkafka
  void Serve(const std::stop_token& stop);
  void StartAnew();
  void Report(std::unique_ptr<InFlight> entry, Delivery delivery);

  std::unique_ptr<Client> client_;
  const size_t queue_bytes_max_;
  Log* const log_;
  mutable std::mutex mutex_;
  std::condition_variable delivered_;
  size_t queued_bytes_ = 0;
  int64_t next_sequence_ = 0;
  bool closed_ = false;
  bool fatal_ = false;                             // waiting for a new client
  std::vector<std::unique_ptr<InFlight>> resend_;  // what the new client has to send
  std::atomic<int64_t> restarts_{0};
  std::jthread server_;
};

}  // namespace racewatch::base
