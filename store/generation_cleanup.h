// Removes what a generation no longer needs, a piece at a time: of one that was active everything but its series, whose hour
// counts go with their age as those of the active one do; of one that was given up everything. The leader's thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/status.h"
#include "store/engine.h"
#include "store/generations.h"

namespace racewatch::store {

// `generations` is the list as bound. False: nothing was due. ABORTED: the list has changed, bind it and call again.
base::Result<bool> CleanGenerations(Engine& whole, const Generations& generations, uint32_t hour_windows_days, const Claim& leader,
                                    size_t rows_max);

}  // namespace racewatch::store
