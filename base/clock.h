// Time as an argument, so that tests and the demo run on a clock of their own. Implementations:
// SystemClock, ManualClock (tests/fakes), SpeedClock (the demo week, N times faster from a fixed start).
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

// Starts at `start_ms` and runs `speed` times as fast as the machine's monotonic clock.
class SpeedClock final : public Clock {
 public:
  SpeedClock(UnixMs start_ms, double speed);
  UnixMs NowMs() const override;
  std::chrono::milliseconds RealDuration(int64_t world_ms) const override;

 private:
  const UnixMs start_ms_;
  const double speed_;
  const std::chrono::steady_clock::time_point real_start_;
};

}  // namespace racewatch::base
