// What ingest remembers across restarts: which articles were sent (id → rank) under which keys (alias → id),
// and one row per feed with validators and schedule. RocksDB in the state folder; one process at a time.
// Used by the loop thread only. Commit is atomic and survives kill -9; after a power failure the last
// second may be missing, then those articles are sent again under the same ids (the store ignores them).
// Errors: PERMISSION_DENIED when another process holds the folder, DATA_LOSS or INTERNAL from the disk.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "ingest/article_id.h"
#include "racewatch/v1/ingest_state.pb.h"

namespace racewatch::ingest {

struct SeenMark {
  ArticleId id;
  v1::SeenArticle article;
};

// All that one fetch leaves behind.
struct SeenUpdate {
  std::vector<SeenMark> marks;
  std::vector<std::pair<ArticleId, ArticleId>> aliases;  // alias → id
  const v1::FeedState* feed = nullptr;                   // may be null
  const v1::ListedFeed* listed = nullptr;                // may be null
};

// One row as it lies in the database, and in racewatch.feeds.v1 when processes share a feed list.
struct SeenRow {
  std::string key;
  std::string value;
};

// What became of the rows of other processes.
struct SeenMerge {
  size_t taken = 0;
  size_t known = 0;  // as new, or newer, here
  size_t bad = 0;    // not to be read
  std::vector<v1::FeedState> feeds;    // taken
  std::vector<v1::ListedFeed> listed;  // taken
};

class SeenSet {
 public:
  // Marks are dropped, at compaction, once `keep_days` have passed since their last_seen_day.
  static base::Result<std::unique_ptr<SeenSet>> Open(const std::string& folder, int32_t keep_days);
  ~SeenSet();
  SeenSet(const SeenSet&) = delete;
  SeenSet& operator=(const SeenSet&) = delete;

  // The id that this key stands for.
  base::Result<std::optional<ArticleId>> FindAlias(const ArticleId& key);
  base::Result<std::optional<v1::SeenArticle>> Find(const ArticleId& id);
  base::Result<std::vector<v1::FeedState>> Feeds();
  // Changes to the feed list made while ingest ran.
  base::Result<std::vector<v1::ListedFeed>> Listed();

  // `today` (days since 1970) stamps the aliases and moves the horizon of expiry.
  base::Status Commit(const SeenUpdate& update, int32_t today);

  // The rows that Commit writes.
  static std::vector<SeenRow> RowsOf(const SeenUpdate& update, int32_t today);

  // Takes rows that other processes wrote, in any order, again and again: of two feed states the one written later wins,
  // of two marks the one that ranks higher, and an alias keeps its first meaning. `positions` is written with them.
  base::Result<SeenMerge> Merge(const std::vector<SeenRow>& rows, const v1::SharedPositions& positions, int32_t today);
  base::Result<v1::SharedPositions> Positions();

  // Takes an article down: from here on no version of it is sent. Any thread, as is IsTakenDown.
  base::Status TakeDown(const ArticleId& id);
  bool IsTakenDown(const ArticleId& id) const;

  // Makes all commits so far proof against power failure.
  base::Status Sync();

  // Drops expired marks now instead of at the next compaction.
  base::Status Compact();

 private:
  struct Impl;
  // Nullopt: nothing to write. `bad` when it cannot be read.
  std::optional<std::string> Merged(const SeenRow& row, SeenMerge* merge);
  explicit SeenSet(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

inline int32_t DayOf(base::UnixMs time_ms) { return static_cast<int32_t>(time_ms / 86'400'000); }

}  // namespace racewatch::ingest
