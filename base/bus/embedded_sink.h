// A producer into the embedded log. A delivery is reported after the fsync of its batch, on the
// log's writer thread. Threads, callbacks and errors as in sink.h; a delivery fails with
// UNAVAILABLE when the disk refuses. The log outlives the sink.
#pragma once

#include <condition_variable>
#include <mutex>

#include "base/bus/embedded_log.h"
#include "base/bus/sink.h"

namespace racewatch::base {

class EmbeddedSink final : public Sink {
 public:
  explicit EmbeddedSink(EmbeddedLog& log, size_t queue_bytes_max = 32u << 20);
  ~EmbeddedSink() override;

  Status Send(Record record, DeliveryCallback on_delivery) override;
  Status Flush(std::chrono::milliseconds timeout) override;
  size_t queued_bytes() const override;
  Status Close(std::chrono::milliseconds timeout) override;

 private:
  EmbeddedLog& log_;
  const size_t queue_bytes_max_;
  mutable std::mutex mutex_;
  std::condition_variable delivered_;
  size_t queued_bytes_ = 0;
  bool closed_ = false;
};

}  // namespace racewatch::base
