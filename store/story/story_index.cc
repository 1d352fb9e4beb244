#include "store/story/story_index.h"

#include <xxhash.h>

#include <algorithm>
#include <cstdlib>
#include <utility>
#include <vector>

#include "store/story/entry.h"
#include "store/story/sketch.h"
#include "store/story/story_window.h"
#include "store/story/tokens.h"
#include "store/story/verify.h"

namespace racewatch::store {
namespace {

constexpr int64_t kDayMs = 24 * 3600 * 1000;
constexpr size_t kCandidatesMax = 12;      // compared in full
constexpr size_t kNamesakesMax = 8;        // articles of one title or address that are looked at
constexpr size_t kTitleLengthMin = 6;      // words count two, ideographs one: a shorter title means nothing by itself
constexpr double kTitleBonus = 0.3;
constexpr uint32_t kVote = 1u << 20;       // a feature that no other story shares
constexpr double kVoteShareMin = 0.05;     // of the best candidate's votes
constexpr uint32_t kExactTokensMin = 8;    // fewer equal words may be a coincidence

uint64_t HashTokens(const std::vector<Token>& tokens) {
  uint64_t hash = tokens.size();
  for (const Token& token : tokens) hash = (hash ^ token.hash) * 0x9FB21C651E98DF25ull + (hash >> 32);
  return hash == 0 ? 1 : hash;
}

uint32_t HashTitle(const std::vector<Token>& tokens) {
  const auto ideographs =
      static_cast<size_t>(std::count_if(tokens.begin(), tokens.end(), [](const Token& t) { return t.ideograph; }));
  return 2 * tokens.size() - ideographs < kTitleLengthMin ? 0 : static_cast<uint32_t>(HashTokens(tokens)) | 1;
}

// 0 for a home page: many articles may carry it.
uint32_t HashUrl(std::string_view url) {
  if (const size_t scheme = url.find("://"); scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find('#'));
  const size_t path = url.find('/');
  if (path == std::string_view::npos || path + 1 == url.size()) return 0;
  return static_cast<uint32_t>(XXH3_64bits(url.data(), url.size())) | 1;
}

uint32_t HashPublisher(const StoryInput& article) {
  std::string_view name = article.publisher_family;
  if (name.empty()) {
    const size_t scheme = article.url.find("://");
    if (scheme == std::string_view::npos) return 0;
    name = article.url.substr(scheme + 3);
    name = name.substr(0, name.find_first_of("/?#"));
    if (name.starts_with("www.")) name.remove_prefix(4);
  }
  return name.empty() ? 0 : static_cast<uint32_t>(XXH3_64bits(name.data(), name.size()) | 1);
}

std::array<uint8_t, 4> PackLanguage(std::string_view language) {
  std::array<uint8_t, 4> packed{};
  if (language == "und") return packed;
  for (size_t i = 0; i < std::min(packed.size(), language.size()); ++i) packed[i] = static_cast<uint8_t>(language[i]);
  return packed;
}

bool LanguagesDiffer(const Entry& a, const Entry& b) {
  return a.language[0] != 0 && b.language[0] != 0 && a.language != b.language;
}

// What the best candidate says of the article.
struct Match {
  uint32_t slot = 0;
  StoryRelation relation = StoryRelation::kNew;
  StoryKind kind = StoryKind::kNone;
  double similarity = 0;
  double preference = 0;  // similarity, and more for the same title: forms of one issuer resemble each other
};

// Exact text before same address before likeness.
int Rank(StoryRelation relation) {
  return relation == StoryRelation::kExact ? 3 : relation == StoryRelation::kRevision ? 2 : relation == StoryRelation::kNear ? 1 : 0;
}

}  // namespace

struct StoryIndex::Impl {
  explicit Impl(StoryOptions options) : window(options.window_articles), comparison(window) {}

  StoryWindow window;
  Comparison comparison;
  // Working memory of Add, reused.
  std::vector<Token> tokens, title_tokens;
  Profile profile;
  struct Vote {
    uint32_t slot;
    uint32_t weight;  // in kVote
  };
  std::vector<Vote> votes;
  static constexpr uint32_t kTallyBits = 12;  // two to three times the slots that can have votes
  std::vector<uint16_t> tally = std::vector<uint16_t>(size_t{1} << kTallyBits);  // slot → index into votes + 1
  std::vector<uint32_t> sharers;

