// One round of the store's work: StoreRole calls Round again and again, tests call it by hand. Order within a round: poll;
// alert steps for the moment at which everything before was settled; the polled records in one transaction (dead letters
// delivered first); a piece of the story queue; the outbox and subscribers; a piece of a re-tag; retention. Over a shared engine only the leader (leader.h)
// does more than poll and count. Being fenced there costs a partition or the lead, not the process. Errors that Round
// returns end the role; what may pass (bus or database away) is waited for with back-off until `stop`.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/bus/sink.h"
#include "base/bus/source.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "store/engine.h"
#include "store/shadow_step.h"

namespace prometheus {
class Registry;
}
namespace racewatch::v1 {
class StoreConfig;
}

namespace racewatch::store {

class Changes;

struct LoopCounts {
  uint64_t received = 0;
  uint64_t stored = 0;
  std::map<std::string, uint64_t> dropped;
  uint64_t dead_lettered = 0;
  uint64_t alerts_opened = 0;
};

class StoreLoop {
 public:
  // References outlive the loop. `config` is complete (WithDefaults), `engine` the one with all generations. Without a
  // `retag_source` no re-tag is built.
  StoreLoop(const v1::StoreConfig& config, Engine& engine, base::Source& source, base::Sink& sink, base::Clock& clock,
            prometheus::Registry& registry, base::Log& log, Changes& changes, RetagSource retag_source = nullptr);
  ~StoreLoop();

  // Loads what former lives left. Before the first Round.
  base::Status Restore();

  // Takes over queries, rules, subscribers and silences of a valid, complete configuration with the next Round. Any thread.
  void Reload(const v1::StoreConfig& config);

  struct Progress {
    bool worked = false;  // something was read, counted, decided or sent
    bool idle = false;    // nothing is left to do at this moment of the clock
  };
  // Waits for records up to `wait`.
  base::Result<Progress> Round(std::chrono::milliseconds wait, const std::stop_token& stop);

  // Lays the lead down for a successor, after the last Round.
  void Resign();

  // The listener's half, called from inside Round's poll.
  std::map<base::TopicPartition, int64_t> OnAssigned(const std::vector<base::TopicPartition>& partitions);
  void OnRevoked(const std::vector<base::TopicPartition>& partitions);

  // What readers read: the active generation.
  const Engine& active() const;

  LoopCounts counts() const;     // any thread
  std::string NotReady() const;  // any thread
  bool leading() const;          // any thread; false from the moment the lease has run out

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace racewatch::store
