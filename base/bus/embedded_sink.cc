#include "base/bus/embedded_sink.h"

#include <string>
#include <utility>

namespace racewatch::base {

EmbeddedSink::EmbeddedSink(EmbeddedLog& log, size_t queue_bytes_max)
    : log_(log), queue_bytes_max_(queue_bytes_max) {}

EmbeddedSink::~EmbeddedSink() {
  (void)Close(std::chrono::milliseconds(0));
  // What the writer has begun cannot be taken back: it calls into this object until it is done.
  std::unique_lock guard(mutex_);
  delivered_.wait(guard, [this] { return queued_bytes_ == 0; });
}

Status EmbeddedSink::Send(Record record, DeliveryCallback on_delivery) {
  RW_RETURN_IF_ERROR(log_.CheckRecord(record));
  const size_t bytes = record.ByteSize();
  {
    std::lock_guard guard(mutex_);
    if (closed_) return FailedPrecondition("send to " + record.topic + ": sink is closed");
    if (queued_bytes_ > 0 && queued_bytes_ + bytes > queue_bytes_max_)
      return ResourceExhausted("send to " + record.topic + ": queue of " +
                               std::to_string(queue_bytes_max_) + " bytes is full");
    queued_bytes_ += bytes;
  }
  log_.Append(this, std::move(record),
              [this, bytes, callback = std::move(on_delivery)](const Delivery& delivery) {
                if (callback) callback(delivery);
                std::lock_guard guard(mutex_);
                queued_bytes_ -= bytes;
                if (queued_bytes_ == 0) delivered_.notify_all();
              });
  return Status::Ok();
}

Status EmbeddedSink::Flush(std::chrono::milliseconds timeout) {
  std::unique_lock guard(mutex_);
  if (delivered_.wait_for(guard, timeout, [this] { return queued_bytes_ == 0; }))
    return Status::Ok();
  return DeadlineExceeded("flush: " + std::to_string(queued_bytes_) +
                          " bytes not delivered in time");
}

size_t EmbeddedSink::queued_bytes() const {
  std::lock_guard guard(mutex_);
  return queued_bytes_;
}

Status EmbeddedSink::Close(std::chrono::milliseconds timeout) {
  {
    std::lock_guard guard(mutex_);
    if (std::exchange(closed_, true)) return Status::Ok();
  }
  const Status flushed = Flush(timeout);
  if (!flushed.ok()) log_.Withdraw(this, DeadlineExceeded("close: not delivered in time"));
  return flushed;
}

}  // namespace racewatch::base
