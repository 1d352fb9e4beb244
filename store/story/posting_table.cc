#include "store/story/posting_table.h"

#include <utility>

namespace racewatch::store {

void PostingTable::Place(uint32_t key, uint32_t cell) {
  size_t at = Home(key);
  while (cells_[at] != kFree) at = Next(at);
  cells_[at] = cell;
  tags_[at] = Tag(key);
}

void PostingTable::Grow() {
  const size_t cells = cells_.empty() ? 1024 : cells_.size() + cells_.size() / 8;
  std::vector<uint32_t> old(cells, kFree);
  std::vector<uint8_t> tags(cells, 0);
  old.swap(cells_);
  tags_.swap(tags);
  for (const uint32_t cell : old)
    if (cell != kFree) Place(key_of_(Unpack(cell)), cell);
}

void PostingTable::Insert(uint32_t key, Posting posting) {
  if (size_ + 1 > cells_.size() / 5 * 4) Grow();
  Place(key, Pack(posting));
  ++size_;
}

void PostingTable::Erase(uint32_t key, Posting posting) {
  if (cells_.empty()) return;
  const uint32_t cell = Pack(posting);
  size_t at = Home(key);
  while (cells_[at] != cell) {
    if (cells_[at] == kFree) return;
    at = Next(at);
  }
  // Backward shift (Knuth 6.4, algorithm R): close the gap with later cells that may stand there.
  size_t gap = at;
  for (size_t next = Next(gap); cells_[next] != kFree; next = Next(next)) {
    const size_t home = Home(key_of_(Unpack(cells_[next])));
    const size_t from_home = (next + cells_.size() - home) % cells_.size();
    const size_t from_gap = (next + cells_.size() - gap) % cells_.size();
    if (from_home < from_gap) continue;
    cells_[gap] = cells_[next];
    tags_[gap] = tags_[next];
    gap = next;
  }
  cells_[gap] = kFree;
  --size_;
}

}  // namespace racewatch::store
