// What an operator asks of a re-tag, and how far it is: begin, switch, cancel, status. Each is one small transaction on the
// list of generations; the leader's ShadowStep does the work. Functions over the engine with all generations, any thread.
// Errors: INVALID_ARGUMENT and FAILED_PRECONDITION say what stands in the way, ABORTED that somebody else was first.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/bus/record.h"
#include "base/clock.h"
#include "base/status.h"
#include "store/engine.h"
#include "store/generations.h"
#include "store/saved_query/saved_queries.h"

namespace racewatch::store {

// Records that may still be uncovered when a switch is asked for: what can be caught up while counting waits.
inline constexpr uint64_t kSwitchLagMax = 2000;

using Offsets = std::map<base::TopicPartition, int64_t>;

struct RetagStatus {
  Generations generations;
  std::string model_version;  // of what was tagged last
  Offsets counted;  // next offset to count, of each tagged partition
  Offsets covered;  // next offset to hand on to the generation being built
  std::vector<SavedQuery> queries;  // in force, which the texts are asked
  // Records counted that it does not hold yet.
  uint64_t lag() const;
};

// Key in Table::kMeta: up to where the generation holds what lies in a tagged partition.
std::string CoveredKey(uint32_t generation, const base::TopicPartition& where);

base::Result<Offsets> ReadCounted(const View& whole, const std::string& cluster_id);
base::Result<Offsets> ReadCovered(const View& whole, uint32_t generation);
base::Result<RetagStatus> ReadRetag(const View& whole);

// The number of the generation that is now being built for this model; the same again while it is.
base::Result<uint32_t> BeginRetag(Engine& whole, const std::string& model_version, base::UnixMs now);
// Asks for the switch. The status says later whether it happened: it does not when what is missing does not come in time.
base::Status RequestSwitch(Engine& whole);
base::Status CancelRetag(Engine& whole);

// One line: {"active","model_version","generations":[…],"building":{"generation","model_version","lag","queries":[…],
// "partitions":[…]}}.
std::string ToJson(const RetagStatus& status);

}  // namespace racewatch::store
