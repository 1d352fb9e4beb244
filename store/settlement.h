// How far all owners of partitions are, for the leader's alert steps: each owner notes, under its claim, what it has read
// of a partition and what still waits; the leader feeds its watermark with the notes of all partitions of the topics. A
// partition whose owner has fallen silent counts as unknown, which holds the steps back. Rows lie in Table::kMeta. One
// thread; engine and source outlive it.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <vector>

#include "base/bus/source.h"
#include "base/clock.h"
#include "base/status.h"
#include "store/engine.h"

namespace racewatch::store {

struct Noted {
  base::UnixMs at = 0;         // the owner's clock: everything known then is counted when nothing waits
  base::UnixMs newest = 0;     // latest first fetch read
  std::optional<int64_t> lag;  // nullopt: unknown
};

class Settlement {
 public:
  Settlement(Engine& engine, base::Source& source) : engine_(engine), source_(source) {}

  // Notes the partitions that we hold a claim on; at most once a second.
  base::Status Note(const std::map<base::TopicPartition, Noted>& partitions, const std::map<base::TopicPartition, Claim>& claims);
  // The notes of all partitions; one that is older than `silent_ms` at `now`, or missing, has an unknown lag.
  base::Result<std::map<base::TopicPartition, Noted>> Read(base::UnixMs now, int64_t silent_ms);

 private:
  Engine& engine_;
  base::Source& source_;
  std::chrono::steady_clock::time_point next_note_;
  std::chrono::steady_clock::time_point next_look_;  // at the number of partitions, which may grow
  std::vector<base::TopicPartition> partitions_;
};

}  // namespace racewatch::store
