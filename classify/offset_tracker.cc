#include "classify/offset_tracker.h"

#include <algorithm>

namespace racewatch::classify {

void OffsetTracker::Add(int64_t offset) { entries_.push_back({offset, false}); }

void OffsetTracker::Done(int64_t offset) {
  const auto it = std::lower_bound(entries_.begin(), entries_.end(), offset,
                                   [](const Entry& entry, int64_t value) { return entry.offset < value; });
  if (it == entries_.end() || it->offset != offset) return;
  it->done = true;
  while (!entries_.empty() && entries_.front().done) {
    next_ = entries_.front().offset + 1;
    entries_.pop_front();
  }
}

std::optional<int64_t> OffsetTracker::TakeNext() {
  if (next_ == taken_) return std::nullopt;
  taken_ = next_;
  return next_;
}

}  // namespace racewatch::classify
