// The alert engine: rules over series, one decision per ten-minute step of event time. The store calls
// Step once the watermark has passed a step's end, and commits the alerts (outbox) and SaveState() in one
// transaction; after a restart LoadState() continues there. Pure and deterministic in (rules, state,
// arguments, view); no clock, no I/O. One thread. Each alert follows open → update* → close with
// hysteresis, carries evidence, and keeps its id (a hash of rule, key and opening window).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "store/alert/series_view.h"

namespace racewatch::v1 {
class Alert;
class RuleConfig;
}  // namespace racewatch::v1

namespace racewatch::store {

// Alert.key of a rule's dead-man alert.
inline constexpr std::string_view kDeadmanKey = "deadman";

struct AlertOptions {
  int64_t notify_age_ms_max = 6 * kHourMs;  // steps older than this are passed over in silence
  int64_t resend_ms = 24 * kHourMs;         // an open alert is sent again as update
  int64_t reopen_ms = 2 * kHourMs;          // after a close the same key stays quiet this long
  size_t evidence_max = 5;
};

class AlertEngine {
 public:
  // `rules` passed ValidateRules (store/alert/rule_config.h); defaults are filled in here.
  explicit AlertEngine(const std::vector<v1::RuleConfig>& rules, AlertOptions options = {});
  ~AlertEngine();
  AlertEngine(const AlertEngine&) = delete;
  AlertEngine& operator=(const AlertEngine&) = delete;

  // Other rules from the next step on, as validated. What is open stays so; what no rule watches any more is closed then.
  void SetRules(const std::vector<v1::RuleConfig>& rules);

  // Decides the step that ends at `step_end` (a multiple of kSlotMs), in ascending order. A step at or
  // before last_step() was decided already: no alerts, no change. `now` is the pipeline's clock and serves
  // only the age rule. Order of the result: rules as configured, keys as listed by the taxonomy.
  std::vector<v1::Alert> Step(base::UnixMs step_end, base::UnixMs now, const SeriesView& view);

  // End of the last step decided; 0 before the first.
  base::UnixMs last_step() const;

  // Last state sent of each alert that is open, in key order.
  std::vector<v1::Alert> OpenAlerts() const;

  // Bytes to commit with the outbox rows of the step. LoadState: DATA_LOSS on damaged bytes or another
  // version; nothing is changed then. Alerts of rules that are no longer configured close at the next step.
  std::string SaveState() const;
  base::Status LoadState(std::string_view bytes);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace racewatch::store
