// From an archive's item to an Article of the backfill lane: the same identity, event time, publisher and language rules
// as live articles have. The archive's own date stands for the first fetch, so a live sighting later ranks above it.
// Any thread.
#pragma once

#include "base/clock.h"
#include "ingest/article_builder.h"
#include "ingest/backfill/archive.h"
#include "racewatch/v1/article.pb.h"

namespace racewatch::ingest {

class BackfillBuilder {
 public:
  // The registry outlives the builder.
  explicit BackfillBuilder(const PublisherRegistry& publishers) : builder_(publishers, {}) {}

  // `source` names the archive in Article.feed_id. Of an item that is neither reject nor drop.
  v1::Article Build(const ArchiveItem& item, const std::string& source, base::UnixMs now_ms) const;

 private:
  const ArticleBuilder builder_;
};

}  // namespace racewatch::ingest
