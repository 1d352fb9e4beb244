#include "base/bus/kafka_sink.h"

#include <algorithm>
#include <utility>

#include "base/bus/kafka_client.h"
#include "base/log.h"
#include "racewatch/v1/config.pb.h"

namespace racewatch::base {

namespace {

constexpr size_t kQueueBytesDefault = 32u << 20;
constexpr int kPollMs = 100;
constexpr auto kPurgePatience = std::chrono::seconds(5);

// Errors with which librdkafka empties its queue after a fatal error.
bool IsPurge(rd_kafka_resp_err_t error) {
  return error == RD_KAFKA_RESP_ERR__PURGE_QUEUE || error == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT ||
         error == RD_KAFKA_RESP_ERR__FATAL;
}

rd_kafka_vu_t Field(rd_kafka_vtype_t type) {
  rd_kafka_vu_t field = {};
  field.vtype = type;
  return field;
}

KafkaHeaders MakeHeaders(const std::vector<Header>& headers) {
  KafkaHeaders made(rd_kafka_headers_new(headers.size()));
  for (const Header& h : headers)
    rd_kafka_header_add(made.get(), h.name.data(), static_cast<ssize_t>(h.name.size()),
                        h.value.data(), static_cast<ssize_t>(h.value.size()));
  return made;
}

}  // namespace

// Owns the bytes that librdkafka sends (it copies nothing) until the delivery report.
struct KafkaSink::InFlight {
  Record record;
  DeliveryCallback callback;
  size_t bytes = 0;
  int64_t sequence = 0;
};

struct KafkaSink::Client {
  KafkaConf conf;  // a copy makes each new client
  KafkaHandle handle;
};

Result<std::unique_ptr<KafkaSink>> KafkaSink::Create(const v1::KafkaConfig& config,
                                                     const std::string& role, Log* log) {
  auto client = std::make_unique<Client>();
  RW_ASSIGN_OR_RETURN(client->conf, ProducerConf(config, role));
  rd_kafka_conf_set_dr_msg_cb(client->conf.get(), &KafkaSink::OnDelivery);
  rd_kafka_conf_set_error_cb(client->conf.get(), &KafkaSink::OnError);
  rd_kafka_conf_set_log_cb(client->conf.get(), &KafkaSink::OnLog);
  const size_t queue_bytes_max =
      config.queue_bytes_max() > 0 ? config.queue_bytes_max() : kQueueBytesDefault;
  std::unique_ptr<KafkaSink> sink(new KafkaSink(std::move(client), queue_bytes_max, log));
  RW_ASSIGN_OR_RETURN(
      sink->client_->handle,
      MakeClient(RD_KAFKA_PRODUCER, KafkaConf(rd_kafka_conf_dup(sink->client_->conf.get())),
                 sink.get()));
  KafkaSink* self = sink.get();
  sink->server_ = std::jthread([self](const std::stop_token& stop) { self->Serve(stop); });
  return sink;
}

KafkaSink::KafkaSink(std::unique_ptr<Client> client, size_t queue_bytes_max, Log* log)
    : client_(std::move(client)), queue_bytes_max_(queue_bytes_max), log_(log) {}

KafkaSink::~KafkaSink() { (void)Close(std::chrono::milliseconds(0)); }

Status KafkaSink::Send(Record record, DeliveryCallback on_delivery) {
  auto entry = std::make_unique<InFlight>();
  entry->bytes = record.ByteSize();
  if (entry->bytes > kRecordBytesMax)
    return InvalidArgument("send to " + record.topic + ": record of " +
                           std::to_string(entry->bytes) + " bytes is too large");
  entry->record = std::move(record);
  entry->callback = std::move(on_delivery);
  std::lock_guard guard(mutex_);
  if (closed_) return FailedPrecondition("send to " + entry->record.topic + ": sink is closed");
  if (queued_bytes_ > 0 && queued_bytes_ + entry->bytes > queue_bytes_max_)
    return ResourceExhausted("send to " + entry->record.topic + ": queue of " +
                             std::to_string(queue_bytes_max_) + " bytes is full");
  entry->sequence = next_sequence_;
  const size_t bytes = entry->bytes;
  const Status produced = fatal_ ? Status::Ok() : Produce(entry.get());
  if (!produced.ok()) {
    // The client may have died before it told OnError.
    fatal_ = !FatalStatus(client_->handle.get(), "").ok();
    if (!fatal_) return produced;
  }
  if (fatal_)
    resend_.push_back(std::move(entry));
  else
    (void)entry.release();  // comes back with its report
  ++next_sequence_;
  queued_bytes_ += bytes;
  return Status::Ok();
}

Status KafkaSink::Produce(InFlight* entry) {
  static char empty[1] = "";
  const Record& record = entry->record;
  std::vector<rd_kafka_vu_t> fields;
  fields.push_back(Field(RD_KAFKA_VTYPE_TOPIC));
  fields.back().u.cstr = record.topic.c_str();
  fields.push_back(Field(RD_KAFKA_VTYPE_PARTITION));
  fields.back().u.i32 = record.partition < 0 ? RD_KAFKA_PARTITION_UA : record.partition;
  fields.push_back(Field(RD_KAFKA_VTYPE_VALUE));
  // A null value is a tombstone; an empty one is not.
  const char* value = record.value.empty() ? empty : record.value.data();
  fields.back().u.mem = {record.tombstone ? nullptr : const_cast<char*>(value),
                         record.tombstone ? 0 : record.value.size()};
  fields.push_back(Field(RD_KAFKA_VTYPE_KEY));
  fields.back().u.mem = {record.key.empty() ? nullptr : const_cast<char*>(record.key.data()),
                         record.key.size()};
  if (record.timestamp_ms != 0) {
    fields.push_back(Field(RD_KAFKA_VTYPE_TIMESTAMP));
    fields.back().u.i64 = record.timestamp_ms;
  }
  KafkaHeaders headers = MakeHeaders(record.headers);
  fields.push_back(Field(RD_KAFKA_VTYPE_HEADERS));
  fields.back().u.headers = headers.get();
  fields.push_back(Field(RD_KAFKA_VTYPE_OPAQUE));
  fields.back().u.ptr = entry;
  const KafkaError error(rd_kafka_produceva(client_->handle.get(), fields.data(), fields.size()));
  if (!error) {
    (void)headers.release();  // the message's now
    return Status::Ok();
  }
  const rd_kafka_resp_err_t code = rd_kafka_error_code(error.get());
  Status status = KafkaStatus(code, "send to " + record.topic, rd_kafka_error_string(error.get()));
  // A topic that is not there cannot be sent to, now or later.
  return status.code() == Code::kNotFound ? InvalidArgument(status.message()) : status;
}

void KafkaSink::OnDelivery(rd_kafka_s* client, const rd_kafka_message_s* message, void* opaque) {
  auto* self = static_cast<KafkaSink*>(opaque);
  std::unique_ptr<InFlight> entry(static_cast<InFlight*>(message->_private));
  {
    std::lock_guard guard(self->mutex_);  // also waits for the Send that is still handing it over
    if (!self->closed_ && IsPurge(message->err) && !FatalStatus(client, "").ok()) {
      self->resend_.push_back(std::move(entry));
      return;
    }
  }
  Delivery delivery;
  // Not rd_kafka_message_errstr: of a record that was not sent it returns the payload.
  delivery.status =
      KafkaStatus(message->err, "send to " + entry->record.topic, rd_kafka_err2str(message->err));
  if (delivery.status.code() == Code::kNotFound)
    delivery.status = InvalidArgument(delivery.status.message());
  if (delivery.status.ok())
    delivery.position = {{entry->record.topic, message->partition},
                         std::max<int64_t>(message->offset, -1)};
  self->Report(std::move(entry), std::move(delivery));
}

void KafkaSink::Report(std::unique_ptr<InFlight> entry, Delivery delivery) {
  if (entry->callback) entry->callback(delivery);
  std::lock_guard guard(mutex_);
  queued_bytes_ -= entry->bytes;
  if (queued_bytes_ == 0) delivered_.notify_all();
}

void KafkaSink::OnError(rd_kafka_s*, int error, const char* reason, void* opaque) {
  auto* self = static_cast<KafkaSink*>(opaque);
  if (self->log_)
    self->log_->RateLimited(LogLevel::kWarn, "kafka_producer_error", {{"error", reason}});
  if (error != RD_KAFKA_RESP_ERR__FATAL) return;
  std::lock_guard guard(self->mutex_);
  self->fatal_ = true;
}

void KafkaSink::OnLog(const rd_kafka_s* client, int level, const char* facility, const char* text) {
  auto* self = static_cast<KafkaSink*>(rd_kafka_opaque(client));
  if (self) LogClientLine(self->log_, level, facility, text);
}

void KafkaSink::Serve(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    rd_kafka_poll(client_->handle.get(), kPollMs);
    bool fatal = false;
    {
      std::lock_guard guard(mutex_);
      fatal = fatal_;
    }
    if (fatal) StartAnew();
  }
}

