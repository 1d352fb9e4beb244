#include "ingest/backfill/builder.h"

#include <algorithm>
#include <utility>

#include "ingest/url.h"

namespace racewatch::ingest {

v1::Article BackfillBuilder::Build(const ArchiveItem& item, const std::string& source, base::UnixMs now_ms) const {
  Feed feed;
  feed.language = item.feed_language;
  FeedSpec spec;
  spec.id = spec.url = "backfill:" + source;
  ArticleBuilder::EntryKeys keys;
  const std::string& link = item.entry.link;
  if (const auto canonical = Canonicalize(link)) keys.url = UrlKey(canonical->key);
  if (!item.entry.id.empty()) keys.guid = GuidKey(spec.id, item.entry.id);
  Draft draft = builder_.FromEntry(item.entry, keys, feed, spec);
  if (item.page) builder_.AddPage(*item.page, link, &draft);
  draft.article.set_lane(v1::LANE_BACKFILL);
  const base::UnixMs published = draft.claims.feed ? draft.claims.feed->time_ms : draft.claims.page ? draft.claims.page->time_ms : 0;
  const base::UnixMs fetched = std::min(now_ms, item.archived_ms.value_or(published > 0 ? published : now_ms));
  const base::UnixMs revision = draft.updated_ms && *draft.updated_ms > 0 ? std::min(*draft.updated_ms, now_ms) : fetched;
  builder_.Finish(draft.keys.front(), fetched, revision, &draft);
  return std::move(draft.article);
}

}  // namespace racewatch::ingest
