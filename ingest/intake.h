// One document's way from parsed feed to acknowledged articles: draft → identity → page (when the feed gave
// a summary only) → record → delivery report → seen marks. Owned by the loop thread; several documents are
// on their way at once. Every entry ends in exactly one count: sent, revision, dropped(reason), dead-lettered.
// Nothing is marked as seen before its delivery is acknowledged. Errors are those of the seen-set's disk.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "ingest/article_builder.h"
#include "ingest/feed_health.h"
#include "ingest/identity.h"
#include "ingest/outbox.h"

namespace racewatch::ingest {

// entries = sent + revisions + sum(dropped) + dead_lettered + in_flight, at any moment.
struct IngestCounts {
  uint64_t entries = 0;
  uint64_t sent = 0;
  uint64_t revisions = 0;
  std::map<std::string, uint64_t> dropped;
  uint64_t dead_lettered = 0;
  uint64_t in_flight = 0;
};

class Intake {
 public:
  struct Hooks {
    // A page is wanted; answer with OnPage, once.
    std::function<void(uint64_t page, const std::string& url, const FeedSpec& feed)> want_page;
    // All entries of a document are dealt with; `update` holds the marks to commit (without the feed row).
    std::function<void(uint64_t feed, const DocumentYield&, SeenUpdate)> document_done;
    // For metrics: one entry ended. `reason` is empty for sent articles.
    std::function<void(const std::string& outcome, const std::string& reason)> entry_done;
  };

  // All references outlive the intake.
  Intake(const ArticleBuilder& builder, Identity& identity, SeenSet& seen, Outbox& outbox, const base::Clock& clock, Hooks hooks);

  // Takes a document of feed number `feed`; its entries go on their way in order, as there is room.
  base::Status Take(uint64_t feed, Feed document, const FeedSpec& spec);

  // Goes on with entries that waited for room. Call it once per round of the loop.
  base::Status Advance();
  // True when Advance would have something to do.
  bool CanAdvance() const { return !waiting_jobs_.empty() && HasRoom(); }

  // The feed whose entry wants this page; nullopt when it was abandoned.
  std::optional<uint64_t> FeedOfPage(uint64_t page) const;

  // The page asked for, or nullptr when it could not be had: the article goes on with what the feed gave.
  base::Status OnPage(uint64_t page, const Page* extracted, const std::string& final_url);

  // Delivery reports.
  base::Status OnFinished(const Outbox::Finished& finished);

  // Ends every document with what is delivered so far; the rest will be found again at the next start.
  void Abandon();

  size_t documents() const { return jobs_.size(); }
  // True while entries wait for room: no new documents, please.
  bool has_waiting() const { return !waiting_jobs_.empty(); }
  const IngestCounts& counts() const { return counts_; }

 private:
  struct Item {
    Draft draft;  // its article is handed on and gone once it is sent
    Resolution resolution;
    SeenMark mark;
    size_t held_bytes = 0;
  };
  struct Job {
    uint64_t feed = 0;
    FeedSpec spec;
    Feed document;
    std::vector<ArticleBuilder::EntryKeys> keys;
    size_t next_entry = 0;
    uint64_t feed_hash = 0;
    base::UnixMs fetched_ms = 0;
    DocumentYield yield;
    SeenUpdate update;
    std::unordered_map<uint64_t, Item> open;  // by ticket
  };

  base::Status TakeEntry(uint64_t number, Job* job, Draft draft);
  base::Status TakeDeletion(uint64_t number, Job* job, const FeedDeletion& deletion);
  void Duplicate(Job* job, const Draft& draft, const Resolution& resolution);
  base::Status Merge(uint64_t number, const ArticleBuilder::PageKeys& keys, Item* item);
  void Send(uint64_t number, Job* job, uint64_t ticket);
  bool RankAndFinish(const Job& job, Item* item);
  void End(uint64_t number, uint64_t ticket, const std::string& outcome, const std::string& reason);
  bool HasRoom() const;
  void Hold(Item* item, size_t bytes);
  void Count(const std::string& outcome, const std::string& reason);
  void CloseIfDone(uint64_t number);

  const ArticleBuilder& builder_;
  Identity& identity_;
  SeenSet& seen_;
  Outbox& outbox_;
  const base::Clock& clock_;
  const Hooks hooks_;
  IngestCounts counts_;
  std::unordered_map<uint64_t, Job> jobs_;
  std::deque<uint64_t> waiting_jobs_;  // with entries not yet taken, oldest first
  std::unordered_map<uint64_t, uint64_t> job_of_ticket_;
  uint64_t next_job_ = 1;
  uint64_t next_ticket_ = 1;
  size_t held_bytes_ = 0;
};

}  // namespace racewatch::ingest