  Entry MakeEntry(const StoryInput& article);
  void AddVote(uint32_t slot, uint32_t weight);
  void CollectVotes(size_t facet);
  std::vector<uint32_t> Candidates(const Entry& entry);
  Match Judged(const Entry& entry, uint32_t slot);
  Match ByTitle(const Entry& entry) const;
  Match Best(const Entry& entry);
};

Entry StoryIndex::Impl::MakeEntry(const StoryInput& article) {
  tokens.clear();
  title_tokens.clear();
  AppendTokens(article.text, &tokens);
  AppendTokens(WithoutOutlet(article.title), &title_tokens);
  Describe(tokens, title_tokens, &profile);
  Entry entry;
  entry.id = PackedId(article.id);
  entry.text_hash = tokens.empty() ? 0 : HashTokens(tokens);
  entry.title_hash = HashTitle(title_tokens);
  entry.url_hash = HashUrl(article.url);
  entry.published_day = static_cast<int32_t>(std::clamp<int64_t>(article.published_ms / kDayMs, 0, INT32_MAX));
  entry.publisher = HashPublisher(article);
  entry.tokens = profile.tokens;
  entry.anchors = profile.anchors;
  entry.title = profile.title;
  entry.language = PackLanguage(article.language);
  for (size_t f = 0; f < kFacets; ++f) {
    entry.counts[f] = static_cast<uint8_t>(profile.samples[f].hashes.size());
    entry.limits[f] = profile.samples[f].limit;
  }
  uint32_t* out = entry.features.data();
  for (const Sample& sample : profile.samples) out = std::copy(sample.hashes.begin(), sample.hashes.end(), out);
  return entry;
}

// Adds up, per slot, the weights of the features it shares with the article. Whole numbers: their sum does not
// depend on the order.
void StoryIndex::Impl::AddVote(uint32_t slot, uint32_t weight) {
  size_t at = slot * 0x9E3779B1u >> (32 - kTallyBits);
  while (tally[at] != 0 && votes[tally[at] - 1].slot != slot) at = (at + 1) % tally.size();
  if (tally[at] == 0) {
    votes.push_back({slot, 0});
    tally[at] = static_cast<uint16_t>(votes.size());
  }
  votes[tally[at] - 1].weight += weight;
}

void StoryIndex::Impl::CollectVotes(size_t facet) {
  // Twice the sample: furniture before a copy's text moves its features down the order.
  const size_t n = std::min(profile.features[facet].size(), kSampleMax[facet] * 2);
  for (size_t i = 0; i < n; ++i) window.Prefetch(profile.features[facet][i].hash);
  for (size_t i = 0; i < n; ++i) {
    const uint32_t feature = profile.features[facet][i].hash;
    sharers.clear();
    window.ForEachWith(feature, [&](uint32_t slot) { sharers.push_back(slot); });
    const uint32_t stories = window.Stories(feature, sharers);
    for (const uint32_t slot : sharers) AddVote(slot, kVote / (stories * stories));
  }
}

std::vector<uint32_t> StoryIndex::Impl::Candidates(const Entry& entry) {
  votes.clear();
  std::fill(tally.begin(), tally.end(), uint16_t{0});
  for (size_t f = 0; f < kFacets; ++f) CollectVotes(f);
  const size_t sums = std::min(votes.size(), kCandidatesMax);
  std::partial_sort(votes.begin(), votes.begin() + static_cast<ptrdiff_t>(sums), votes.end(), [&](const Vote& a, const Vote& b) {
    return a.weight != b.weight ? a.weight > b.weight : window.SequenceOf(a.slot) < window.SequenceOf(b.slot);
  });
  std::vector<uint32_t> slots;
  for (size_t i = 0; i < sums && votes[i].weight >= kVoteShareMin * votes[0].weight; ++i)
    slots.push_back(votes[i].slot);
  const auto add = [&](const std::vector<uint32_t>& more) {
    for (const uint32_t slot : more)
      if (std::find(slots.begin(), slots.end(), slot) == slots.end()) slots.push_back(slot);
  };
  add(window.Find(entry.text_hash, kByText, kNamesakesMax));
  add(window.Find(entry.url_hash, kByUrl, kNamesakesMax));
  add(window.Find(entry.title_hash, kByTitle, kNamesakesMax));
  return slots;
}

Match StoryIndex::Impl::Judged(const Entry& entry, uint32_t slot) {
  const Entry& candidate = window.At(slot);
  if (LanguagesDiffer(entry, candidate)) return {};
  const bool same_title = entry.title_hash != 0 && entry.title_hash == candidate.title_hash;
  if (entry.text_hash != 0 && entry.text_hash == candidate.text_hash && (entry.tokens >= kExactTokensMin || same_title))
    return {slot, StoryRelation::kExact, StoryKind::kNone, 1, 1};
  const bool same_url = entry.url_hash != 0 && entry.url_hash == candidate.url_hash;
  if (!(same_url && same_title) && !comparison.MayBeSame(candidate)) return {};
  const Likeness likeness = comparison.With(candidate);
  const Verdict verdict = Judge(likeness);
  if (same_url && (verdict.same || same_title))
    return {slot, StoryRelation::kRevision, StoryKind::kNone, verdict.similarity, verdict.similarity};
  if (!verdict.same) return {};
  return {slot, StoryRelation::kNear, verdict.spun ? StoryKind::kSpun : StoryKind::kWire, verdict.similarity,
          verdict.similarity + (same_title ? kTitleBonus : 0)};
}

// A feed item without text joins the one story that bears its title; a title that several stories bear
// (a recurring form) decides nothing, nor does one whose story has a text of its own that did not match.
Match StoryIndex::Impl::ByTitle(const Entry& entry) const {
  const std::vector<uint32_t> namesakes = window.Find(entry.title_hash, kByTitle, kNamesakesMax);
  if (namesakes.empty()) return {};
  const bool thin = entry.tokens < kThinTokens;
  for (const uint32_t slot : namesakes) {
    const Entry& other = window.At(slot);
    if (other.story != window.At(namesakes.front()).story || LanguagesDiffer(entry, other)) return {};
    if (!thin && other.tokens >= kThinTokens) return {};
    // A headline that comes back after more than a year tells of another occasion.
    if (DaysApart(entry, other) > 365) return {};
  }
  return {namesakes.front(), StoryRelation::kNear, StoryKind::kWire, 0.5, 0.5};
}

Match StoryIndex::Impl::Best(const Entry& entry) {
  Match best;
  const std::vector<uint32_t> candidates = Candidates(entry);
  if (!candidates.empty()) comparison.Begin(entry, profile);
  for (const uint32_t slot : candidates) {
    const Match match = Judged(entry, slot);
    if (std::pair(Rank(match.relation), match.preference) > std::pair(Rank(best.relation), best.preference)) best = match;
  }
  return best.relation == StoryRelation::kNew ? ByTitle(entry) : best;
}

StoryIndex::StoryIndex(StoryOptions options) : impl_(std::make_unique<Impl>(options)) {}
StoryIndex::~StoryIndex() = default;

StoryDecision StoryIndex::Add(const StoryInput& article) {
  StoryWindow& window = impl_->window;
  Entry entry = impl_->MakeEntry(article);
  Match match;
  if (const auto earlier = window.FindId(article.id)) {
    const Entry& known = window.At(*earlier);
    const bool unchanged = known.text_hash == entry.text_hash && known.title_hash == entry.title_hash;
    match = {*earlier, unchanged ? StoryRelation::kExact : StoryRelation::kRevision, StoryKind::kNone, 1, 1};
    if (!unchanged) {
      impl_->comparison.Begin(entry, impl_->profile);
      match.similarity = Judge(impl_->comparison.With(known)).similarity;
    }
  } else {
    match = impl_->Best(entry);
  }
  StoryDecision decision{.relation = match.relation, .kind = match.kind, .similarity = match.similarity};
  if (match.relation != StoryRelation::kNew) {
    decision.of = window.At(match.slot).id.Text();
    entry.story = window.At(match.slot).story;
  } else {
    entry.story = window.StoryNamed(article.id);
  }
  decision.story = window.StoryId(entry.story).Text();
  decision.sequence = window.next_sequence();
  decision.evicted = window.Place(std::move(entry));
  return decision;
}

std::string StoryIndex::EncodeEntry(uint64_t sequence) const {
  const auto slot = impl_->window.SlotOf(sequence);
  if (!slot) return {};
  const Entry& entry = impl_->window.At(*slot);
  return EncodeStoryEntry(entry, impl_->window.StoryId(entry.story));
}

base::Status StoryIndex::Restore(uint64_t sequence, std::string_view bytes) {
  const std::string what = "story entry " + std::to_string(sequence);
  if (sequence < impl_->window.next_sequence()) return base::InvalidArgument(what + ": not in ascending order");
  Entry entry;
  PackedId story;
  if (!DecodeStoryEntry(bytes, &entry, &story)) return base::DataLoss(what + ": damaged or of another version");
  entry.story = impl_->window.StoryNamed(story.Text());
  impl_->window.Restore(sequence, std::move(entry));
  return {};
}

std::optional<std::string> StoryIndex::StoryOf(std::string_view article_id) const {
  const auto slot = impl_->window.FindId(article_id);
  if (!slot) return std::nullopt;
  return impl_->window.StoryId(impl_->window.At(*slot).story).Text();
}

size_t StoryIndex::size() const { return impl_->window.size(); }
size_t StoryIndex::memory_bytes() const { return impl_->window.memory_bytes(); }

std::string_view RelationName(StoryRelation relation) {
  switch (relation) {
    case StoryRelation::kNew: return "new";
    case StoryRelation::kExact: return "exact";
    case StoryRelation::kNear: return "near";
    case StoryRelation::kRevision: return "revision";
  }
  return "";
}

std::string_view KindName(StoryKind kind) {
  return kind == StoryKind::kWire ? "wire" : kind == StoryKind::kSpun ? "spun" : "";
}

}  // namespace racewatch::store
