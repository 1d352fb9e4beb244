// Which records of one partition are finished, when work on them ends in any order:
//   1. Add(offset) when a record is handed out (offsets rise, gaps are normal).
//   2. Done(offset) when its effect is durable.
//   3. Next() is the resume position: the offset after the last record before which none is unfinished.
//   4. Next() never passes an unfinished record, so a crash repeats work and never skips it.
// Not thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

namespace racewatch::classify {

class OffsetTracker {
 public:
  void Add(int64_t offset);
  void Done(int64_t offset);

  // The resume position if it has moved since the last TakeNext.
  std::optional<int64_t> TakeNext();
  // Records handed out and not finished or not yet behind the resume position.
  size_t pending() const { return entries_.size(); }

 private:
  struct Entry {
    int64_t offset;
    bool done;
  };
  std::deque<Entry> entries_;
  int64_t next_ = -1;
  int64_t taken_ = -1;
};

}  // namespace racewatch::classify
