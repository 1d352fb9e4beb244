#include "store/story/posting_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace racewatch::store {
namespace {

TEST(PostingTableTest, FindsExactlyWhatWasInsertedAndNotErased) {
  // Keys from a small range, so that clusters, equal keys and wrap-around all occur.
  std::mt19937 random(7);
  std::vector<uint32_t> key_of_slot(5000);
  for (uint32_t& key : key_of_slot) key = random() % 2500;
  PostingTable table([&](Posting p) { return key_of_slot[p.slot]; });
  std::vector<bool> in(key_of_slot.size(), false);
  for (int step = 0; step < 40000; ++step) {
    const uint32_t slot = random() % static_cast<uint32_t>(key_of_slot.size());
    if (in[slot]) table.Erase(key_of_slot[slot], {slot, 3});
    else table.Insert(key_of_slot[slot], {slot, 3});
    in[slot] = !in[slot];
  }
  EXPECT_EQ(table.size(), static_cast<size_t>(std::count(in.begin(), in.end(), true)));
  for (uint32_t key = 0; key < 2500; ++key) {
    std::vector<uint32_t> found, expected;
    table.ForEach(key, [&](Posting p) { found.push_back(p.slot); });
    for (uint32_t slot = 0; slot < key_of_slot.size(); ++slot)
      if (in[slot] && key_of_slot[slot] == key) expected.push_back(slot);
    std::sort(found.begin(), found.end());
    ASSERT_EQ(found, expected) << key;
  }
}

TEST(PostingTableTest, ErasingWhatIsNotThereChangesNothing) {
  PostingTable table([](Posting p) { return p.slot; });
  table.Erase(5, {5, 0});
  table.Insert(6, {6, 0});
  table.Erase(5, {5, 0});
  EXPECT_EQ(table.size(), 1u);
}

}  // namespace
}  // namespace racewatch::store