// Only the serving thread gets here, and only it uses the handle outside of mutex_.
void KafkaSink::StartAnew() {
  rd_kafka_t* old = client_->handle.get();
  rd_kafka_purge(old, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  while (rd_kafka_outq_len(old) > 0) rd_kafka_poll(old, kPollMs);
  auto fresh =
      MakeClient(RD_KAFKA_PRODUCER, KafkaConf(rd_kafka_conf_dup(client_->conf.get())), this);
  if (!fresh.ok()) return;  // out of threads or memory: tried again at the next turn
  std::vector<std::pair<std::unique_ptr<InFlight>, Status>> refused;
  {
    std::lock_guard guard(mutex_);
    client_->handle.swap(fresh.value());
    fatal_ = false;
    ++restarts_;
    std::sort(resend_.begin(), resend_.end(),
              [](const auto& a, const auto& b) { return a->sequence < b->sequence; });
    for (std::unique_ptr<InFlight>& entry : resend_) {
      Status status = Produce(entry.get());
      if (status.ok())
        (void)entry.release();
      else
        refused.emplace_back(std::move(entry), std::move(status));
    }
    resend_.clear();
  }
  for (auto& [entry, status] : refused) Report(std::move(entry), {std::move(status), {}});
}

Status KafkaSink::Flush(std::chrono::milliseconds timeout) {
  std::unique_lock guard(mutex_);
  if (delivered_.wait_for(guard, timeout, [this] { return queued_bytes_ == 0; }))
    return Status::Ok();
  return DeadlineExceeded("flush: " + std::to_string(queued_bytes_) +
                          " bytes not delivered in time");
}

void KafkaSink::InjectFatalError() {
  std::lock_guard guard(mutex_);
  rd_kafka_test_fatal_error(client_->handle.get(), RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
                            "injected by a test");
}

size_t KafkaSink::queued_bytes() const {
  std::lock_guard guard(mutex_);
  return queued_bytes_;
}

Status KafkaSink::Close(std::chrono::milliseconds timeout) {
  {
    std::lock_guard guard(mutex_);
    if (std::exchange(closed_, true)) return Status::Ok();
  }
  if (!server_.joinable()) return Status::Ok();
  const Status flushed = Flush(timeout);
  if (!flushed.ok()) {
    {
      std::lock_guard guard(mutex_);
      rd_kafka_purge(client_->handle.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
                                                RD_KAFKA_PURGE_F_NON_BLOCKING);
    }
    (void)Flush(kPurgePatience);  // the reports of what was purged
  }
  server_.request_stop();
  server_.join();
  for (std::unique_ptr<InFlight>& entry : std::exchange(resend_, {}))
    Report(std::move(entry), {DeadlineExceeded("close: not delivered in time"), {}});
  client_->handle.reset();
  return flushed;
}

}  // namespace racewatch::base
