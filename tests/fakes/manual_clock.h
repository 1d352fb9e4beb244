// A clock that stands still until a test moves it. Thread-safe. Threads that wait by RealDuration
// look again every real millisecond, so a moved clock is noticed at once.
#pragma once

#include <atomic>

#include "base/clock.h"

namespace racewatch::fakes {

class ManualClock final : public base::Clock {
 public:
  // Default: 2026-01-05T00:00:00Z, a Monday.
  explicit ManualClock(base::UnixMs start_ms = 1'767'571'200'000) : now_ms_(start_ms) {}

  base::UnixMs NowMs() const override { return now_ms_; }
  std::chrono::milliseconds RealDuration(int64_t world_ms) const override {
    return std::chrono::milliseconds(world_ms > 0 ? 1 : 0);
  }

  void Advance(int64_t ms) { now_ms_ += ms; }
  void Set(base::UnixMs now_ms) { now_ms_ = now_ms; }

 private:
  std::atomic<base::UnixMs> now_ms_;
};

}  // namespace racewatch::fakes
