// Waiting in threads of long-running work: for a while, and until something is so that nobody tells of. Where a change is
// told of (a condition variable, Changes), wait for that instead.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>

#include "base/status.h"

namespace racewatch::base {

// Returns after `time`, or at once when a stop is requested. Any thread.
inline void PauseFor(std::chrono::nanoseconds time, const std::stop_token& stop = {}) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, stop, time, [] { return false; });
}

// Asks `look` (→ Result<bool>) every `pause` until it says true, and returns its error if it has one.
template <typename Look>
Status LookUntil(std::chrono::milliseconds pause, const Look& look) {
  for (;; PauseFor(pause)) {
    RW_ASSIGN_OR_RETURN(const bool done, look());
    if (done) return {};
  }
}

}  // namespace racewatch::base
