#include "store/digest.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <memory>

#include "store/article_row.h"
#include "store/codec.h"

namespace racewatch::store {
namespace {

class Hasher {
 public:
  Hasher() : state_(XXH3_createState(), XXH3_freeState) { XXH3_128bits_reset(state_.get()); }
  void Add(std::string_view bytes) { XXH3_128bits_update(state_.get(), bytes.data(), bytes.size()); }
  std::string Hex() const {
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state_.get()));
    return FormatArticleId(*IdFromBytes({reinterpret_cast<const char*>(canonical.digest), 16}));
  }

 private:
  std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t*)> state_;
};

base::Status AddArticles(const View& view, Hasher* hasher) {
  base::Status damage;
  const auto visit = [&](std::string_view key, std::string_view value) {
    auto row = ArticleRow::Decode(value);
    if (!row.ok()) return damage = row.status(), false;
    row->counted.live = false;  // a lane, not a label: promotion must not change the digest of what is counted
    std::string bytes(key);
    bytes.push_back(static_cast<char>(row->rank.body_quality));
    AppendSigned(&bytes, row->rank.revision_at_ms);
    AppendBig(&bytes, row->rank.content_hash);
    AppendContribution(&bytes, row->counted);
    hasher->Add(bytes);
    return true;
  };
  RW_RETURN_IF_ERROR(view.Scan(Table::kArticle, "", "", false, visit));
  return damage;
}

base::Status AddWindows(const View& view, Hasher* hasher) {
  base::Status damage;
  const auto visit = [&](std::string_view key, std::string_view value) {
    const auto name = ParseWindowRowKey(key);
    if (!name.ok()) return damage = name.status(), false;
    if (name->kind == WindowKind::kFirst || name->slice >= kSlotSlice) return true;
    const auto row = WindowRow::Decode(value);
    if (!row.ok()) return damage = row.status(), false;
    std::string bytes(key);
    const size_t empty = bytes.size();
    for (SeriesId s = 0; s < kSeriesCount; ++s) {
      const uint32_t n = row->Get(s, Measure::kArticles);
      if (n == 0) continue;
      AppendBig(&bytes, s);
      AppendBig(&bytes, n);
    }
    if (bytes.size() > empty) hasher->Add(bytes);
    return true;
  };
  RW_RETURN_IF_ERROR(view.Scan(Table::kWindow, "", "", false, visit));
  return damage;
}

}  // namespace

base::Result<std::string> StateDigest(const View& view) {
  Hasher hasher;
  RW_RETURN_IF_ERROR(AddArticles(view, &hasher));
  RW_RETURN_IF_ERROR(AddWindows(view, &hasher));
  return hasher.Hex();
}

base::Result<std::string> StoryDigest(const View& view) {
  Hasher hasher;
  base::Status damage;
  const auto visit = [&](std::string_view key, std::string_view value) {
    const auto row = ArticleRow::Decode(value);
    if (!row.ok()) return damage = row.status(), false;
    hasher.Add(key);
    hasher.Add(row->story);
    return true;
  };
  RW_RETURN_IF_ERROR(view.Scan(Table::kArticle, "", "", false, visit));
  RW_RETURN_IF_ERROR(damage);
  return hasher.Hex();
}

}  // namespace racewatch::store
