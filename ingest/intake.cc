#include "ingest/intake.h"

#include <xxhash.h>

#include <algorithm>
#include <utility>

#include "ingest/article_edit.h"
#include "ingest/article_record.h"
#include "ingest/url.h"

namespace racewatch::ingest {
namespace {

// What may be on its way at once, over all documents: records with the sink, drafts waiting for their page.
constexpr size_t kSentMax = 4096;
constexpr size_t kSentBytesMax = 32u << 20;
constexpr size_t kHeldBytesMax = 64u << 20;

constexpr base::UnixMs kEarliestUpdateMs = 631'152'000'000;  // 1990

size_t HeldBytes(const Draft& draft) { return draft.article.text().size() + draft.article.title().size() + 512; }

}  // namespace

Intake::Intake(const ArticleBuilder& builder, Identity& identity, SeenSet& seen, Outbox& outbox, const base::Clock& clock,
               Hooks hooks)
    : builder_(builder), identity_(identity), seen_(seen), outbox_(outbox), clock_(clock), hooks_(std::move(hooks)) {}

void Intake::Count(const std::string& outcome, const std::string& reason) {
  --counts_.in_flight;
  if (outcome == "sent")
    ++counts_.sent;
  else if (outcome == "revision")
    ++counts_.revisions;
  else if (outcome == "dead_lettered")
    ++counts_.dead_lettered;
  else
    ++counts_.dropped[reason];
  if (hooks_.entry_done) hooks_.entry_done(outcome, reason);
}

void Intake::Hold(Item* item, size_t bytes) {
  held_bytes_ += bytes;
  held_bytes_ -= item->held_bytes;
  item->held_bytes = bytes;
}

bool Intake::HasRoom() const {
  return outbox_.in_flight() < kSentMax && outbox_.in_flight_bytes() < kSentBytesMax && held_bytes_ < kHeldBytesMax;
}

base::Status Intake::Take(uint64_t feed, Feed document, const FeedSpec& spec) {
  const uint64_t number = next_job_++;
  Job& job = jobs_[number];
  job.feed = feed;
  job.spec = spec;
  job.feed_hash = XXH3_64bits(spec.id.data(), spec.id.size());
  job.fetched_ms = clock_.NowMs();
  job.keys = ArticleBuilder::KeysOf(document, spec.id);
  job.yield.feed_title = document.title;
  job.yield.fetch.entries = document.entries.size();
  counts_.entries += document.entries.size();
  counts_.in_flight += document.entries.size();
  job.document = std::move(document);
  for (const FeedDeletion& deletion : job.document.deletions) RW_RETURN_IF_ERROR(TakeDeletion(number, &job, deletion));
  waiting_jobs_.push_back(number);
  return Advance();
}

base::Status Intake::Advance() {
  while (CanAdvance()) {
    const uint64_t number = waiting_jobs_.front();
    Job& job = jobs_.at(number);
    if (job.next_entry == job.document.entries.size()) {
      waiting_jobs_.pop_front();
      job.document.entries.clear();
      job.next_entry = 0;
      CloseIfDone(number);
      continue;
    }
    const size_t i = job.next_entry++;
    if (const auto reason = builder_.DropReason(job.document.entries[i], job.spec, job.fetched_ms); !reason.empty()) {
      job.document.entries[i] = {};
      Count("dropped", std::string(reason));
      continue;
    }
    Draft draft = builder_.FromEntry(job.document.entries[i], job.keys[i], job.document, job.spec);
    job.document.entries[i] = {};
    if (draft.claims.feed) job.yield.fetch.published.push_back(draft.claims.feed->time_ms);
    RW_RETURN_IF_ERROR(TakeEntry(number, &job, std::move(draft)));
  }
  return {};
}

base::Status Intake::TakeEntry(uint64_t number, Job* job, Draft draft) {
  if (draft.article.title().empty() && !draft.wants_page) {
    Count("dropped", "no_title");
    return {};
  }
  RW_ASSIGN_OR_RETURN(Resolution resolution, identity_.Resolve(number, draft, job->feed_hash));
  if (seen_.IsTakenDown(resolution.id)) {
    Count("dropped", "taken_down");
    return {};
  }
  if (resolution.verdict == Verdict::kDuplicate || resolution.verdict == Verdict::kBusy) {
    if (resolution.verdict == Verdict::kBusy) job->yield.complete = false;
    Duplicate(job, draft, resolution);
    return {};
  }
  identity_.Claim(number, resolution.id, draft);
  if (resolution.verdict == Verdict::kNew) {
    ++job->yield.fetch.new_entries;
    job->yield.fetch.new_times.push_back(draft.claims.feed ? draft.claims.feed->time_ms : 0);
  }
  const uint64_t ticket = next_ticket_++;
  job_of_ticket_[ticket] = number;
  Item& item = job->open.emplace(ticket, Item{std::move(draft), std::move(resolution), {}}).first->second;
  Hold(&item, HeldBytes(item.draft));
  if (item.draft.wants_page)
    hooks_.want_page(ticket, item.draft.article.url(), job->spec);
  else
    Send(number, job, ticket);
  return {};
}

// The article goes on its way once more, without title and text: what was counted stays counted. One that we do not
// know, or know to be withdrawn, is nothing new.
base::Status Intake::TakeDeletion(uint64_t number, Job* job, const FeedDeletion& deletion) {
  std::optional<ArticleId> id;
  if (!deletion.id.empty()) {
    RW_ASSIGN_OR_RETURN(id, identity_.Known(GuidKey(job->spec.id, deletion.id), {}));
  }
  for (const std::string* url : {&deletion.link, &deletion.id}) {
    const auto canonical = id ? std::nullopt : Canonicalize(*url);
    if (!canonical) continue;
    RW_ASSIGN_OR_RETURN(id, identity_.Known(UrlKey(canonical->key), {}));
  }
  if (!id) return {};
  RW_ASSIGN_OR_RETURN(std::optional<v1::SeenArticle> known, seen_.Find(*id));
  if (!known || known->withdrawn() || identity_.IsClaimed(*id)) return {};
  ++counts_.entries;
  ++counts_.in_flight;
  Draft draft;
  v1::Article& article = draft.article;
  article.set_feed_id(job->spec.id);
  article.set_id_rule(kIdRule);
  article.set_lane(v1::LANE_LIVE);
  article.set_redacted(true);
  article.set_withdrawn(true);
  if (known->published_ms() > 0) draft.claims.feed = TimeClaim{known->published_ms(), v1::DATE_PRECISION_SECOND};
  builder_.Finish(*id, known->first_fetched_ms(), job->fetched_ms, &draft);
  identity_.Claim(number, *id, draft);
  SeenMark mark{*id, *known};
  mark.article.set_withdrawn(true);
  mark.article.set_last_seen_day(DayOf(job->fetched_ms));
  mark.article.clear_title();
  mark.article.clear_paragraphs();
  const uint64_t ticket = next_ticket_++;
  job_of_ticket_[ticket] = number;
  Resolution resolution{Verdict::kRevision, *id, std::move(known), {}};
  Item& item = job->open.emplace(ticket, Item{std::move(draft), std::move(resolution), std::move(mark)}).first->second;
  outbox_.Send(ticket, ArticleRecord(item.draft.article));
  return {};
}

// Keeps the mark alive while the article is in a feed, and learns its new names.
void Intake::Duplicate(Job* job, const Draft& draft, const Resolution& resolution) {
  Count("dropped", "duplicate");
  if (!resolution.known) return;
  const int32_t today = DayOf(job->fetched_ms);
  const bool stale = resolution.known->last_seen_day() < today;
  if (stale) {
    SeenMark mark{resolution.id, *resolution.known};
    mark.article.set_last_seen_day(today);
    job->update.marks.push_back(std::move(mark));
  }
  for (const ArticleId& key : stale ? draft.keys : resolution.new_aliases) job->update.aliases.emplace_back(key, resolution.id);
}

std::optional<uint64_t> Intake::FeedOfPage(uint64_t page) const {
  const auto found = job_of_ticket_.find(page);
  if (found == job_of_ticket_.end()) return std::nullopt;
  return jobs_.at(found->second).feed;
}

base::Status Intake::OnPage(uint64_t page, const Page* extracted, const std::string& final_url) {
  const auto found = job_of_ticket_.find(page);
  if (found == job_of_ticket_.end()) return {};  // abandoned meanwhile
  const uint64_t number = found->second;
  Job& job = jobs_.at(number);
  Item& item = job.open.at(page);
  if (extracted != nullptr) {
    builder_.AddPage(*extracted, final_url, &item.draft);
    Hold(&item, HeldBytes(item.draft));
    if (!extracted->consent_wall && !extracted->captcha)
      RW_RETURN_IF_ERROR(Merge(number, ArticleBuilder::KeysOf(*extracted, final_url), &item));
  }
  Send(number, &job, page);
  CloseIfDone(number);
  return {};
}

// The page may turn out to be an article we know under its real address (link shorteners, aggregators).
base::Status Intake::Merge(uint64_t number, const ArticleBuilder::PageKeys& keys, Item* item) {
  for (const auto* key : {&keys.strong, &keys.weak}) {
    if (!key->has_value()) continue;
    const ArticleId own = item->resolution.id;
    RW_ASSIGN_OR_RETURN(const std::optional<ArticleId> other, identity_.Known(**key, own));
    if (!other) {
      item->draft.keys.push_back(**key);
      identity_.ClaimKey(number, **key, own);
      continue;
    }
    if (item->resolution.verdict != Verdict::kNew) continue;
    RW_ASSIGN_OR_RETURN(std::optional<v1::SeenArticle> known, seen_.Find(*other));
    // A canonical link may be wrong (a section, the home page): believe it only with the same title.
    if (key == &keys.weak && (!known || known->title_hash() != item->draft.title_hash)) continue;
    item->resolution.id = *other;
    item->resolution.known = std::move(known);
    const bool better = item->resolution.known && item->draft.article.body_quality() > item->resolution.known->body_quality();
    item->resolution.verdict = better ? Verdict::kRevision : Verdict::kDuplicate;
    return {};
  }
  return {};
}

// Fixes id, times and mark. False: it is no better than what was sent before.
bool Intake::RankAndFinish(const Job& job, Item* item) {
  const auto& known = item->resolution.known;
  const base::UnixMs now = clock_.NowMs();
  const auto& updated = item->draft.updated_ms;
  const bool usable = updated && *updated >= kEarliestUpdateMs && *updated <= now + 600'000;
  base::UnixMs revision_at = usable ? *updated : job.fetched_ms;
  // Edited without a new update time: the fetch orders it.
  if (known && revision_at <= known->revision_at_ms()) revision_at = std::max(job.fetched_ms, known->revision_at_ms() + 1);
  const base::UnixMs first_fetched = known ? known->first_fetched_ms() : job.fetched_ms;
  builder_.Finish(item->resolution.id, first_fetched, revision_at, &item->draft);
  const v1::Article& article = item->draft.article;
  item->mark.id = item->resolution.id;
  v1::SeenArticle& seen = item->mark.article;
  if (known) seen = *known;
  seen.set_entry_hash(item->draft.entry_hash);
  seen.set_last_seen_day(DayOf(job.fetched_ms));
  const uint64_t hash = ContentHash(article.title(), article.text());
  const bool back = known && known->withdrawn();
  const bool outranked = known && ((hash == known->content_hash() && !back) || article.body_quality() < known->body_quality());
  if (outranked) return false;
  if (known) DescribeEdit(*known, &item->draft.article);
  RememberVersion(article, &seen);
  seen.set_withdrawn(false);
  seen.set_body_quality(article.body_quality());
  seen.set_revision_at_ms(revision_at);
  seen.set_content_hash(hash);
  seen.set_title_hash(item->draft.title_hash);
  seen.set_first_fetched_ms(first_fetched);
  seen.set_published_ms(item->draft.claims.feed ? item->draft.claims.feed->time_ms : 0);
  if (!known) seen.set_feed_hash(job.feed_hash);
  return true;
}

void Intake::Send(uint64_t number, Job* job, uint64_t ticket) {
  Item& item = job->open.at(ticket);
  if (item.resolution.verdict == Verdict::kDuplicate) {
    if (item.resolution.known) {
      item.mark = {item.resolution.id, *item.resolution.known};
      item.mark.article.set_last_seen_day(DayOf(job->fetched_ms));
    }
    End(number, ticket, "dropped", "duplicate");
    return;
  }
  if (!RankAndFinish(*job, &item)) {
    End(number, ticket, "dropped", "outranked");
    return;
  }
  if (item.draft.article.title().empty()) {  // its page had none either: not asked for again until it changes
    item.mark.article.set_body_quality(v1::BODY_QUALITY_UNSPECIFIED);
    End(number, ticket, "dropped", "no_title");
    return;
  }
  outbox_.Send(ticket, ArticleRecord(item.draft.article));
  item.draft.article.Clear();  // the outbox holds it from here on
  Hold(&item, 0);
}

base::Status Intake::OnFinished(const Outbox::Finished& finished) {
  const auto found = job_of_ticket_.find(finished.ticket);
  if (found == job_of_ticket_.end()) return {};
  const uint64_t number = found->second;
  const Item& item = jobs_.at(number).open.at(finished.ticket);
  const bool revision = item.resolution.verdict == Verdict::kRevision;
  End(number, finished.ticket, finished.dead_lettered ? "dead_lettered" : revision ? "revision" : "sent", "");
  CloseIfDone(number);
  return {};
}

// The entry is dealt with: its mark joins what the document will commit.
void Intake::End(uint64_t number, uint64_t ticket, const std::string& outcome, const std::string& reason) {
  Job& job = jobs_.at(number);
  auto node = job.open.extract(ticket);
  Item& item = node.mapped();
  if (!item.mark.id.empty()) {
    for (const ArticleId& key : item.draft.keys) job.update.aliases.emplace_back(key, item.mark.id);
    job.update.marks.push_back(std::move(item.mark));
  }
  Hold(&item, 0);
  job_of_ticket_.erase(ticket);
  Count(outcome, reason);
}

void Intake::CloseIfDone(uint64_t number) {
  const auto it = jobs_.find(number);
  if (it == jobs_.end() || !it->second.open.empty() || !it->second.document.entries.empty()) return;
  const auto node = jobs_.extract(it);
  Job job = std::move(node.mapped());
  hooks_.document_done(job.feed, job.yield, std::move(job.update));
  identity_.Release(number);  // after the commit: from here on the seen-set knows
}

void Intake::Abandon() {
  std::vector<uint64_t> numbers;
  for (const auto& [number, job] : jobs_) numbers.push_back(number);
  for (const uint64_t number : numbers) {
    Job& job = jobs_.at(number);
    job.yield.complete = false;
    std::vector<uint64_t> tickets;
    for (auto& [ticket, item] : job.open) {
      item.mark = {};  // not acknowledged: not seen
      tickets.push_back(ticket);
    }
    for (const uint64_t ticket : tickets) End(number, ticket, "dropped", "interrupted");
    for (size_t i = job.next_entry; i < job.document.entries.size(); ++i) Count("dropped", "interrupted");
    job.document.entries.clear();
    CloseIfDone(number);
  }
  waiting_jobs_.clear();
}

}  // namespace racewatch::ingest
