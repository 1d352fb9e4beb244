// Start and stop of a process: components start in the order added (sinks first, sources last) and stop
// in reverse; SIGTERM or SIGINT, or a fatal error of any component, ends Run. A second signal, or 30 s of
// draining, ends the process at once (the state is crash-safe). One Lifecycle per process, used by main.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "base/log.h"
#include "base/status.h"

namespace racewatch::base {

class Component {
 public:
  virtual ~Component() = default;
  virtual std::string name() const = 0;
  // Fails fast: everything that can be wrong at start is an error here, not later.
  virtual Status Start() = 0;
  // Stops intake, drains within `timeout`, flushes. Safe before Start and twice.
  virtual Status Stop(std::chrono::milliseconds timeout) = 0;
  // True when nothing is due, in flight or queued at this moment of the clock. Any thread. The demo
  // advances its simulated clock only while every component is idle, so each run sees the same order.
  virtual bool Idle() const { return true; }
};

class Lifecycle {
 public:
  explicit Lifecycle(Log& log);
  ~Lifecycle();

  // Components outlive Run.
  void Add(Component& component);

  // Any thread: ends Run with this reason; OK means an ordinary end.
  void RequestStop(Status reason);

  // Starts everything, waits for a signal or RequestStop, stops everything. The first error, or OK.
  // The constructor blocks SIGTERM and SIGINT in the calling thread and in threads it starts: make the
  // Lifecycle before any thread.
  Status Run();

  // True once Run has started everything and until stopping begins.
  bool running() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace racewatch::base
