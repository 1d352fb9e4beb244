// A helper process that works in rounds and is killed with SIGKILL in mid-work. Not thread-safe.
#pragma once

#include <string>
#include <vector>

namespace racewatch::store {

// Runs `argv`, which calls EndRound() (end_round.h) after each round, and kills it `later_us` microseconds into the round that follows
// its `rounds`-th: the helper is never more than that ahead, however fast it is. False: it had come to its end before,
// which must have been exit status 0.
bool RunAndKill(std::vector<std::string> argv, int rounds, unsigned later_us);

}  // namespace racewatch::store
