#include "store/applier.h"

#include <google/protobuf/arena.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <set>
#include <utility>

#include "racewatch/v1/tagged_article.pb.h"
#include "store/codec.h"
#include "store/corrections.h"

namespace racewatch::store {
namespace {

// The story index reads no further; longer texts would only make the queue heavy.
constexpr size_t kStoryTextBytesMax = 64u << 10;
constexpr size_t kForTwoMin = 64;  // less is not worth a thread
constexpr size_t kPiece = 16;

// Calls `work` for each of [0, n) on two threads, each of which takes the next few when it is done with the last: reading and
// writing texts takes most of a batch's time.
template <typename Work>
void ForTwo(size_t n, const Work& work) {
  std::atomic<size_t> next = 0;
  const auto run = [&] {
    for (size_t begin; (begin = next.fetch_add(kPiece)) < n;)
      for (size_t i = begin; i < std::min(begin + kPiece, n); ++i) work(i);
  };
  std::future<void> other;
  if (n >= kForTwoMin) other = std::async(std::launch::async, run);
  run();
  if (other.valid()) other.get();
}

}  // namespace

std::string StoryWork::Encode() const {
  std::string out;
  out.reserve(article.size() + title.size() + text.size() + url.size() + 64);
  AppendText(&out, article);
  AppendText(&out, title);
  AppendText(&out, text);
  AppendText(&out, url);
  AppendText(&out, publisher_family);
  AppendText(&out, language);
  AppendSigned(&out, published_ms);
  return out;
}

base::Result<StoryWork> StoryWork::Decode(std::string_view bytes) {
  Reader in(bytes);
  StoryWork out;
  out.article = in.Text();
  out.title = in.Text();
  out.text = in.Text();
  out.url = in.Text();
  out.publisher_family = in.Text();
  out.language = in.Text();
  out.published_ms = in.Signed();
  if (!in.ok() || !in.done()) return base::DataLoss("story work: damaged");
  return out;
}

struct Applier::Parsed {
  size_t record = 0;  // index into the batch
  v1::TaggedArticle* message = nullptr;
  Progress* progress = nullptr;  // of its partition
  base::Status unread;           // why it is to be dead-lettered
  Sighting sighting;
  std::string id;  // bytes
};

// A record whose texts are to be written, in the order decided.
struct Applier::Texts {
  Parsed* parsed = nullptr;
  bool redacted = false;
  bool story = false;  // also work for the story step
  base::UnixMs published_ms = 0;
  std::string detail, work;

