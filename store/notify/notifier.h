// Tells subscribers by HTTP POST or e-mail what the alert log holds: each webhook and each receiver of mail from a durable place
// in the log of its own, in order, one request or mail at a time. The place moves only after a 2xx answer, so a receiver or a
// store that was down misses nothing, and a repeat carries the same ce_id (mail: Message-ID). Failures are tried again with
// back-off and jitter until an alert is too old; 410 ends a subscription until its URL changes. Redirects are answers that failed.
// One thread, that of the store's loop; nothing here waits longer than the caller says. Engine, clock, log and registry
// outlive it. Errors: those of the engine; what receivers do is counted and logged.
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "store/engine.h"

namespace prometheus {
class Registry;
}
namespace racewatch::v1 {
class SilenceConfig;
class SubscriberConfig;
}  // namespace racewatch::v1

namespace racewatch::store {

class Notifier {
 public:
  Notifier(Engine& engine, base::Clock& clock, prometheus::Registry& registry, base::Log& log);
  ~Notifier();  // requests in flight end; their alerts are sent again by the next life

  // As validated by ValidateSubscribers; secrets are read here. Replaces what was configured before. A subscriber whose
  // secrets cannot be read keeps its place and is not served (logged, counted).
  void Configure(const std::vector<v1::SubscriberConfig>& subscribers, const std::vector<v1::SilenceConfig>& silences);

  // Reads every place again; before the first Run and after a failed one. A new name starts with the next alert.
  base::Status Restore();

  // Moves requests on for at most `wait`, notes what was answered, starts what is due.
  base::Status Run(const Claim& leader, std::chrono::milliseconds wait);

  // A request is in flight: call Run again soon.
  bool busy() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace racewatch::store
