// Bounds the state: freezes days that can no longer change and removes their article ids, texts and members; then
// removes hour windows, feed places, drop trails and old alerts beyond their limits. Days and all-time counts stay
// for ever. Time is the stream's (latest first fetch seen), never the machine's, so a rebuild from the archive keeps
// what the original kept. Small transactions; call it between batches. One thread.
#pragma once

#include "base/status.h"
#include "store/engine.h"

namespace racewatch::store {

struct RetentionOptions {
  uint32_t late_days_max = 90;
  uint32_t hour_windows_days = 90;
  uint64_t feed_rows_max = 1'000'000;
  uint64_t alert_rows_max = 100'000;
};

// Does the next piece of what is due, at most `articles_max` articles, in one transaction under `leader`; false
// when nothing is due. `building`: the generation that a re-tag builds beside; 0: none. Appliers must Reload after it moved the frozen day, or their next commit fails with ABORTED.
base::Result<bool> RunRetention(Engine& engine, const RetentionOptions& options, const Claim& leader,
                                size_t articles_max, uint32_t building = 0);

}  // namespace racewatch::store
