#include "ingest/article_id.h"

#include <xxhash.h>

#include <cstring>

namespace racewatch::ingest {
namespace {

ArticleId Hash(std::string_view kind, std::string_view a, std::string_view b) {
  std::string bytes(kind);
  bytes.append(a).append(1, '\n').append(b);
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.high64, hash.low64};
}

}  // namespace

std::string HexOf(uint64_t hash) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out(16, '0');
  for (size_t i = 16; i-- > 0; hash >>= 4) out[i] = kHex[hash & 15];
  return out;
}

std::string ArticleId::ToHex() const { return HexOf(high) + HexOf(low); }

std::array<char, 16> ArticleId::ToBytes() const {
  std::array<char, 16> out;
  for (size_t i = 0; i < 8; ++i) {
    out[i] = static_cast<char>(high >> (56 - 8 * i));
    out[8 + i] = static_cast<char>(low >> (56 - 8 * i));
  }
  return out;
}

ArticleId ArticleId::FromBytes(std::string_view sixteen) {
  ArticleId id;
  if (sixteen.size() < 16) return id;
  for (size_t i = 0; i < 8; ++i) {
    id.high = id.high << 8 | static_cast<uint8_t>(sixteen[i]);
    id.low = id.low << 8 | static_cast<uint8_t>(sixteen[8 + i]);
  }
  return id;
}

ArticleId UrlKey(std::string_view canonical_key) {
  const XXH128_hash_t hash = XXH3_128bits(canonical_key.data(), canonical_key.size());
  return {hash.high64, hash.low64};
}

ArticleId GuidKey(std::string_view feed_id, std::string_view guid) { return Hash("guid\n", feed_id, guid); }

ArticleId TextKey(std::string_view title, std::string_view body) { return Hash("text\n", title, body); }

uint64_t ContentHash(std::string_view title, std::string_view text) {
  std::string bytes(title);
  bytes.append(1, '\n').append(text);
  return XXH3_64bits(bytes.data(), bytes.size());
}

}  // namespace racewatch::ingest
