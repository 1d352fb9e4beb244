// Where a stage writes to: any topic of one bus. Implementations: KafkaSink, EmbeddedSink, FakeSink.
//
// A record is delivered when its callback says so, and not before; the callback is the only proof.
// Callbacks run exactly once per accepted record, on a thread of the sink (or inside Flush and Close), in
// send order per partition; they must be quick and must not call back into the sink except Send.
// Threads: Send may be called from any thread, Flush and Close from one.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "base/bus/record.h"
#include "base/status.h"

namespace racewatch::base {

struct Delivery {
  Status status;      // OK: durable on the bus (acks=all, or fsynced in the embedded log)
  // Where it lies; only when OK. Offset -1 when the broker had it already and did not say where.
  Position position;
};
using DeliveryCallback = std::function<void(const Delivery&)>;

class Sink {
 public:
  virtual ~Sink() = default;

  // Takes the record. RESOURCE_EXHAUSTED: the queue is full, nothing was taken, wait and send again
  // (back-pressure). INVALID_ARGUMENT: it can never be sent (too large, unknown topic).
  virtual Status Send(Record record, DeliveryCallback on_delivery) = 0;

  // Waits until everything taken has been delivered or has failed. DEADLINE_EXCEEDED after `timeout`.
  virtual Status Flush(std::chrono::milliseconds timeout) = 0;

  // Bytes taken and not yet reported.
  virtual size_t queued_bytes() const = 0;

  // Flushes, then releases. What cannot be delivered in time is reported as failed. Safe to call twice.
  virtual Status Close(std::chrono::milliseconds timeout) = 0;
};

}  // namespace racewatch::base
