#include "store/apply.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <charconv>

#include "racewatch/v1/tagged_article.pb.h"
#include "store/codec.h"

namespace racewatch::store {
namespace {

constexpr base::UnixMs kFutureMsMax = 10 * 60 * 1000;
constexpr size_t kDetailTextBytesMax = 2000;
// What a window number holds comfortably; a time outside is a mistake of the source.
constexpr base::UnixMs kEventMsMax = 4102444800000;  // 2100-01-01

base::UnixMs ToMs(const google::protobuf::Timestamp& time) { return time.seconds() * 1000 + time.nanos() / 1'000'000; }

uint64_t Hash(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

// Event time by the rules of identity and time (docs/guarantees.md): never later than the first fetch plus
// ten minutes, whatever the source claims; unknown stays unknown.
EventTime EventOf(const v1::Article& article, base::UnixMs fetched_at_ms) {
  if (!article.has_published() || article.date_source() == v1::DATE_SOURCE_NONE) return {};
  EventTime event{ToMs(article.published()), article.date_precision() == v1::DATE_PRECISION_DAY};
  if (fetched_at_ms > 0 && event.ms > fetched_at_ms + kFutureMsMax) event = {fetched_at_ms, false};
  if (event.ms <= 0 || event.ms >= kEventMsMax) return {};
  return event;
}

uint64_t ContentHash(const std::string& hex) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(hex.data(), hex.data() + hex.size(), value, 16);
  if (error == std::errc() && end == hex.data() + hex.size() && hex.size() == 16) return value;
  return Hash(hex);
}

uint8_t LanguageOf(const v1::TaggedArticle& message) {
  const std::string& own = message.article().language();
  const std::string& language = own.empty() || own == "und" ? message.tags().language() : own;
  return static_cast<uint8_t>(*base::IndexOf(base::kLanguages, base::LanguageSlice(language)));
}

uint8_t GroupOf(const v1::Article& article) {
  const auto group = base::IndexOf(base::kPublisherGroups, article.publisher_group());
  return static_cast<uint8_t>(group ? *group : base::kPublisherGroups.size() - 1);
}

// The publisher as counted: its registrable domain without regard to case.
std::string FamilyOf(const v1::Article& article) {
  std::string family = article.publisher();
  for (char& c : family)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return family;
}

uint64_t TieOf(const Contribution& what) {
  Contribution ranked = what;
  ranked.live = false;  // the lane is a property of all sightings together, not of a revision
  std::string bytes;
  AppendContribution(&bytes, ranked);
  return Hash(bytes);
}

std::string Shown(std::string_view text) {
  std::string out(text.substr(0, 64));
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e) c = '?';
  return out;
}

bool TooLate(const EventTime& event, const Sighting& sighting, const Freeze& freeze) {
  // Without a date it lives as long as the day of its first fetch.
  if (event.ms <= 0) return sighting.fetched_at_ms > 0 && sighting.fetched_at_ms / kMsPerDay < freeze.first_open_day;
  const int64_t day = event.ms / kMsPerDay;
  if (day < freeze.first_open_day) return true;
  // Late by its own first fetch: independent of when and in which order the record is read.
  return sighting.fetched_at_ms / kMsPerDay > day + freeze.late_days_max;
}

void AddCounts(const ArticleRow& row, int8_t sign, std::vector<CountChange>* out) {
  out->push_back({row.counted, Measure::kArticles, sign, false});
}

uint32_t TimeHour(const EventTime& event, base::UnixMs fetched_at_ms, base::UnixMs now_ms) {
  const base::UnixMs ms = event.ms > 0 ? event.ms : fetched_at_ms > 0 && fetched_at_ms < kEventMsMax ? fetched_at_ms : now_ms;
  return static_cast<uint32_t>(ms / kMsPerHour);
}

// A new winner: the old labels out, the new ones in. The lane stays live once it was.
void TakeOver(const Sighting& sighting, base::UnixMs now_ms, Decision* decision) {
  ArticleRow& row = decision->row;
  AddCounts(row, -1, &decision->counts);
  const bool live = row.counted.live || sighting.what.live;
  row.counted = sighting.what;
  row.counted.live = live;
  row.rank = sighting.rank;
  row.time_hour = TimeHour(sighting.what.event, sighting.fetched_at_ms, now_ms);
  row.revised_at_ms = now_ms;
  AddCounts(row, 1, &decision->counts);
}

}  // namespace

base::Result<Contribution> ContributionOf(const v1::TaggedArticle& message) {
  const v1::Article& article = message.article();
  Contribution what;
  RW_ASSIGN_OR_RETURN(what.labels, LabelsFromTags(message.tags()));
  what.event = EventOf(article, ToMs(article.fetched_at()));
  what.language = LanguageOf(message);
  what.group = GroupOf(article);
  what.family = Hash(FamilyOf(article));
  what.live = article.lane() != v1::LANE_BACKFILL;
  return what;
}

