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

  // `today` (days since 1970) stamps the aliases and moves the horizon of expiry.
  base::Status Commit(const SeenUpdate& update, int32_t today);

  // Makes all commits so far proof against power failure.
  base::Status Sync();

  // Drops expired marks now instead of at the next compaction.
  base::Status Compact();

 private:
  struct Impl;
  explicit SeenSet(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

inline int32_t DayOf(base::UnixMs time_ms) { return static_cast<int32_t>(time_ms / 86'400'000); }

}  // namespace racewatch::ingest
