// From a 32-bit key to the entries that carry it: an open-addressing multimap of five bytes a cell. A cell
// holds slot and feature number; the key itself is read back from the entry (KeyOf), so it costs nothing
// here. Grows by an eighth; erasing shifts back, so there are no tombstones. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace racewatch::store {

struct Posting {
  uint32_t slot : 26;
  uint32_t feature : 6;
};

class PostingTable {
 public:
  // The key of a posting in the table; called for cells whose tag agrees, and on every move.
  using KeyOf = std::function<uint32_t(Posting)>;
  explicit PostingTable(KeyOf key_of) : key_of_(std::move(key_of)) {}

  void Insert(uint32_t key, Posting posting);
  void Erase(uint32_t key, Posting posting);  // before the entry changes; no effect if absent

  // Calls `visit(posting)` for every posting of `key`.
  template <typename Visit>
  void ForEach(uint32_t key, const Visit& visit) const {
    ForEach(key, key_of_, visit);
  }
  // The same with the caller's form of KeyOf, which the compiler can see through.
  template <typename Keys, typename Visit>
  void ForEach(uint32_t key, const Keys& key_of, const Visit& visit) const {
    if (cells_.empty()) return;
    for (size_t at = Home(key); cells_[at] != kFree; at = Next(at))
      if (tags_[at] == Tag(key) && key_of(Unpack(cells_[at])) == key) visit(Unpack(cells_[at]));
  }
  // Fetches the cells of `key` into the cache: a table of a full window is larger than any.
  void Prefetch(uint32_t key) const {
    if (cells_.empty()) return;
    __builtin_prefetch(&cells_[Home(key)]);
    __builtin_prefetch(&tags_[Home(key)]);
  }

  size_t size() const { return size_; }
  size_t memory_bytes() const { return cells_.capacity() * sizeof(uint32_t) + tags_.capacity(); }

 private:
  static constexpr uint32_t kFree = 0xFFFFFFFF;
  static uint8_t Tag(uint32_t key) { return static_cast<uint8_t>(key); }
  static uint32_t Pack(Posting p) { return p.slot << 6 | p.feature; }
  static Posting Unpack(uint32_t cell) { return {cell >> 6, cell & 63}; }
  // Sampled features are small numbers by nature, so the key is scattered first (Fibonacci hashing).
  size_t Home(uint32_t key) const { return static_cast<size_t>(uint64_t{key * 0x9E3779B1u} * cells_.size() >> 32); }
  size_t Next(size_t at) const { return at + 1 == cells_.size() ? 0 : at + 1; }
  void Place(uint32_t key, uint32_t cell);
  void Grow();

  KeyOf key_of_;
  std::vector<uint32_t> cells_;
  std::vector<uint8_t> tags_;
  size_t size_ = 0;
};

}  // namespace racewatch::store
