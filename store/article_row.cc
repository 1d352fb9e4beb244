#include "store/article_row.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "store/codec.h"

namespace racewatch::store {
namespace {

constexpr uint8_t kRowVersion = 2;  // 1: without queries

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

std::optional<ArticleId> ParseArticleId(std::string_view hex) {
  ArticleId id;
  if (hex.size() != 2 * id.size()) return std::nullopt;
  for (size_t i = 0; i < id.size(); ++i) {
    const int high = HexDigit(hex[2 * i]), low = HexDigit(hex[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    id[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return id;
}

std::string FormatArticleId(const ArticleId& id) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const uint8_t byte : id) {
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15]);
  }
  return out;
}

std::optional<ArticleId> IdFromBytes(std::string_view bytes) {
  ArticleId id;
  if (bytes.size() != id.size()) return std::nullopt;
  std::copy(bytes.begin(), bytes.end(), id.begin());
  return id;
}

void AppendContribution(std::string* out, const Contribution& what) {
  const Labels& labels = what.labels;
  out->push_back(static_cast<char>(labels.relevant | what.live << 1 | what.event.day_only << 2));
  AppendVarint(out, labels.themes);
  uint64_t positions = 0;
  for (const uint8_t position : labels.positions) positions = positions * 8 + position;
  AppendVarint(out, positions);
  out->push_back(static_cast<char>(labels.lean));
  out->push_back(static_cast<char>(what.language));
  out->push_back(static_cast<char>(what.group));
  AppendSigned(out, what.event.ms);
  AppendBig(out, what.family);
}

Contribution ReadContribution(Reader* in) {
  Contribution what;
  const auto flags = in->Big<uint8_t>();
  what.labels.relevant = flags & 1;
  what.live = flags >> 1 & 1;
  what.event.day_only = flags >> 2 & 1;
  what.labels.themes = static_cast<uint32_t>(in->Varint());
  uint64_t positions = in->Varint();
  for (size_t i = kTargetCount; i-- > 0; positions /= 8) what.labels.positions[i] = positions % 8;
  what.labels.lean = in->Big<uint8_t>();
  what.language = in->Big<uint8_t>();
  what.group = in->Big<uint8_t>();
  what.event.ms = in->Signed();
  what.family = in->Big<uint64_t>();
  return what;
}

void AppendQueries(std::string* out, const std::vector<QuerySlot>& queries) {
  AppendVarint(out, queries.size());
  for (const QuerySlot slot : queries) AppendVarint(out, slot);
}

std::vector<QuerySlot> ReadQuerySlots(Reader* in) {
  std::vector<QuerySlot> queries;
  for (uint64_t n = in->Varint(); n > 0 && in->ok(); --n) queries.push_back(static_cast<QuerySlot>(in->Varint()));
  return queries;
}

std::string ArticleRow::Encode() const {
  std::string out;
  out.reserve(96);
  out.push_back(static_cast<char>(kRowVersion));
  out.push_back(static_cast<char>(rank.body_quality));
  AppendSigned(&out, rank.revision_at_ms);
  AppendBig(&out, rank.content_hash);
  AppendBig(&out, rank.tie);
  AppendContribution(&out, counted);
  AppendVarint(&out, version);
  AppendSigned(&out, counted_at_ms);
  AppendSigned(&out, revised_at_ms);
  AppendVarint(&out, time_hour);
  AppendText(&out, story);
  out.push_back(static_cast<char>(redacted));
  AppendQueries(&out, counted.queries);
  return out;
}

base::Result<ArticleRow> ArticleRow::Decode(std::string_view bytes) {
  Reader in(bytes);
  ArticleRow row;
  const auto layout = in.Big<uint8_t>();
  row.rank.body_quality = in.Big<uint8_t>();
  row.rank.revision_at_ms = in.Signed();
  row.rank.content_hash = in.Big<uint64_t>();
  row.rank.tie = in.Big<uint64_t>();
  row.counted = ReadContribution(&in);
  row.version = in.Varint();
  row.counted_at_ms = in.Signed();
  row.revised_at_ms = in.Signed();
  row.time_hour = static_cast<uint32_t>(in.Varint());
  row.story = std::string(in.Text());
  row.redacted = in.Big<uint8_t>() != 0;
  if (layout != 1) row.counted.queries = ReadQuerySlots(&in);
  if (!in.ok() || !in.done() || layout < 1 || layout > kRowVersion) return base::DataLoss("article row: damaged");
  return row;
}

std::string TimeKey(uint32_t hour, const ArticleId& id) {
  std::string key;
  AppendBig(&key, hour);
  key += IdBytes(id);
  return key;
}

std::string FeedRow::Encode() const {
  std::string out = article;
  AppendVarint(&out, version);
  return out;
}

base::Result<FeedRow> FeedRow::Decode(std::string_view bytes) {
  Reader in(bytes);
  FeedRow row;
  row.article = std::string(in.Bytes(sizeof(ArticleId)));
  row.version = in.Varint();
  if (!in.ok() || !in.done()) return base::DataLoss("feed row: damaged");
  return row;
}

std::string SequenceKey(uint64_t sequence) {
  std::string key;
  AppendBig(&key, sequence);
  return key;
}

std::string UrlKey(std::string_view url) {
  if (const auto scheme = url.find("://"); scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
  while (url.ends_with('/')) url.remove_suffix(1);
  std::string key;
  AppendBig(&key, static_cast<uint64_t>(XXH3_64bits(url.data(), url.size())));
  return key;
}

}  // namespace racewatch::store
