// From a 32-bit key to the entries that carry it: an open-addressing multimap of four bytes a cell. A cell
// holds slot, feature number and, in the bits that the slot leaves, a piece of the key; the key itself is read back from
// the entry (KeyOf), so it costs nothing here. Kept in parts by key, each of which grows by an eighth once it is large, so that growing
// needs room for one part twice and not for all; erasing shifts back, so there are no tombstones. One thread.
#pragma once

#include <sys/mman.h>

#include <array>
#include <bit>
#include <cstdint>
#include <functional>
#include <new>
#include <utility>
#include <vector>

namespace racewatch::store {

struct Posting {
  uint32_t slot : 26;
  uint32_t feature : 6;
};

// Memory straight from the system and back to it: tables that grow past one another leave holes in the heap.
template <typename T>
struct PageAllocator {
  using value_type = T;
  T* allocate(size_t n) {
    void* const pages = mmap(nullptr, n * sizeof(T), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) throw std::bad_alloc();
    return static_cast<T*>(pages);
  }
  void deallocate(T* pages, size_t n) noexcept { munmap(pages, n * sizeof(T)); }
  bool operator==(const PageAllocator&) const = default;
};

class PostingTable {
 public:
  // The key of a posting in the table; called for cells whose piece of the key agrees, and on every move.
  using KeyOf = std::function<uint32_t(Posting)>;
  // All slots are below `slots` (at most 2^26 - 1): the fewer there are, the fewer keys are read back in vain.
  PostingTable(uint32_t slots, KeyOf key_of)
      : slot_bits_(static_cast<uint32_t>(std::bit_width(slots))), key_mask_(PieceOf(~0u)), key_of_(std::move(key_of)) {}

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
    const Cells& cells = PartOf(key).cells;
    if (cells.empty()) return;
    const uint32_t piece = PieceOf(key);
    for (size_t at = Home(key, cells); cells[at] != kFree; at = Next(at, cells))
      if ((cells[at] & key_mask_) == piece && key_of(Unpack(cells[at])) == key) visit(Unpack(cells[at]));
  }
  // Fetches the cells of `key` into the cache: a table of a full window is larger than any.
  void Prefetch(uint32_t key) const {
    const Cells& cells = PartOf(key).cells;
    if (!cells.empty()) __builtin_prefetch(&cells[Home(key, cells)]);
  }

  size_t size() const;
  size_t memory_bytes() const;

 private:
  static constexpr uint32_t kFeatureBits = 6, kPartBits = 6;
  static constexpr uint32_t kFree = 0xFFFFFFFF;  // the slot of no posting
  using Cells = std::vector<uint32_t, PageAllocator<uint32_t>>;
  struct Part {
    Cells cells;
    size_t size = 0;
  };

  // Sampled features are small numbers by nature, so the key is scattered first (Fibonacci hashing).
  static uint32_t Scattered(uint32_t key) { return key * 0x9E3779B1u; }
  const Part& PartOf(uint32_t key) const { return parts_[Scattered(key) >> (32 - kPartBits)]; }
  Part& PartOf(uint32_t key) { return parts_[Scattered(key) >> (32 - kPartBits)]; }
  static size_t Home(uint32_t key, const Cells& cells) {
    return static_cast<size_t>(uint64_t{Scattered(key) << kPartBits} * cells.size() >> 32);
  }
  static size_t Next(size_t at, const Cells& cells) { return at + 1 == cells.size() ? 0 : at + 1; }
  uint32_t PieceOf(uint32_t key) const { return static_cast<uint32_t>(uint64_t{key} << (kFeatureBits + slot_bits_)); }
  uint32_t Pack(uint32_t key, Posting p) const { return PieceOf(key) | p.slot << kFeatureBits | p.feature; }
  Posting Unpack(uint32_t cell) const { return {(cell & ~key_mask_) >> kFeatureBits, cell & ((1u << kFeatureBits) - 1)}; }
  static void Place(uint32_t key, uint32_t cell, Cells* cells);
  void Grow(Part* part);

  const uint32_t slot_bits_;
  const uint32_t key_mask_;  // the bits of a cell above its slot
  KeyOf key_of_;
  std::array<Part, 1u << kPartBits> parts_;
};

}  // namespace racewatch::store
