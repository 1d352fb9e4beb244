#include "store/story/story_window.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace racewatch::store {
namespace {

constexpr uint32_t kPostingsMax = 16;         // per feature: one this common tells nothing
constexpr uint32_t kPostingsPerStoryMax = 3;  // per feature and story: more copies add nothing

uint32_t FieldKey(uint64_t hash, uint32_t field) {
  return static_cast<uint32_t>((hash ^ field) * 0x9E3779B97F4A7C15ull >> 32);
}

}  // namespace

StoryWindow::StoryWindow(uint32_t window)
    : ring_(std::clamp<uint32_t>(window, 1, (1u << 26) - 2)),
      postings_(ring_.window() + 1, [this](Posting p) { return KeyOf(p); }),  // a story is made before the one it replaces ends
      sharing_(std::clamp<size_t>(std::bit_ceil(window / 4), 1024, 16384)) {}

uint32_t StoryWindow::KeyOf(Posting p) const {
  if (p.feature == kByStory) return FieldKey(stories_[p.slot].id.Hash(), kByStory);  // the slot is a story's number
  const Entry& entry = ring_.At(p.slot);
  switch (p.feature) {
    case kById: return FieldKey(entry.id.Hash(), kById);
    case kByTitle: return FieldKey(entry.title_hash, kByTitle);
    case kByUrl: return FieldKey(entry.url_hash, kByUrl);
    case kByText: return FieldKey(entry.text_hash, kByText);
    default: return entry.features[p.feature];
  }
}

uint64_t StoryWindow::SequenceOf(uint32_t slot) const {
  const uint64_t last = next_sequence_ - 1;
  return last - (last % ring_.window() + ring_.window() - slot) % ring_.window();
}

std::optional<uint32_t> StoryWindow::SlotOf(uint64_t sequence) const {
  const uint32_t slot = ring_.SlotOf(sequence);
  if (sequence >= next_sequence_ || !ring_.Holds(slot) || SequenceOf(slot) != sequence) return std::nullopt;
  return slot;
}

std::vector<uint32_t> StoryWindow::Find(uint64_t hash, FieldPosting field, size_t limit) const {
  std::vector<uint32_t> slots;
  if (hash == 0) return slots;
  postings_.ForEach(FieldKey(hash, field), [&](Posting p) {
    if (p.feature == field) slots.push_back(p.slot);
  });
  std::sort(slots.begin(), slots.end(), [&](uint32_t a, uint32_t b) { return SequenceOf(a) < SequenceOf(b); });
  if (slots.size() > limit) slots.erase(slots.begin(), slots.end() - static_cast<ptrdiff_t>(limit));
  return slots;
}

std::optional<uint32_t> StoryWindow::FindId(std::string_view id) const {
  std::optional<uint32_t> found;
  for (const uint32_t slot : Find(PackedId(id).Hash(), kById, ring_.window()))
    if (ring_.At(slot).id.Equals(id)) found = slot;
  return found;
}

template <typename ForEachSlot>
const StoryWindow::Sharing& StoryWindow::CountSharing(uint32_t feature, const ForEachSlot& for_each) const {
  Sharing& cell = SharingCell(feature);
  if (cell.feature == feature) return cell;
  uint32_t found[kPostingsMax];
  cell = {feature, 0, 0};
  for_each([&](uint32_t slot) {
    const uint32_t story = ring_.At(slot).story;
    ++cell.postings;
    if (cell.stories < kPostingsMax && std::find(found, found + cell.stories, story) == found + cell.stories)
      found[cell.stories++] = story;
  });
  return cell;
}

const StoryWindow::Sharing& StoryWindow::SharingOf(uint32_t feature) const {
  return CountSharing(feature, [&](const auto& visit) { ForEachWith(feature, visit); });
}

uint32_t StoryWindow::Stories(uint32_t feature, const std::vector<uint32_t>& slots) const {
  return CountSharing(feature, [&](const auto& visit) { std::for_each(slots.begin(), slots.end(), visit); }).stories;
}

void StoryWindow::ForgetSharing(uint32_t feature) {
  Sharing& cell = SharingCell(feature);
  if (cell.feature == feature) cell = {};
}

std::optional<uint32_t> StoryWindow::FindStory(std::string_view id) const {
  std::optional<uint32_t> found;
  postings_.ForEach(FieldKey(PackedId(id).Hash(), kByStory), [&](Posting p) {
    if (p.feature == kByStory && stories_[p.slot].id.Equals(id)) found = uint32_t{p.slot};
  });
  return found;
}

