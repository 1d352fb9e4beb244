#include "store/story/posting_table.h"

#include <algorithm>
#include <numeric>

namespace racewatch::store {
namespace {

constexpr size_t kCellsMin = 1024;         // a page
constexpr size_t kCellsQuick = 64u << 10;  // up to here a part grows by a half: moving cells costs more than what room is left

}  // namespace

size_t PostingTable::size() const {
  return std::accumulate(parts_.begin(), parts_.end(), size_t{0}, [](size_t sum, const Part& part) { return sum + part.size; });
}

size_t PostingTable::memory_bytes() const {
  return std::accumulate(parts_.begin(), parts_.end(), size_t{0},
                         [](size_t sum, const Part& part) { return sum + part.cells.capacity() * sizeof(uint32_t); });
}

void PostingTable::Place(uint32_t key, uint32_t cell, Cells* cells) {
  size_t at = Home(key, *cells);
  while ((*cells)[at] != kFree) at = Next(at, *cells);
  (*cells)[at] = cell;
}

void PostingTable::Grow(Part* part) {
  const size_t before = part->cells.size();
  Cells cells(std::max(kCellsMin, before + before / (before < kCellsQuick ? 2 : 8)), kFree);
  for (const uint32_t cell : part->cells)
    if (cell != kFree) Place(key_of_(Unpack(cell)), cell, &cells);
  part->cells.swap(cells);
}

void PostingTable::Insert(uint32_t key, Posting posting) {
  Part& part = PartOf(key);
  if (part.size + 1 > part.cells.size() / 5 * 4) Grow(&part);
  Place(key, Pack(key, posting), &part.cells);
  ++part.size;
}

void PostingTable::Erase(uint32_t key, Posting posting) {
  Part& part = PartOf(key);
  Cells& cells = part.cells;
  if (cells.empty()) return;
  const uint32_t cell = Pack(key, posting);
  size_t at = Home(key, cells);
  while (cells[at] != cell) {
    if (cells[at] == kFree) return;
    at = Next(at, cells);
  }
  // Backward shift (Knuth 6.4, algorithm R): close the gap with later cells that may stand there.
  size_t gap = at;
  for (size_t next = Next(gap, cells); cells[next] != kFree; next = Next(next, cells)) {
    const size_t home = Home(key_of_(Unpack(cells[next])), cells);
    const size_t from_home = (next + cells.size() - home) % cells.size();
    const size_t from_gap = (next + cells.size() - gap) % cells.size();
    if (from_home < from_gap) continue;
    cells[gap] = cells[next];
    gap = next;
  }
  cells[gap] = kFree;
  --part.size;
}

}  // namespace racewatch::store
