// Makes what was committed unsynced durable on a thread of its own, while its caller prepares the next batch. The engine
// outlives it. One thread calls.
#pragma once

#include <future>

#include "base/status.h"
#include "store/engine.h"

namespace racewatch::store {

class SyncAhead {
 public:
  explicit SyncAhead(const Engine& engine) : engine_(engine) {}

  // Begins, if there is anything to do. Call Wait before the next Start.
  void Start() {
    if (engine_.unsynced()) syncing_ = std::async(std::launch::async, [this] { return engine_.Sync(); });
  }
  // What was committed before the last Start is durable when it returns OK. Errors: those of Engine::Sync; Start again.
  base::Status Wait() { return syncing_.valid() ? syncing_.get() : base::Status(); }

 private:
  const Engine& engine_;
  std::future<base::Status> syncing_;
};

}  // namespace racewatch::store
