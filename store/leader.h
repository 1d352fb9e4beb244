// Which of several store processes leads: keeps a lease in the shared database on a thread of its own, so that a long
// round of work does not lose it, and says under which claim this process leads. A process that was stopped knows by the
// clock that its lease has run out before it asks. The engine outlives it.
#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/log.h"
#include "store/engine.h"

namespace racewatch::store {

// The claim under which stories, alerts, outbox and retention write; a partition that no bus has.
inline constexpr char kLeaderName[] = "leader";

class LeaderKeeper {
 public:
  // `holder` is unlike that of every other process. Tries for the lease at once and ever after.
  LeaderKeeper(Engine& engine, std::string holder, std::chrono::milliseconds lease, base::Log& log);
  // Gives the lease back, so that a successor need not wait.
  ~LeaderKeeper();

  // The claim while the lease runs; nullopt: another process leads, or the database is away. Any thread.
  std::optional<Claim> claim() const;

 private:
  void Keep(const std::stop_token& stop);

  Engine& engine_;
  const std::string holder_;
  const std::chrono::milliseconds lease_;
  base::Log& log_;
  mutable std::mutex mutex_;
  std::optional<Claim> claim_;
  std::chrono::steady_clock::time_point ends_;
  std::jthread thread_;  // last: ends first
};

}  // namespace racewatch::store
