// A helper process that prints a dot a round and is killed with SIGKILL in mid-work. Not thread-safe.
#pragma once

#include <string>
#include <vector>

namespace racewatch::store {

// Runs `argv` and kills it `later_us` microseconds after its `rounds`-th dot: the instant itself is random, nothing waits
// for it. False: it had come to its end before, which must have been exit status 0.
bool RunAndKill(std::vector<std::string> argv, int rounds, unsigned later_us);

}  // namespace racewatch::store
