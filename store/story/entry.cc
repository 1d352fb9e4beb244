#include "store/story/entry.h"

#include <xxhash.h>

#include <cstring>

namespace racewatch::store {
namespace {

int HexValue(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

bool ParseHex(std::string_view id, uint64_t* high, uint64_t* low) {
  if (id.size() != 32) return false;
  uint64_t halves[2] = {};
  for (size_t i = 0; i < 32; ++i) {
    const int value = HexValue(id[i]);
    if (value < 0) return false;
    halves[i / 16] = halves[i / 16] << 4 | static_cast<uint64_t>(value);
  }
  *high = halves[0];
  *low = halves[1];
  return true;
}

constexpr uint8_t kVersion = 1;

template <typename T>
void Put(const T& value, std::string* out) {
  out->append(reinterpret_cast<const char*>(&value), sizeof(T));
}

void PutText(const std::string& text, std::string* out) {
  Put(static_cast<uint16_t>(text.size()), out);
  *out += text;
}

class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  template <typename T>
  void Get(T* value) {
    const std::string_view part = Take(sizeof(T));
    if (ok_) std::memcpy(value, part.data(), sizeof(T));
  }
  std::string_view Text() {
    uint16_t size = 0;
    Get(&size);
    return Take(size);
  }
  bool done() const { return ok_ && rest_.empty(); }
  bool ok() const { return ok_; }

 private:
  std::string_view Take(size_t n) {
    ok_ = ok_ && n <= rest_.size();
    if (!ok_) return {};
    const std::string_view part = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return part;
  }
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace

PackedId::PackedId(std::string_view id) {
  if (ParseHex(id, &high_, &low_)) return;
  low_ = id.size();
  other_ = std::make_unique<char[]>(id.size() + 1);
  std::memcpy(other_.get(), id.data(), id.size());
}

std::string PackedId::Text() const {
  if (other_) return std::string(other_.get(), low_);
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text(32, '0');
  for (size_t i = 0; i < 16; ++i) {
    text[15 - i] = kDigits[high_ >> (4 * i) & 15];
    text[31 - i] = kDigits[low_ >> (4 * i) & 15];
  }
  return text;
}

bool PackedId::Equals(std::string_view id) const {
  if (other_) return std::string_view(other_.get(), low_) == id;
  uint64_t high, low;
  return ParseHex(id, &high, &low) && high == high_ && low == low_;
}

uint64_t PackedId::Hash() const {
  const std::string text = Text();
  return XXH3_64bits(text.data(), text.size());
}

PackedId PackedId::Copy() const { return PackedId(Text()); }

const uint32_t* Entry::begin(size_t facet) const {
  const uint32_t* at = features.data();
  for (size_t f = 0; f < facet; ++f) at += counts[f];
  return at;
}

Entry& EntryRing::Make(uint32_t slot) {
  while (chunks_.size() <= slot / kChunk) chunks_.push_back(std::make_unique<Entry[]>(kChunk));
  return At(slot);
}

std::string EncodeStoryEntry(const Entry& entry, const PackedId& story) {
  std::string out;
  out.reserve(128 + entry.feature_count() * sizeof(uint32_t));
  Put(kVersion, &out);
  PutText(entry.id.Text(), &out);
  PutText(story.Text(), &out);
  Put(entry.text_hash, &out);
  Put(entry.title_hash, &out);
  Put(entry.url_hash, &out);
  Put(entry.published_day, &out);
  Put(entry.posted, &out);
  Put(entry.tokens, &out);
  Put(entry.publisher, &out);
  Put(entry.language, &out);
  Put(entry.counts, &out);
  Put(entry.limits, &out);
  Put(entry.anchors, &out);
  Put(entry.title, &out);
  out.append(reinterpret_cast<const char*>(entry.features.data()), entry.feature_count() * sizeof(uint32_t));
  Put(XXH3_64bits(out.data(), out.size()), &out);
  return out;
}

bool DecodeStoryEntry(std::string_view bytes, Entry* entry, PackedId* story) {
  if (bytes.size() < sizeof(uint64_t) + 1 || static_cast<uint8_t>(bytes[0]) != kVersion) return false;
  const std::string_view body = bytes.substr(0, bytes.size() - sizeof(uint64_t));
  uint64_t sum;
  std::memcpy(&sum, bytes.data() + body.size(), sizeof(sum));
  if (sum != XXH3_64bits(body.data(), body.size())) return false;
  Reader reader(body.substr(1));
  entry->id = PackedId(reader.Text());
  *story = PackedId(reader.Text());
  reader.Get(&entry->text_hash);
  reader.Get(&entry->title_hash);
  reader.Get(&entry->url_hash);
  reader.Get(&entry->published_day);
  reader.Get(&entry->posted);
  reader.Get(&entry->tokens);
  reader.Get(&entry->publisher);
  reader.Get(&entry->language);
  reader.Get(&entry->counts);
  reader.Get(&entry->limits);
  reader.Get(&entry->anchors);
  reader.Get(&entry->title);
  if (!reader.ok()) return false;
  for (size_t f = 0; f < kFacets; ++f)
    if (entry->counts[f] > kSampleMax[f]) return false;
  for (size_t i = 0; i < entry->feature_count(); ++i) reader.Get(&entry->features[i]);
  return reader.done();
}

}  // namespace racewatch::store
