// Digests of a store's state, to compare two stores or one before and after a replay. They read a snapshot,
// so a live store may go on. 32 hexadecimal digits each.
#pragma once

#include <string>

#include "base/status.h"
#include "store/engine.h"

namespace racewatch::store {

// Over sorted ids, winning revisions, labels and the article counts of every hour, day, all-time and undated
// window; no positions, no fetch times, no story: equal for ordered, shuffled, delayed and repeated replay.
base::Result<std::string> StateDigest(const View& view);

// Over sorted (article id, story id): equal for a replay in recorded order.
base::Result<std::string> StoryDigest(const View& view);

}  // namespace racewatch::store
