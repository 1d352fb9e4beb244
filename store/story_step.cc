#include "store/story_step.h"

#include <algorithm>
#include <atomic>
#include <future>
#include <limits>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "store/applier.h"
#include "store/codec.h"
#include "store/generation_engine.h"
#include "store/story/story_index.h"

namespace racewatch::store {
namespace {

constexpr double kSimilarityScale = 10000;

// Orders copies of one story; unknown dates after all known ones.
std::pair<base::UnixMs, ArticleId> Order(base::UnixMs event_ms, const ArticleId& id) {
  return {event_ms > 0 ? event_ms : std::numeric_limits<base::UnixMs>::max(), id};
}

// Stories have no slots of their own: alert rules count distinct stories over members.
Contribution AsStory(Contribution what) {
  what.live = false;
  return what;
}

}  // namespace

std::string StoryRow::Encode() const {
  std::string out(1, 2);  // 1: without queries
  out += IdBytes(lead);
  AppendContribution(&out, counted);
  AppendVarint(&out, articles);
  AppendQueries(&out, counted.queries);
  return out;
}

base::Result<StoryRow> StoryRow::Decode(std::string_view bytes) {
  Reader in(bytes);
  StoryRow row;
  const auto version = in.Big<uint8_t>();
  const auto lead = IdFromBytes(in.Bytes(row.lead.size()));
  row.counted = ReadContribution(&in);
  row.articles = static_cast<uint32_t>(in.Varint());
  if (version != 1) row.counted.queries = ReadQuerySlots(&in);
  if (!in.ok() || !in.done() || version < 1 || version > 2 || !lead) return base::DataLoss("story row: damaged");
  row.lead = *lead;
  return row;
}

std::string MemberRow::Encode() const {
  std::string out{static_cast<char>(relation), static_cast<char>(kind)};
  AppendVarint(&out, static_cast<uint64_t>(std::clamp(similarity, 0.0, 1.0) * kSimilarityScale + 0.5));
  AppendSigned(&out, event_ms);
  return out;
}

base::Result<MemberRow> MemberRow::Decode(std::string_view bytes) {
  Reader in(bytes);
  MemberRow row;
  row.relation = in.Big<uint8_t>();
  row.kind = in.Big<uint8_t>();
  row.similarity = static_cast<double>(in.Varint()) / kSimilarityScale;
  row.event_ms = in.Signed();
  if (!in.ok() || !in.done()) return base::DataLoss("story member: damaged");
  return row;
}

std::string StoryTimeKey(base::UnixMs event_ms, std::string_view story) {
  std::string key;
  AppendBig(&key, static_cast<uint64_t>(event_ms));
  return key.append(story);
}

void CountStory(uint32_t generation, const Contribution* before, const Contribution& lead, Batch* batch) {
  if (before != nullptr && AsStory(*before) == AsStory(lead)) return;
  if (before != nullptr) batch->Count({AsStory(*before), Measure::kStories, -1, false, generation});
  batch->Count({AsStory(lead), Measure::kStories, 1, false, generation});
}

void MirrorStory(uint32_t generation, const std::string& id, const StoryRow& active, const std::optional<StoryRow>& mirrored,
                 const Contribution* lead, Batch* batch) {
  if (lead == nullptr) return;
  StoryRow row = active;
  row.counted = AsStory(*lead);
  if (mirrored && mirrored->Encode() == row.Encode()) return;
  CountStory(generation, mirrored ? &mirrored->counted : nullptr, row.counted, batch);
  Place place = PlaceOf(generation, Table::kStory, id);
  batch->Put(place.table, std::move(place.key), row.Encode());
}

struct StoryStep::Impl {
  Impl(Engine& e, uint32_t window) : engine(e), window_articles(window) {}

  // Pieces of the queue as the index decided them, in order.
  struct Piece {
    std::string key;      // of the queue
    std::string article;  // id bytes
    StoryDecision decision;
    std::string entry;    // of the index; empty if it has left the window already
  };
  using Chunk = std::vector<Piece>;

  Engine& engine;
  const uint32_t window_articles;

  // Used by Decide only, which never runs twice at a time.
  std::unique_ptr<StoryIndex> index;
  std::string next_key;  // of the queue: pieces before it have been decided; searching from its start would
                         // pass over everything deleted since the last compaction
  std::atomic<size_t> index_bytes = 0;
  std::atomic<size_t> index_articles = 0;
  std::future<base::Result<Chunk>> deciding;
  uint32_t mirror = 0;  // generation
  bool grown = true;  // the queue may hold pieces that no Decide has been asked for