  void Encode();
};

// The detail keeps the beginning of the text only, so it comes second.
void Applier::Texts::Encode() {
  const v1::Article& article = parsed->message->article();
  if (story) {
    StoryWork out;
    out.article = parsed->id;
    out.title = article.title();
    out.text = std::string_view(article.text()).substr(0, kStoryTextBytesMax);
    out.url = article.canonical_url().empty() ? article.url() : article.canonical_url();
    out.publisher_family = article.publisher();
    out.language = article.language();
    out.published_ms = published_ms;
    work = out.Encode();
  }
  detail = EncodeDetail(parsed->message, redacted);
}

Applier::Applier(Engine& engine, ApplierOptions options) : engine_(engine), options_(options) {}
Applier::~Applier() = default;

base::Status Applier::Reload() {
  progress_.clear();
  RW_ASSIGN_OR_RETURN(frozen_, engine_.Get(Table::kMeta, kFrozenKey));
  RW_ASSIGN_OR_RETURN(first_open_day_, DecodeFrozen(frozen_));
  return {};
}

base::Result<Progress*> Applier::ProgressOf(const base::TopicPartition& where) {
  auto at = progress_.find(where);
  if (at == progress_.end()) {
    RW_ASSIGN_OR_RETURN(const auto stored, engine_.Get(Table::kMeta, ProgressKey(where)));
    Progress progress;
    if (stored) {
      RW_ASSIGN_OR_RETURN(progress, Progress::Decode(*stored));
    }
    at = progress_.emplace(where, std::move(progress)).first;
  }
  return &at->second;
}

base::Status Applier::ReadKnown(const std::vector<Parsed>& parsed) {
  known_.clear();
  std::vector<std::string_view> keys;
  for (const Parsed& p : parsed)
    if (known_.try_emplace(p.id).second) keys.push_back(p.id);
  std::sort(keys.begin(), keys.end());
  moment_ = engine_.moment();
  RW_ASSIGN_OR_RETURN(const auto rows, engine_.MultiGet(Table::kArticle, keys));
  for (size_t i = 0; i < keys.size(); ++i) {
    if (!rows[i]) continue;
    Known& known = known_.at(std::string(keys[i]));
    known.found = true;
    RW_ASSIGN_OR_RETURN(known.row, ArticleRow::Decode(*rows[i]));
    known.stored = rows[i];
  }
  return {};
}

void Applier::WriteArticle(Parsed* parsed, const Decision& decision, uint32_t old_hour, Batch* batch) {
  const v1::Article& article = parsed->message->article();
  const bool is_new = decision.outcome == Outcome::kStored;
  if (!is_new && old_hour != decision.row.time_hour) batch->Delete(Table::kTime, TimeKey(old_hour, parsed->sighting.id));
  if (is_new || old_hour != decision.row.time_hour)
    batch->Put(Table::kTime, TimeKey(decision.row.time_hour, parsed->sighting.id), "");
  batch->Append(Table::kFeed, FeedRow{parsed->id, decision.row.version}.Encode());
  if (!article.canonical_url().empty()) batch->Put(Table::kUrl, UrlKey(article.canonical_url()), parsed->id);
  if (!article.url().empty() && article.url() != article.canonical_url())
    batch->Put(Table::kUrl, UrlKey(article.url()), parsed->id);
  matcher_.KeepFingerprints(decision.row.counted.queries, parsed->message);
  known_.at(parsed->id).texts = texts_.size();
  texts_.push_back({parsed, decision.row.redacted, true, decision.row.counted.event.ms, {}, {}});
}

void Applier::WriteTexts(Batch* batch) {
  ForTwo(texts_.size(), [this](size_t i) { texts_[i].Encode(); });
  for (Texts& texts : texts_) {
    if (texts.story) batch->Append(Table::kStoryQueue, std::move(texts.work));
    batch->Put(Table::kDetail, texts.parsed->id, std::move(texts.detail));
  }
  texts_.clear();
}

// The kept text goes, the labels stay those of the winning revision: the record may have others, and a withdrawal has none.
base::Status Applier::RedactTexts(Parsed* parsed) {
  if (const auto& texts = known_.at(parsed->id).texts) {
    texts_[*texts].redacted = true;
    return {};
  }
  RW_ASSIGN_OR_RETURN(const auto stored, engine_.Get(Table::kDetail, parsed->id));
  if (stored && !parsed->message->ParseFromString(*stored)) return base::DataLoss("article detail: damaged");
  texts_.push_back({parsed, true, false, 0, {}, {}});
  return {};
}

base::Status Applier::ApplyOne(Parsed* parsed, base::UnixMs now_ms, Batch* batch, Applied* out) {
  Known& known = known_.at(parsed->id);
  const std::optional<ArticleRow> before = known.found ? std::optional(known.row) : std::nullopt;
  // The text is at hand now and never again; what adds nothing need not be asked.
  const bool counts = !before || parsed->sighting.rank > before->rank || (parsed->sighting.what.live && !before->counted.live);
  if (counts) parsed->sighting.what.queries = matcher_.Match(*parsed->message, parsed->sighting.what);
  Decision decision = Decide(parsed->sighting, before, {first_open_day_, options_.late_days_max}, now_ms);
  if (decision.outcome == Outcome::kStored) ++out->stored;
  else ++out->outcomes[decision.outcome];
  if (decision.outcome == Outcome::kTooLate && !known.found) {
    std::string trail;
    AppendSigned(&trail, now_ms);
    AppendText(&trail, DropReason(decision.outcome));
    batch->Put(Table::kTrail, parsed->id, std::move(trail));
  }
  if (!decision.changed) return {};
  const bool redacted_now = decision.row.redacted && (!before || !before->redacted);
  if (redacted_now) redacted_.push_back(parsed->id);
  if (decision.outcome == Outcome::kStored || decision.outcome == Outcome::kRevised) {
    decision.row.version = (before ? before->version : 0) + 1;
    Progress& progress = *parsed->progress;
    const EventTime& event = decision.row.counted.event;
    const auto hour = static_cast<uint32_t>(event.ms / kMsPerHour);
    if (event.ms > 0 && (progress.first_hour == 0 || hour < progress.first_hour)) progress.first_hour = hour;
    progress.model_version = parsed->message->tags().model_version();
    progress.Note(generation_, progress.model_version, event);
    WriteArticle(parsed, decision, before ? before->time_hour : 0, batch);
  } else if (redacted_now) {
    RW_RETURN_IF_ERROR(RedactTexts(parsed));
  }
  for (CountChange& change : decision.counts) batch->Count(std::move(change));
  known.row = std::move(decision.row);
  known.found = known.dirty = true;
  return {};
}

std::string Applier::CompleteValue(const base::Record& record) {
  v1::TaggedArticle message;
  const auto sighting = ReadSighting(record, &message);
  if (!sighting.ok()) return record.value;
  matcher_.KeepFingerprints(matcher_.Match(message, sighting->what), &message);
  return message.SerializeAsString();
}

std::vector<Applier::Parsed> Applier::Read(const std::vector<base::Record>& records, google::protobuf::Arena* arena) {
  std::vector<Parsed> parsed(records.size());
  ForTwo(records.size(), [&](size_t i) {
    Parsed& p = parsed[i];
    p.record = i;
    if (records[i].tombstone) return;
    p.message = google::protobuf::Arena::CreateMessage<v1::TaggedArticle>(arena);
    auto sighting = ReadSighting(records[i], p.message);
    if (sighting.ok()) p.sighting = std::move(sighting).value();
    else p.unread = sighting.status();
  });
  return parsed;
}

base::Result<Applied> Applier::Apply(const std::vector<base::Record>& records, base::UnixMs now_ms, Batch* batch) {
  Applied out;
  google::protobuf::Arena arena;
  std::set<base::TopicPartition> touched;
  std::vector<Parsed> parsed;
  parsed.reserve(records.size());
  for (Parsed& p : Read(records, &arena)) {
    if (p.message == nullptr) {
      ++out.tombstones;
      continue;
    }
    if (!p.unread.ok()) {
      out.dead_letters.push_back({p.record, DeadLetterReason(p.unread), p.unread.message()});
      continue;
    }
    if (p.message->generation() != 0) {
      ++out.foreign_generation;
      continue;
    }
    if (model_) {
      const bool own = p.message->tags().model_version() == *model_;
      PreferModel(own, &p.sighting.rank);
      out.other_model += !own;
    }
    p.id = IdBytes(p.sighting.id);
    const base::TopicPartition where{records[p.record].topic, records[p.record].partition};
    RW_ASSIGN_OR_RETURN(p.progress, ProgressOf(where));
    touched.insert(where);
    parsed.push_back(std::move(p));
  }
  texts_.clear();
  RW_RETURN_IF_ERROR(ReadKnown(parsed));
  redacted_.clear();
  for (Parsed& p : parsed) {
    // A source may not move the store's time past the clock.
    p.progress->stream_ms = std::max(p.progress->stream_ms, std::min(p.sighting.fetched_at_ms, now_ms));
    base::UnixMs& newest = out.newest[{records[p.record].topic, records[p.record].partition}];
    newest = std::max(newest, std::min(p.sighting.fetched_at_ms, now_ms));
    RW_RETURN_IF_ERROR(ApplyOne(&p, now_ms, batch, &out));
  }
  WriteTexts(batch);
  for (const std::string& id : redacted_) RW_RETURN_IF_ERROR(RedactCorrections(engine_, id, batch));
  for (auto& [id, known] : known_)
    if (known.dirty) batch->Replace(Table::kArticle, id, std::move(known.stored), known.row.Encode(), moment_);
  batch->Expect(Table::kMeta, std::string(kFrozenKey), frozen_);
  for (const base::TopicPartition& where : touched) batch->Put(Table::kMeta, ProgressKey(where), progress_.at(where).Encode());
  return out;
}

}  // namespace racewatch::store
