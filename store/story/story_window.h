// The articles of the window and the ways to find them: by id, title, address, text, or shared feature.
// Holds no opinion on what a story is (StoryIndex does); evicts the oldest entry when the ring is full.
// One thread; memory is bounded by the window.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "store/story/entry.h"
#include "store/story/posting_table.h"

namespace racewatch::store {

// Feature numbers beyond the samples: postings of whole fields.
enum FieldPosting : uint32_t { kByStory = 59, kById = 60, kByTitle = 61, kByUrl = 62, kByText = 63 };
static_assert(kSampleMax[kWords] + kSampleMax[kSkeleton] <= kByStory);

class StoryWindow {
 public:
  explicit StoryWindow(uint32_t window);
  StoryWindow(const StoryWindow&) = delete;
  StoryWindow& operator=(const StoryWindow&) = delete;

  const Entry& At(uint32_t slot) const { return ring_.At(slot); }
  uint64_t next_sequence() const { return next_sequence_; }
  uint64_t SequenceOf(uint32_t slot) const;
  std::optional<uint32_t> SlotOf(uint64_t sequence) const;  // nullopt: not in the window
  const PackedId& StoryId(uint32_t story) const { return stories_[story].id; }

  // Slots of the articles with this field hash, oldest first, at most the last `limit`.
  std::vector<uint32_t> Find(uint64_t hash, FieldPosting field, size_t limit) const;
  std::optional<uint32_t> FindId(std::string_view id) const;  // the latest entry of this article

  // Slots that share `feature`; at most kPostingsMax.
  template <typename Visit>
  void ForEachWith(uint32_t feature, const Visit& visit) const {
    const auto key_of = [this](Posting p) { return p.feature < kByStory ? ring_.At(p.slot).features[p.feature] : 0; };
    postings_.ForEach(feature, key_of, [&](Posting p) { visit(p.slot); });
  }
  void Prefetch(uint32_t feature) const { postings_.Prefetch(feature); }
  // How many stories share `feature`.
  uint32_t Stories(uint32_t feature) const { return SharingOf(feature).stories; }
  // The same for a caller who has the slots of ForEachWith in hand.
  uint32_t Stories(uint32_t feature, const std::vector<uint32_t>& slots) const;
  // 1 for a feature found in at most one story, 1/n² for n stories.
  double Weight(uint32_t feature) const {
    const uint32_t n = Stories(feature);
    return n > 1 ? 1.0 / (n * n) : 1.0;
  }

  // The number of the story named so, made if need be. Valid until the next Place.
  uint32_t StoryNamed(std::string_view id);
  // Takes the entry under the next sequence; returns the sequence that left, if any.
  std::optional<uint64_t> Place(Entry entry);
  // Puts a kept entry back: `posted` stands, gaps in the numbering are allowed.
  void Restore(uint64_t sequence, Entry entry);

  size_t size() const { return size_; }
  size_t memory_bytes() const;

 private:
  struct Story {
    PackedId id;
    uint32_t members = 0;
  };
  // How many postings a feature has and of how many stories. Kept from one article to the next until a posting
  // of the feature comes or goes: the features of furniture are asked for with nearly every article.
  struct Sharing {
    uint32_t feature = 0;  // 0: free (no feature is 0)
    uint16_t postings = 0;
    uint16_t stories = 0;
  };
  const Sharing& SharingOf(uint32_t feature) const;
  template <typename ForEachSlot>
  const Sharing& CountSharing(uint32_t feature, const ForEachSlot& for_each) const;
  Sharing& SharingCell(uint32_t feature) const { return sharing_[(feature * 0x9E3779B1u >> 16) & (sharing_.size() - 1)]; }
  void ForgetSharing(uint32_t feature);

  uint32_t KeyOf(Posting p) const;
  bool Telling(uint32_t feature, uint32_t story) const;
  std::optional<uint32_t> FindStory(std::string_view id) const;
  void Leave(uint32_t story);
  void Evict(uint32_t slot);
  void Put(uint64_t sequence, Entry entry, bool choose_postings);

  EntryRing ring_;
  PostingTable postings_;
  std::vector<Story> stories_;
  std::vector<uint32_t> free_stories_;
  uint64_t next_sequence_ = 1;
  size_t size_ = 0;
  size_t heap_bytes_ = 0;
  mutable std::vector<Sharing> sharing_;
};

}  // namespace racewatch::store