  // Rows as left by the transaction being made.
  struct Story {
    bool found = false;
    StoryRow row;
    StoryRow before;
    std::map<std::string, base::UnixMs> members;  // touched in this transaction
  };
  std::unordered_map<std::string, ArticleRow> articles;
  std::unordered_map<std::string, std::string> stored_articles;  // as read
  std::map<std::string, Story> stories;
  std::vector<std::string> joined;  // articles that came to a story

  base::Result<Chunk> Decide(size_t work_max);
  base::Status Commit(const Chunk& chunk, const Claim& leader);
  base::Status CommitOnce(const Chunk& chunk, const Claim& leader);
  base::Status LoadArticles(const Chunk& chunk);
  base::Status WriteOne(const Piece& piece, Batch* batch);
  base::Result<Story*> FindStory(const std::string& id);
  base::Status MoveLead(const std::string& story_id, const std::string& article, const ArticleRow& row, Story* story);
  base::Status ElectLead(const std::string& story_id, Story* story);
  void WriteStories(Batch* batch);
  base::Status WriteMirror(Batch* batch);
};

base::Result<StoryStep::Impl::Story*> StoryStep::Impl::FindStory(const std::string& id) {
  const auto [at, is_new] = stories.try_emplace(id);
  if (!is_new) return &at->second;
  RW_ASSIGN_OR_RETURN(const auto stored, engine.Get(Table::kStory, id));
  if (stored) {
    at->second.found = true;
    RW_ASSIGN_OR_RETURN(at->second.row, StoryRow::Decode(*stored));
    at->second.before = at->second.row;
  }
  return &at->second;
}

// The lead was revised and may no longer be the earliest: look at all members.
base::Status StoryStep::Impl::ElectLead(const std::string& story_id, Story* story) {
  std::map<std::string, base::UnixMs> members;
  base::Status damage;
  std::string end = story_id;
  end.push_back('\xff');
  end.append(17, '\xff');
  RW_RETURN_IF_ERROR(engine.Scan(Table::kStoryMember, story_id, end, false, [&](auto key, auto value) {
    if (!key.starts_with(story_id)) return false;
    const auto member = MemberRow::Decode(value);
    if (!member.ok()) return damage = member.status(), false;
    members[std::string(key.substr(story_id.size()))] = member->event_ms;
    return true;
  }));
  RW_RETURN_IF_ERROR(damage);
  for (const auto& [id, event_ms] : story->members) members[id] = event_ms;
  auto best = members.begin();
  for (auto at = members.begin(); at != members.end(); ++at)
    if (Order(at->second, *IdFromBytes(at->first)) < Order(best->second, *IdFromBytes(best->first))) best = at;
  story->row.lead = *IdFromBytes(best->first);
  if (const auto known = articles.find(best->first); known != articles.end()) {
    story->row.counted = AsStory(known->second.counted);
    return {};
  }
  RW_ASSIGN_OR_RETURN(const auto stored, engine.Get(Table::kArticle, best->first));
  if (!stored) return {};  // left with its frozen day: the story keeps what it counted as
  RW_ASSIGN_OR_RETURN(const ArticleRow row, ArticleRow::Decode(*stored));
  story->row.counted = AsStory(row.counted);
  return {};
}

base::Status StoryStep::Impl::MoveLead(const std::string& story_id, const std::string& article, const ArticleRow& row,
                                       Story* story) {
  const ArticleId id = *IdFromBytes(article);
  const bool first = story->row.articles == 1 && !story->found;
  const auto mine = Order(row.counted.event.ms, id);
  const auto leads = Order(story->row.counted.event.ms, story->row.lead);
  if (first || mine < leads || (story->row.lead == id && mine == leads)) {
    story->row.lead = id;
    story->row.counted = AsStory(row.counted);
    return {};
  }
  if (story->row.lead == id) return ElectLead(story_id, story);
  return {};
}

// The work of the index alone: what it decides depends on the queue's order and nothing else.
base::Result<StoryStep::Impl::Chunk> StoryStep::Impl::Decide(size_t work_max) {
  Chunk chunk;
  base::Status damage;
  RW_RETURN_IF_ERROR(engine.Scan(Table::kStoryQueue, next_key, "", false, [&](auto key, auto value) {
    const auto work = StoryWork::Decode(value);
    if (!work.ok()) return damage = work.status(), false;
    const auto id = IdFromBytes(work->article);
    if (!id) return damage = base::DataLoss("story work: damaged id"), false;
    const std::string hex = FormatArticleId(*id);
    Piece piece{std::string(key), std::string(work->article), {}, {}};
    piece.decision = index->Add({.id = hex, .title = work->title, .text = work->text, .url = work->url,
                                 .published_ms = work->published_ms, .publisher_family = work->publisher_family,
                                 .language = work->language});
    piece.entry = index->EncodeEntry(piece.decision.sequence);
    chunk.push_back(std::move(piece));
    return chunk.size() < work_max;
  }));
  RW_RETURN_IF_ERROR(damage);
  if (!chunk.empty()) next_key = chunk.back().key + '\0';
  index_bytes = index->memory_bytes();
  index_articles = index->size();
  return chunk;
}

base::Status StoryStep::Impl::LoadArticles(const Chunk& chunk) {
  articles.clear();
  stored_articles.clear();
  std::vector<std::string_view> ids;
  for (const Piece& piece : chunk) ids.push_back(piece.article);
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  RW_ASSIGN_OR_RETURN(const auto rows, engine.MultiGet(Table::kArticle, ids));
  for (size_t i = 0; i < ids.size(); ++i) {
    if (!rows[i]) continue;
    RW_ASSIGN_OR_RETURN(articles[std::string(ids[i])], ArticleRow::Decode(*rows[i]));
    stored_articles[std::string(ids[i])] = *rows[i];
  }
  return {};
}

base::Status StoryStep::Impl::WriteOne(const Piece& piece, Batch* batch) {
  const StoryDecision& decision = piece.decision;
  if (!piece.entry.empty()) batch->Put(Table::kStoryEntry, SequenceKey(decision.sequence), piece.entry);
  if (decision.evicted) batch->Delete(Table::kStoryEntry, SequenceKey(*decision.evicted));
  const std::string& article = piece.article;
  const auto known = articles.find(article);
  if (known == articles.end()) return {};  // gone with its frozen day before its turn came
  ArticleRow& row = known->second;
  const bool joins = row.story.empty();
  if (joins) {
    const auto story = ParseArticleId(decision.story);
    if (!story) return base::Internal("story index: '" + decision.story + "' is no article id");
    row.story = IdBytes(*story);
    batch->Replace(Table::kArticle, article, stored_articles.at(article), row.Encode());
    joined.push_back(article);
  }
  RW_ASSIGN_OR_RETURN(Story* story, FindStory(row.story));
  MemberRow member{static_cast<uint8_t>(decision.relation), static_cast<uint8_t>(decision.kind), decision.similarity,
                   row.counted.event.ms};
  if (!joins) {  // how it came to its story stays as decided first
    RW_ASSIGN_OR_RETURN(const auto stored, engine.Get(Table::kStoryMember, row.story + article));
    if (stored) {
      RW_ASSIGN_OR_RETURN(const MemberRow before, MemberRow::Decode(*stored));
      member.relation = before.relation;
      member.kind = before.kind;
      member.similarity = before.similarity;
    }
  }
  batch->Put(Table::kStoryMember, row.story + article, member.Encode());
  story->members[article] = member.event_ms;
  if (joins) ++story->row.articles;
  return MoveLead(row.story, article, row, story);
}

void StoryStep::Impl::WriteStories(Batch* batch) {
  for (const auto& [id, story] : stories) {
    // The former lead may have left with its frozen day, undated as it was.
    if (story.found && story.before.lead != story.row.lead) batch->Delete(Table::kStoryLead, IdBytes(story.before.lead));
    const bool moved = !story.found || story.before.counted != story.row.counted;
    if (moved) {
      if (story.found) {
        batch->Count({story.before.counted, Measure::kStories, -1, false});
        batch->Delete(Table::kStoryTime, StoryTimeKey(story.before.counted.event.ms, id));
      }
      batch->Count({story.row.counted, Measure::kStories, 1, false});
      batch->Put(Table::kStoryTime, StoryTimeKey(story.row.counted.event.ms, id), "");
    }
    batch->Put(Table::kStory, id, story.row.Encode());
  }
}

// The same in the generation that is being built, as far as it knows the articles yet.
base::Status StoryStep::Impl::WriteMirror(Batch* batch) {
  const GenerationView view(engine.whole(), mirror);
  std::vector<std::string_view> ids(joined.begin(), joined.end());
  std::vector<std::string> leads;
  leads.reserve(stories.size());
  for (const auto& [id, story] : stories) leads.push_back(IdBytes(story.row.lead));
  ids.insert(ids.end(), leads.begin(), leads.end());
  RW_ASSIGN_OR_RETURN(const auto rows, view.MultiGet(Table::kArticle, ids));
  for (size_t i = 0; i < joined.size(); ++i) {
    if (!rows[i]) continue;
    RW_ASSIGN_OR_RETURN(ArticleRow row, ArticleRow::Decode(*rows[i]));
    row.story = articles.at(joined[i]).story;
    Place place = PlaceOf(mirror, Table::kArticle, joined[i]);
    batch->Put(place.table, std::move(place.key), row.Encode());
  }
  size_t next = joined.size();
  for (const auto& [id, story] : stories) {
    const auto& lead = rows[next++];
    std::optional<ArticleRow> row;
    if (lead) {
      RW_ASSIGN_OR_RETURN(row, ArticleRow::Decode(*lead));
    }
    RW_ASSIGN_OR_RETURN(const auto stored, view.Get(Table::kStory, id));
    std::optional<StoryRow> mirrored;
    if (stored) {
      RW_ASSIGN_OR_RETURN(mirrored, StoryRow::Decode(*stored));
    }
    MirrorStory(mirror, id, story.row, mirrored, row ? &row->counted : nullptr, batch);
  }
  return {};
}

// An article that was revised meanwhile, perhaps by another process, is read again: what the index decided stands.
base::Status StoryStep::Impl::Commit(const Chunk& chunk, const Claim& leader) {
  for (;;) {
    base::Status status = CommitOnce(chunk, leader);
    if (status.code() != base::Code::kAborted) return status;
  }
}

base::Status StoryStep::Impl::CommitOnce(const Chunk& chunk, const Claim& leader) {
  stories.clear();
  joined.clear();
  RW_RETURN_IF_ERROR(LoadArticles(chunk));
  Batch batch;
  for (const Piece& piece : chunk) {
    RW_RETURN_IF_ERROR(WriteOne(piece, &batch));
    batch.Delete(Table::kStoryQueue, piece.key);
  }
  WriteStories(&batch);
  if (mirror != 0) RW_RETURN_IF_ERROR(WriteMirror(&batch));
  batch.Require(leader);
  return engine.Commit(batch);
}

StoryStep::StoryStep(Engine& engine, uint32_t window_articles)
    : impl_(std::make_unique<Impl>(engine, window_articles)) {}
StoryStep::~StoryStep() = default;

base::Status StoryStep::Restore() {
  if (impl_->deciding.valid()) (void)impl_->deciding.get();  // it is ahead of the tables
  impl_->index = std::make_unique<StoryIndex>(StoryOptions{impl_->window_articles});
  impl_->next_key.clear();
  impl_->grown = true;
  base::Status damage;
  RW_RETURN_IF_ERROR(impl_->engine.Scan(Table::kStoryEntry, "", "", false, [&](auto key, auto value) {
    Reader in(key);
    damage = impl_->index->Restore(in.Big<uint64_t>(), value);
    return damage.ok();
  }));
  return damage;
}

base::Result<size_t> StoryStep::Run(size_t work_max, const Claim& leader) {
  RW_ASSIGN_OR_RETURN(const Impl::Chunk chunk, impl_->Decide(work_max));
  if (!chunk.empty()) RW_RETURN_IF_ERROR(impl_->Commit(chunk, leader));
  return chunk.size();
}

void StoryStep::SetMirror(uint32_t generation) { impl_->mirror = generation; }

void StoryStep::Added() { impl_->grown = true; }

base::Result<StoryStep::Done> StoryStep::Advance(size_t work_max, const Claim& leader) {
  Impl& impl = *impl_;
  Impl::Chunk chunk;
  if (impl.deciding.valid()) {
    RW_ASSIGN_OR_RETURN(chunk, impl.deciding.get());
    if (chunk.size() == work_max) impl.grown = true;  // it may have stopped before the queue's end
  }
  if (std::exchange(impl.grown, false))
    impl.deciding = std::async(std::launch::async, [&impl, work_max] { return impl.Decide(work_max); });
  if (!chunk.empty()) RW_RETURN_IF_ERROR(impl.Commit(chunk, leader));
  return Done{chunk.size(), impl.deciding.valid()};
}

size_t StoryStep::index_bytes() const { return impl_->index_bytes; }
size_t StoryStep::index_articles() const { return impl_->index_articles; }

}  // namespace racewatch::store
