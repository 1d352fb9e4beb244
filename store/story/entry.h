// One article of the window as the index keeps it, and the ring that holds them. Entries are addressed by
// slot (sequence modulo window). Owned by StoryIndex; one thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "store/story/sketch.h"

namespace racewatch::store {

// An article or story id: 32 lower-case hexadecimal digits in 16 bytes, anything else as it is.
class PackedId {
 public:
  PackedId() = default;
  explicit PackedId(std::string_view id);
  std::string Text() const;
  bool Equals(std::string_view id) const;
  uint64_t Hash() const;
  size_t heap_bytes() const { return other_ ? Text().size() + 1 + kMallocBytes : 0; }
  PackedId Copy() const;

  static constexpr size_t kMallocBytes = 16;

 private:
  uint64_t high_ = 0, low_ = 0;
  std::unique_ptr<char[]> other_;  // low_ is its length then
};

struct Entry {
  PackedId id;
  uint64_t text_hash = 0;   // of the token sequence; 0: no text
  uint64_t posted = 0;      // bit i: feature i has a posting
  uint32_t title_hash = 0;  // 0: no title, or too short to mean anything
  uint32_t url_hash = 0;    // 0: no address, or one that many articles share
  int32_t published_day = 0;  // since 1970; 0: unknown
  uint32_t story = 0;
  uint32_t tokens = 0;
  uint32_t publisher = 0;  // hash of the family or host; 0: unknown
  std::array<uint8_t, 4> language{};  // code padded with zeros
  std::array<uint8_t, kFacets> counts{};
  bool live = false;
  std::array<float, kFacets> limits{};
  Signature anchors{};
  TitleBits title{};
  std::array<uint32_t, kSampleMax[kWords] + kSampleMax[kSkeleton]> features{};  // words, then skeleton

  const uint32_t* begin(size_t facet) const;
  size_t feature_count() const { return counts[kWords] + counts[kSkeleton]; }
  size_t heap_bytes() const { return id.heap_bytes(); }
};

class EntryRing {
 public:
  explicit EntryRing(uint32_t window) : window_(window) {}
  uint32_t window() const { return window_; }
  uint32_t SlotOf(uint64_t sequence) const { return static_cast<uint32_t>(sequence % window_); }
  // Makes room for `slot` where the ring has not reached it yet.
  Entry& Make(uint32_t slot);
  Entry& At(uint32_t slot) { return chunks_[slot / kChunk][slot % kChunk]; }
  const Entry& At(uint32_t slot) const { return chunks_[slot / kChunk][slot % kChunk]; }
  bool Holds(uint32_t slot) const { return slot / kChunk < chunks_.size() && At(slot).live; }
  size_t memory_bytes() const { return chunks_.size() * kChunk * sizeof(Entry); }

 private:
  static constexpr uint32_t kChunk = 1024;
  uint32_t window_;
  std::vector<std::unique_ptr<Entry[]>> chunks_;
};

// The bytes of StoryIndex::EncodeEntry: version, lengths, fields, checksum; little-endian.
std::string EncodeStoryEntry(const Entry& entry, const PackedId& story);
// False when the bytes are damaged or of another version; the outputs are undefined then.
bool DecodeStoryEntry(std::string_view bytes, Entry* entry, PackedId* story);

}  // namespace racewatch::store
