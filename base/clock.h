// Time as an argument, so that tests and the demo run on a clock of their own. Implementations:
// SystemClock, SteppedClock (the demo week), ManualClock (tests/fakes).
// All methods are safe from any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace racewatch::base {

using UnixMs = int64_t;  // milliseconds since 1970-01-01T00:00:00Z

class Clock {
 public:
  virtual ~Clock() = default;
  // Wall time of the world the pipeline observes.
  virtual UnixMs NowMs() const = 0;
  // Real time that `world` milliseconds of this clock take: what a thread really waits.
  virtual std::chrono::milliseconds RealDuration(int64_t world_ms) const = 0;
};

class SystemClock final : public Clock {
 public:
  UnixMs NowMs() const override;
  std::chrono::milliseconds RealDuration(int64_t world_ms) const override {
    return std::chrono::milliseconds(world_ms);
  }
};

// Stands still until it is moved. The demo week runs on it: `racewatch up --demo` moves it in steps, each when
// the whole pipeline is idle, so every run sees the same order of events.
class SteppedClock final : public Clock {
 public:
  explicit SteppedClock(UnixMs start_ms) : now_ms_(start_ms) {}
  UnixMs NowMs() const override { return now_ms_; }
  // Short: whoever waits looks again soon, because a step may come at any moment.
  std::chrono::milliseconds RealDuration(int64_t world_ms) const override {
    return std::chrono::milliseconds(world_ms > 2 ? 2 : world_ms);
  }
  void Set(UnixMs now_ms) { now_ms_ = now_ms; }

 private:
  std::atomic<UnixMs> now_ms_;
};

}  // namespace racewatch::base
