#include "base/clock.h"

#include <algorithm>

namespace racewatch::base {

UnixMs SystemClock::NowMs() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

SpeedClock::SpeedClock(UnixMs start_ms, double speed)
    : start_ms_(start_ms), speed_(speed), real_start_(std::chrono::steady_clock::now()) {}

UnixMs SpeedClock::NowMs() const {
  const std::chrono::duration<double, std::milli> real = std::chrono::steady_clock::now() - real_start_;
  return start_ms_ + static_cast<UnixMs>(real.count() * speed_);
}

std::chrono::milliseconds SpeedClock::RealDuration(int64_t world_ms) const {
  return std::chrono::milliseconds(std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(world_ms) / speed_)));
}

}  // namespace racewatch::base