base::Result<Sighting> ReadSighting(const base::Record& record, v1::TaggedArticle* message) {
  if (!message->ParseFromString(record.value)) return base::DataLoss("undecodable: no racewatch.v1.TaggedArticle");
  const v1::Article& article = message->article();
  const auto id = ParseArticleId(article.id());
  if (!id) return base::InvalidArgument("invalid_article: id '" + Shown(article.id()) + "' is not 32 hexadecimal digits");
  if (record.key != article.id())
    return base::InvalidArgument("key_mismatch: record key '" + Shown(record.key) + "', article id " + article.id());
  if (!message->has_tags()) return base::InvalidArgument("invalid_tags: none");
  Sighting out;
  out.id = *id;
  auto what = ContributionOf(*message);
  if (!what.ok()) return base::InvalidArgument("invalid_tags: " + what.status().message());
  out.what = std::move(what).value();
  out.fetched_at_ms = ToMs(article.fetched_at());
  out.rank = {static_cast<uint8_t>(std::clamp<int>(article.body_quality(), 0, 255)), ToMs(article.revision_at()),
              ContentHash(article.content_hash()), TieOf(out.what)};
  out.redacted = article.redacted();
  return out;
}

std::string DeadLetterReason(const base::Status& status) {
  return status.message().substr(0, status.message().find(':'));
}

Decision Decide(const Sighting& sighting, const std::optional<ArticleRow>& known, const Freeze& freeze,
                base::UnixMs now_ms) {
  Decision decision;
  if (TooLate(sighting.what.event, sighting, freeze)) {
    decision.outcome = Outcome::kTooLate;
    return decision;
  }
  ArticleRow& row = decision.row;
  if (!known) {
    decision.outcome = Outcome::kStored;
    decision.changed = true;
    row.rank = sighting.rank;
    row.counted = sighting.what;
    row.counted_at_ms = now_ms;
    row.time_hour = TimeHour(sighting.what.event, sighting.fetched_at_ms, now_ms);
    row.redacted = sighting.redacted;
    AddCounts(row, 1, &decision.counts);
    if (row.counted.live) decision.counts.push_back({sighting.what, Measure::kArticles, 1, true});
    return decision;
  }
  row = *known;
  const bool promoted = sighting.what.live && !row.counted.live;
  if (sighting.redacted && !row.redacted) {
    row.redacted = true;
    decision.changed = true;
  }
  if (sighting.rank > row.rank) {
    decision.outcome = Outcome::kRevised;
    decision.changed = true;
    TakeOver(sighting, now_ms, &decision);
  } else {
    decision.outcome = sighting.rank == row.rank ? Outcome::kDuplicate : Outcome::kStaleRevision;
    if (promoted) {
      AddCounts(row, -1, &decision.counts);
      row.counted.live = true;
      AddCounts(row, 1, &decision.counts);
      decision.changed = true;
    }
  }
  if (promoted) decision.counts.push_back({sighting.what, Measure::kArticles, 1, true});
  return decision;
}

void PreferModel(bool own_model, Rank* rank) {
  constexpr uint64_t kOwn = uint64_t{1} << 63;
  rank->tie = own_model ? rank->tie | kOwn : rank->tie & ~kOwn;
}

std::string_view DropReason(Outcome outcome) {
  switch (outcome) {
    case Outcome::kStored: return "";
    case Outcome::kRevised: return "revision";
    case Outcome::kDuplicate: return "duplicate";
    case Outcome::kStaleRevision: return "stale_revision";
    case Outcome::kTooLate: return "too_late";
  }
  return "";
}

// Evidence in the part of the text that is not kept would point at nothing.
static void DropEvidenceBeyond(uint64_t kept, v1::Tags* tags) {
  auto* evidence = tags->mutable_evidence();
  evidence->erase(std::remove_if(evidence->begin(), evidence->end(),
                                 [kept](const v1::Evidence& e) { return uint64_t{e.start()} + e.length() > kept; }),
                  evidence->end());
}

std::string EncodeDetail(v1::TaggedArticle* message, bool redacted) {
  v1::Article* article = message->mutable_article();
  std::string* text = article->mutable_text();
  if (redacted) {
    text->clear();
    article->clear_title();
    article->clear_author();
    article->set_redacted(true);
    message->mutable_tags()->clear_evidence();
  } else if (text->size() > kDetailTextBytesMax) {
    size_t end = kDetailTextBytesMax;
    while (end > 0 && (static_cast<unsigned char>((*text)[end]) & 0xc0) == 0x80) --end;
    text->resize(end);
    DropEvidenceBeyond(article->title().size() + 1 + end, message->mutable_tags());
  }
  return message->SerializeAsString();
}

base::Result<std::string> EncodeDetailWithTags(std::string_view detail, const v1::TaggedArticle& message, bool redacted) {
  v1::TaggedArticle out;
  if (!out.ParseFromArray(detail.data(), static_cast<int>(detail.size()))) return base::DataLoss("article detail: damaged");
  *out.mutable_tags() = message.tags();
  *out.mutable_tagged_at() = message.tagged_at();
  *out.mutable_query_fingerprints() = message.query_fingerprints();
  DropEvidenceBeyond(out.article().title().size() + 1 + out.article().text().size(), out.mutable_tags());
  return EncodeDetail(&out, redacted || out.article().redacted());
}

}  // namespace racewatch::store
