// The alert step and the outbox. The step runs the rules over event-time steps behind the watermark and commits
// alerts, outbox rows and the rules' state in one transaction; the outbox publisher sends what lies there and
// deletes a row only after its delivery report. A crash in between repeats an alert with the same ce_id.
// One thread (delivery reports arrive on the sink's). Engine, sink and metrics outlive both.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/bus/sink.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "store/engine.h"

namespace racewatch::v1 {
class RuleConfig;
}

namespace racewatch::store {

class AlertStep {
 public:
  AlertStep(Engine& engine, std::vector<v1::RuleConfig> rules);
  ~AlertStep();

  // Loads the rules' state; before the first Run and after a failed one.
  base::Status Restore();

  struct Done {
    size_t alerts = 0;
    size_t opened = 0;
    bool more = false;  // steps are left: call again
  };
  // Decides at most `steps_max` steps that end at or before `watermark`, in one transaction. A step sees the world as of
  // its end, so it is decided alike whenever it is decided; `now` serves only the rule that old steps pass in silence.
  base::Result<Done> Run(base::UnixMs watermark, base::UnixMs now, size_t steps_max, const Claim& leader);

  // Other rules from the next step on; what is open stays so.
  void SetRules(std::vector<v1::RuleConfig> rules);

  // True when a step that ends at or before `watermark` is still to be decided.
  bool Due(base::UnixMs watermark) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

class Outbox {
 public:
  Outbox(Engine& engine, base::Sink& sink, base::Clock& clock, base::Log& log);
  ~Outbox();

  // Finds what a former life left unsent.
  base::Status Restore();
  // Deletes what has been delivered, sends what has not been sent. `sent` counts deliveries.
  base::Status Run(const Claim& leader, size_t* sent);
  // Nothing waits for sending, delivery or deletion.
  bool empty() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // shared with delivery callbacks, which may outlive this
};

}  // namespace racewatch::store
