// Moves the stepped clock through the demo week: the next step begins only when the whole pipeline is idle,
// so every run sees the same order of events, and no faster than the speed asked for. One thread; Stop ends
// it. The clock, the idle test and the callback outlive it.
#pragma once

#include <functional>
#include <thread>

#include "base/clock.h"
#include "base/lifecycle.h"

namespace racewatch::cli {

class DemoDriver final : public base::Component {
 public:
  struct Options {
    base::UnixMs start_ms = 0;
    base::UnixMs end_ms = 0;
    double speed = 2000;       // times real time at most; 0: as fast as the pipeline goes
    int64_t step_ms = 300'000;
  };
  // `idle` is asked until it says yes; `on_end` is called once, after the last step was idle.
  DemoDriver(Options options, base::SteppedClock& clock, std::function<bool()> idle, std::function<void()> on_end);
  ~DemoDriver() override;

  std::string name() const override { return "demo_driver"; }
  base::Status Start() override;
  base::Status Stop(std::chrono::milliseconds timeout) override;

 private:
  void Drive(std::stop_token stop);

  const Options options_;
  base::SteppedClock& clock_;
  const std::function<bool()> idle_;
  const std::function<void()> on_end_;
  std::jthread thread_;
};

}  // namespace racewatch::cli
