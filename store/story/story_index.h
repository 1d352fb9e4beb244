// The story index: which articles tell one story (copies, spun copies, truncations, revisions).
// The store's story step calls Add once per article in queue order and keeps the encoded entry in the
// same transaction; at start it hands the kept entries back through Restore. Pure and deterministic:
// the same articles in the same order give the same decisions. One thread; no I/O; bounded by
// `window_articles` (the oldest entry leaves when a new one comes). Method: store/story/README.md.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"

namespace racewatch::store {

struct StoryInput {
  std::string_view id;     // any bytes, not empty; 32 hexadecimal digits are stored in 16 bytes
  std::string_view title;  // plain text, UTF-8; invalid bytes separate words
  std::string_view text;   // plain text, may be empty
  std::string_view url;    // may be empty
  base::UnixMs published_ms = 0;      // 0: unknown. Never decides alone.
  std::string_view publisher_family;  // empty: the host of `url` stands in
  std::string_view language;          // ISO 639-1, "und" or empty. Two known, different languages never join.
};

enum class StoryRelation : uint8_t { kNew, kExact, kNear, kRevision };
enum class StoryKind : uint8_t { kNone, kWire, kSpun };  // how a kNear copy was made

struct StoryDecision {
  std::string story;  // the article's own id, or the id of the first article of its story
  StoryRelation relation = StoryRelation::kNew;
  StoryKind kind = StoryKind::kNone;
  std::string of;           // the article it resembles most; empty for kNew
  double similarity = 0;    // 0 to 1; 1 for kExact
  uint64_t sequence = 0;    // number of the entry to keep: ascending, the key for EncodeEntry and Restore
  std::optional<uint64_t> evicted;  // entry that left the window: the store deletes it
};

struct StoryOptions {
  uint32_t window_articles = 200000;  // entries kept; at most 0.7 KB of memory each
};

class StoryIndex {
 public:
  explicit StoryIndex(StoryOptions options = {});
  ~StoryIndex();
  StoryIndex(const StoryIndex&) = delete;
  StoryIndex& operator=(const StoryIndex&) = delete;

  // Decides and remembers. An id seen before keeps its story (kRevision, or kExact if nothing changed).
  // If the caller's transaction fails afterwards, the index is ahead of the store: build it anew.
  StoryDecision Add(const StoryInput& article);

  // The entry `sequence` as bytes (versioned, a few hundred), right after Add. Empty if it left the window.
  std::string EncodeEntry(uint64_t sequence) const;
  // Puts a kept entry back, in ascending sequence, before the first Add. INVALID_ARGUMENT: out of order;
  // DATA_LOSS: bytes of another version or damaged. Entries beyond the window push the oldest out.
  base::Status Restore(uint64_t sequence, std::string_view bytes);

  // The story of an article still in the window.
  std::optional<std::string> StoryOf(std::string_view article_id) const;

  size_t size() const;          // entries in the window
  size_t memory_bytes() const;  // all of the index's own allocations

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// "new", "exact", "near", "revision"; "", "wire", "spun".
std::string_view RelationName(StoryRelation relation);
std::string_view KindName(StoryKind kind);

}  // namespace racewatch::store
