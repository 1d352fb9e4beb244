// What the store remembers of one article: identity, the rank of its winning revision, what it adds to the
// counts, and where it stands. Plain values with a binary form; the texts lie in Table::kDetail.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "store/counts.h"

namespace racewatch::store {

// 16 bytes; 32 hexadecimal digits outside the store.
using ArticleId = std::array<uint8_t, 16>;

std::optional<ArticleId> ParseArticleId(std::string_view hex);
std::string FormatArticleId(const ArticleId& id);
inline std::string IdBytes(const ArticleId& id) { return {reinterpret_cast<const char*>(id.data()), id.size()}; }
std::optional<ArticleId> IdFromBytes(std::string_view bytes);

// Orders the revisions of one article; the greatest wins whatever the arrival order. `tie` is a hash of what
// the sighting would count as: without it, two sightings of one text with different tags (a tagger restarted
// with another model) would be decided by arrival.
struct Rank {
  uint8_t body_quality = 0;
  int64_t revision_at_ms = 0;
  uint64_t content_hash = 0;
  uint64_t tie = 0;
  friend auto operator<=>(const Rank&, const Rank&) = default;
};

struct ArticleRow {
  Rank rank;
  Contribution counted;    // as it stands in the counts; counted.live: sighted on the live lane
  uint64_t version = 0;    // grows with every winning revision; the feed row of the same version shows it
  base::UnixMs counted_at_ms = 0;   // first counted, by the store's clock
  base::UnixMs revised_at_ms = 0;   // last winning revision; 0: none
  uint32_t time_hour = 0;           // hour of its row in Table::kTime
  std::string story;                // id bytes of its story; empty until the story step
  bool redacted = false;

  std::string Encode() const;
  static base::Result<ArticleRow> Decode(std::string_view bytes);
};

// Without the saved queries, which depend on when they were configured: ranks and digests are made of these bytes.
void AppendContribution(std::string* out, const Contribution& what);
Contribution ReadContribution(class Reader* in);
void AppendQueries(std::string* out, const std::vector<QuerySlot>& queries);
std::vector<QuerySlot> ReadQuerySlots(class Reader* in);

// Key of a row in Table::kTime: hour big-endian, then the id.
std::string TimeKey(uint32_t hour, const ArticleId& id);
// A row of Table::kFeed: an article, and which of its versions was counted there.
struct FeedRow {
  std::string article;  // id bytes
  uint64_t version = 0;
  std::string Encode() const;
  static base::Result<FeedRow> Decode(std::string_view bytes);
};

// Key of a row in the sequence tables.
std::string SequenceKey(uint64_t sequence);
// Key of a row in Table::kUrl: a hash of the address without its scheme.
std::string UrlKey(std::string_view url);

}  // namespace racewatch::store
