#include "store/story/posting_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace racewatch::store {
namespace {

// With slots of all widths: a cell has less of the key, or nothing, where they are wide.
class PostingTableSlotsTest : public testing::TestWithParam<uint32_t> {};

TEST_P(PostingTableSlotsTest, FindsExactlyWhatWasInsertedAndNotErased) {
  // Keys from a small range, so that clusters, equal keys and wrap-around all occur.
  std::mt19937 random(7);
  std::vector<uint32_t> key_of_slot(5000);
  for (uint32_t& key : key_of_slot) key = random() % 2500;
  PostingTable table(GetParam(), [&](Posting p) { return key_of_slot[p.slot]; });
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

INSTANTIATE_TEST_SUITE_P(Slots, PostingTableSlotsTest, testing::Values(5000u, 1u << 20, (1u << 26) - 1));

TEST(PostingTableTest, TheGreatestSlotAndFeatureAreAPostingLikeAnyOther) {
  for (const uint32_t slots : {1u, 7u, 8u, (1u << 26) - 1}) {
    PostingTable table(slots, [](Posting) { return 0xFFFFFFFF; });
    table.Insert(0xFFFFFFFF, {slots - 1, 63});
    uint32_t found = 0;
    table.ForEach(0xFFFFFFFF, [&](Posting p) { found += p.slot == slots - 1 && p.feature == 63; });
    EXPECT_EQ(found, 1u) << slots;
    table.Erase(0xFFFFFFFF, {slots - 1, 63});
    EXPECT_EQ(table.size(), 0u) << slots;
  }
}

TEST(PostingTableTest, ErasingWhatIsNotThereChangesNothing) {
  PostingTable table(10, [](Posting p) { return p.slot; });
  table.Erase(5, {5, 0});
  table.Insert(6, {6, 0});
  table.Erase(5, {5, 0});
  EXPECT_EQ(table.size(), 1u);
}

}  // namespace
}  // namespace racewatch::store
