// From a feed entry, and the page behind it, to an Article. Pure: everything it needs comes in as values.
// KeysOf looks at a whole document, FromEntry makes a Draft of one entry, AddPage improves it, Finish fixes
// id, event time, rank and hashes.
// Texts are cut at 256 KiB so that every article fits a record. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "ingest/article_id.h"
#include "ingest/dates.h"
#include "ingest/feed/feed.h"
#include "ingest/feed_list.h"
#include "ingest/page/page.h"
#include "ingest/publisher_registry.h"
#include "racewatch/v1/article.pb.h"

namespace racewatch::ingest {

// An article on its way: what the feed says, and the keys under which it may be known already.
struct Draft {
  v1::Article article;  // without id, times and hashes
  TimeClaims claims;
  std::optional<base::UnixMs> updated_ms;  // the source's own update time
  std::string language_hint;

  // First: what a new article's id is made from. Then: further names of the same article.
  std::vector<ArticleId> keys;
  std::optional<ArticleId> guid_key;  // that one of the keys which is only as good as the feed's guids

  uint64_t entry_hash = 0;  // title and body as the feed gave them
  uint64_t title_hash = 0;
  bool wants_page = false;  // the feed gave less than the whole article
  bool group_is_set = false;  // the operator named the publisher's group
};

class ArticleBuilder {
 public:
  struct Options {
    uint32_t summary_chars_max = 600;
    uint32_t untitled_days_max = 3;  // addresses of sitemaps, which come without a title
  };
  // The registry outlives the builder.
  ArticleBuilder(const PublisherRegistry& publishers, Options options);

  // The names each entry may go by. An address or guid that a document gives to entries of different titles
  // identifies none of them; nor does the site's own address.
  struct EntryKeys {
    std::optional<ArticleId> url;
    std::optional<ArticleId> guid;
  };
  static std::vector<EntryKeys> KeysOf(const Feed& feed, const std::string& feed_id);

  // Why an entry is not wanted: "excluded" by the feed's rules, "old" without a title; empty when it is.
  std::string_view DropReason(const FeedEntry& entry, const FeedSpec& spec, base::UnixMs now_ms) const;

  // A draft without a title has nothing to show, unless its page has one (reason no_title).
  Draft FromEntry(const FeedEntry& entry, const EntryKeys& keys, const Feed& feed, const FeedSpec& spec) const;

  // Takes over what the page adds: text, date, author, canonical address. `final_url`: after redirects.
  void AddPage(const Page& page, const std::string& final_url, Draft* draft) const;

  // Keys that a page adds to an article: where it redirected to and what it calls its own address.
  // `strong`: the redirect target; canonical links are `weak`, they hold only together with the title.
  struct PageKeys {
    std::optional<ArticleId> strong;
    std::optional<ArticleId> weak;
  };
  static PageKeys KeysOf(const Page& page, const std::string& final_url);

  // `first_fetched_ms`: of this id; `revision_at_ms`: orders its revisions.
  void Finish(const ArticleId& id, base::UnixMs first_fetched_ms, base::UnixMs revision_at_ms, Draft* draft) const;

 private:
  void SetPublisher(const FeedEntry& entry, const Feed& feed, const FeedSpec& spec, v1::Article* article) const;
  void SetPublisherOf(std::string_view host, v1::Article* article) const;

  const PublisherRegistry& publishers_;
  const Options options_;
};

}  // namespace racewatch::ingest
