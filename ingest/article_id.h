// The identity of an article: a 128-bit id that is fixed at first sight, and the keys (aliases) under which
// the same article may be met again. Rule 1: the id is the XXH3-128 of the first key that applies: the canonical
// URL without its scheme; when the feed repeats that on several items or has none, the guid scoped by the
// feed; else title and body. Plain values and pure functions.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace racewatch::ingest {

inline constexpr uint32_t kIdRule = 1;

struct ArticleId {
  uint64_t high = 0;
  uint64_t low = 0;

  std::string ToHex() const;  // 32 lower-case hexadecimal digits
  std::array<char, 16> ToBytes() const;
  static ArticleId FromBytes(std::string_view sixteen);
  bool empty() const { return high == 0 && low == 0; }
  friend auto operator<=>(const ArticleId&, const ArticleId&) = default;
};

// Keys are hashed in the same space as ids: the id of an article is the hash of its first key.
ArticleId UrlKey(std::string_view canonical_key);
ArticleId GuidKey(std::string_view feed_id, std::string_view guid);
ArticleId TextKey(std::string_view title, std::string_view body);

// XXH3-64 of title and text.
uint64_t ContentHash(std::string_view title, std::string_view text);
std::string HexOf(uint64_t hash);  // 16 digits

}  // namespace racewatch::ingest

template <>
struct std::hash<racewatch::ingest::ArticleId> {
  size_t operator()(const racewatch::ingest::ArticleId& id) const noexcept { return id.low; }
};