uint32_t StoryWindow::StoryNamed(std::string_view id) {
  if (const auto known = FindStory(id)) return *known;
  if (free_stories_.empty()) {
    // By an eighth: doubling would cost more than the entries do.
    if (stories_.size() == stories_.capacity()) stories_.reserve(stories_.size() + stories_.size() / 8 + 64);
    free_stories_.push_back(static_cast<uint32_t>(stories_.size()));
    stories_.emplace_back();
  }
  const uint32_t story = free_stories_.back();
  free_stories_.pop_back();
  stories_[story].id = PackedId(id);
  heap_bytes_ += stories_[story].id.heap_bytes();
  postings_.Insert(KeyOf({story, kByStory}), {story, kByStory});
  return story;
}

void StoryWindow::Leave(uint32_t story) {
  if (--stories_[story].members > 0) return;
  postings_.Erase(KeyOf({story, kByStory}), {story, kByStory});
  heap_bytes_ -= stories_[story].id.heap_bytes();
  stories_[story].id = PackedId();
  free_stories_.push_back(story);
}

void StoryWindow::Evict(uint32_t slot) {
  const Entry& entry = ring_.At(slot);
  for (uint32_t i = 0; i < entry.feature_count(); ++i) {
    if ((entry.posted >> i & 1) == 0) continue;
    postings_.Erase(entry.features[i], {slot, i});
    ForgetSharing(entry.features[i]);
  }
  for (const FieldPosting field : {kById, kByTitle, kByUrl, kByText}) postings_.Erase(KeyOf({slot, field}), {slot, field});
  heap_bytes_ -= entry.heap_bytes();
  Leave(entry.story);
  ring_.At(slot) = Entry();
  --size_;
}

// Whether one more posting of this feature would still help to find anything.
bool StoryWindow::Telling(uint32_t feature, uint32_t story) const {
  const uint32_t all = SharingOf(feature).postings;
  if (all >= kPostingsMax) return false;
  if (all < kPostingsPerStoryMax) return true;
  uint32_t own = 0;
  ForEachWith(feature, [&](uint32_t slot) { own += ring_.At(slot).story == story; });
  return own < kPostingsPerStoryMax;
}

void StoryWindow::Put(uint64_t sequence, Entry entry, bool choose_postings) {
  const uint32_t slot = ring_.SlotOf(sequence);
  next_sequence_ = sequence + 1;
  Entry& place = ring_.Make(slot);
  place = std::move(entry);
  place.live = true;
  for (uint32_t i = 0; i < place.feature_count(); ++i) {
    if (choose_postings && Telling(place.features[i], place.story)) place.posted |= uint64_t{1} << i;
    if ((place.posted >> i & 1) == 0) continue;
    postings_.Insert(place.features[i], {slot, i});
    ForgetSharing(place.features[i]);
  }
  postings_.Insert(KeyOf({slot, kById}), {slot, kById});
  if (place.title_hash != 0) postings_.Insert(KeyOf({slot, kByTitle}), {slot, kByTitle});
  if (place.url_hash != 0) postings_.Insert(KeyOf({slot, kByUrl}), {slot, kByUrl});
  if (place.text_hash != 0) postings_.Insert(KeyOf({slot, kByText}), {slot, kByText});
  heap_bytes_ += place.heap_bytes();
  ++size_;
}

std::optional<uint64_t> StoryWindow::Place(Entry entry) {
  const uint64_t sequence = next_sequence_;
  const uint32_t slot = ring_.SlotOf(sequence);
  std::optional<uint64_t> left;
  ++stories_[entry.story].members;  // before the eviction, which may end the story otherwise
  if (ring_.Holds(slot)) {
    left = sequence - ring_.window();
    Evict(slot);
  }
  Put(sequence, std::move(entry), true);
  return left;
}

void StoryWindow::Restore(uint64_t sequence, Entry entry) {
  ++stories_[entry.story].members;
  // Numbers that were passed over must not leave entries that are too old behind.
  const uint64_t passed = std::min<uint64_t>(sequence - next_sequence_ + 1, ring_.window());
  for (uint64_t back = 0; back < passed; ++back)
    if (const uint32_t slot = ring_.SlotOf(sequence - back); ring_.Holds(slot)) Evict(slot);
  Put(sequence, std::move(entry), false);
}

size_t StoryWindow::memory_bytes() const {
  return ring_.memory_bytes() + postings_.memory_bytes() + heap_bytes_ + stories_.capacity() * sizeof(Story) +
         free_stories_.capacity() * sizeof(uint32_t) + sharing_.capacity() * sizeof(Sharing);
}

}  // namespace racewatch::store
