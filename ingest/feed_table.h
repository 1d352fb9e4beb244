// All feeds of this process with their state. The loop thread changes it, the HTTP page and the CLI read
// it as JSON; both under one mutex. Entries are never removed and keep their number.
#pragma once

#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "ingest/feed_list.h"
#include "ingest/interval.h"
#include "racewatch/v1/ingest_state.pb.h"

namespace racewatch::ingest {

struct FeedRow {
  FeedSpec spec;
  v1::FeedState state;
  IntervalLimits limits;
  std::string host;     // of the address in use; empty for files
  bool folder = false;  // a folder of documents: scanned, its documents are feeds of their own
  bool read = false;    // of a file: read since the start
  bool removed = false;  // taken out of the list; its number and state stay
  base::UnixMs listed_ms = 0;  // last change of the list about it
  uint64_t share_key = 0;  // partitions a shared list
  bool owned = true;       // fetched by this process; others only when the list is shared
};

class FeedTable {
 public:
  // The number of the new feed.
  uint64_t Add(FeedRow feed);
  bool Has(const std::string& id) const;
  std::optional<uint64_t> Find(const std::string& id) const;

  // Loop thread only: looks without the lock.
  const FeedRow& Get(uint64_t number) const { return feeds_[number]; }
  // Loop thread only: changes under the lock.
  void Change(uint64_t number, const std::function<void(FeedRow*)>& change);
  size_t size() const { return feeds_.size(); }

  struct Counts {
    std::unordered_map<int, size_t> by_health;
    size_t owned = 0;
    size_t low_yield = 0;
    size_t pushed = 0;  // with a live hub
  };
  // Of the feeds that this process fetches. Any thread.
  Counts Count(base::UnixMs now_ms) const;

  // {"feeds":[…]}, or one feed as object, with its volume by hour of the week; empty when there is no feed of that id.
  // Any thread.
  std::string Json() const;
  std::string Json(const std::string& id) const;

 private:
  mutable std::mutex mutex_;
  std::deque<FeedRow> feeds_;
  std::unordered_map<std::string, uint64_t> by_id_;
};

}  // namespace racewatch::ingest
