// What a feed document says, whatever its format: the output of ParseFeed and the input of ingest's
// normalising step. Plain values that own their text; all text is valid UTF-8 without control
// characters. Titles, names and categories are plain text; `summary`, `content` and `description`
// are sanitised HTML (no script, style or on* attribute) whose links are absolute where a base is
// known. An empty string or an absent optional means that the document does not say.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace racewatch::ingest {

enum class FeedFormat : uint8_t {
  kUnknown,
  kRss090,
  kRss091,
  kRss092,
  kRss093,
  kRss094,
  kRss10,
  kRss20,
  kRss,  // kRss: version missing or odd
  kAtom03,
  kAtom10,
  kAtom,  // kAtom: no namespace
  kCdf,
  kJson10,
  kJson11,
  kSitemap,       // addresses, perhaps with titles (Google's news extension)
  kSitemapIndex,  // addresses of sitemaps
  kNewsMl,        // IPTC NewsML-G2
  kNinjs,         // IPTC ninjs
  kPage,          // links selected on an HTML page
};

// "rss20", "atom10", "json11" and so on.
std::string_view FeedFormatName(FeedFormat format);

enum class TimePrecision : uint8_t { kDay, kMinute, kSecond };

// "day", "minute", "second".
std::string_view TimePrecisionName(TimePrecision precision);

struct FeedTime {
  base::UnixMs unix_ms = 0;  // UTC; a day without a time of day is its midnight in UTC
  TimePrecision precision = TimePrecision::kSecond;
  friend bool operator==(const FeedTime&, const FeedTime&) = default;
};

struct FeedEnclosure {
  std::string url;  // absolute where a base is known
  std::string type;
  std::string length;  // bytes, as the feed gives it
};

// The feed an aggregator took an entry from: RSS <source url="…">, Atom <source>.
struct FeedSource {
  std::string title;
  std::string link;
};

// An article the publisher took back: a deleted entry (RFC 6721), a cancelled item.
struct FeedDeletion {
  std::string id;    // as the entry's was
  std::string link;  // may be empty
};

// A document that a sitemap index lists.
struct FeedChild {
  std::string link;
  std::optional<FeedTime> updated;
};

struct FeedEntry {
  std::string id;  // guid, atom:id, rdf:about; empty when the entry has none
  bool id_is_permalink = false;
  std::string title;
  std::string link;  // the article's address, absolute where a base is known
  std::optional<FeedTime> published;
  std::optional<FeedTime> updated;
  std::string author;
  std::string summary;
  std::string content;
  std::string
      language;  // the entry's own (xml:lang, dc:language), as spelt there; else see Feed::language
  std::vector<std::string> categories;
  std::vector<FeedEnclosure> enclosures;
  FeedSource source;
};

struct Feed {
  FeedFormat format = FeedFormat::kUnknown;
  std::string title;
  std::string link;       // the site's address
  std::string self_link;  // where the feed says it lives (atom:link rel=self, feed_url)
  std::string description;
  std::string language;
  std::string author;
  std::optional<FeedTime> updated;
  std::vector<std::string> hubs;  // WebSub hubs (rel=hub), absolute

  // Hints on how often to come back. Absent: the feed does not say.
  std::optional<int64_t> ttl_s;            // RSS ttl
  std::optional<int64_t> update_period_s;  // sy:updatePeriod divided by sy:updateFrequency
  uint32_t skip_hours = 0;                 // bit h: do not fetch in hour h UTC (0–23)
  uint8_t skip_days = 0;                   // bit d: do not fetch on day d, 0 = Sunday

  std::vector<FeedEntry> entries;
  std::vector<FeedDeletion> deletions;
  std::vector<FeedChild> children;  // of a sitemap index, which has no entries of its own

  std::string encoding;    // charset the bytes were read as, for example "utf-8"
  bool damaged = false;    // something had to be repaired: bad bytes, tags or entities
  bool truncated = false;  // the document ends early; an entry cut in the middle was left out
};

}  // namespace racewatch::ingest
