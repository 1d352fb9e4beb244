// The story step: takes work off the story queue in order, asks the story index which story each article
// belongs to, and commits members, the story's count (once, in the hour of its earliest copy, with that
// copy's labels), the index entry and the queue's shortening in one transaction: exactly once. A revision
// comes through the queue again and moves its story's count. Called by one thread, which also commits; with
// Advance the index decides the next piece on a thread of its own meanwhile. Engine and claim outlive it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/status.h"
#include "store/article_row.h"
#include "store/engine.h"

namespace racewatch::store {

struct StoryRow {
  ArticleId lead{};       // earliest copy by (published, id); unknown dates come last
  Contribution counted;   // what the story adds, the lead's labels
  uint32_t articles = 0;
  std::string Encode() const;
  static base::Result<StoryRow> Decode(std::string_view bytes);
};

struct MemberRow {
  uint8_t relation = 0;  // StoryRelation
  uint8_t kind = 0;      // StoryKind
  double similarity = 0;
  base::UnixMs event_ms = 0;
  std::string Encode() const;
  static base::Result<MemberRow> Decode(std::string_view bytes);
};

// Brings story `id` of generation `generation` in step with `active`, its row in the active one: what it counts are the labels
// that its earliest copy has there, `lead`. nullptr: not known there yet, the story stays as it is. Adds to `batch`.
void MirrorStory(uint32_t generation, const std::string& id, const StoryRow& active, const std::optional<StoryRow>& mirrored,
                 const Contribution* lead, Batch* batch);

// Counts in `generation` a story that the active one has removed with its frozen day, by the labels of the article that led it.
// `before`: those it counts by so far; nullptr: it does not count yet.
void CountStory(uint32_t generation, const Contribution* before, const Contribution& lead, Batch* batch);

// Key in Table::kStoryTime; ascending by the earliest copy's time, unknown first.
std::string StoryTimeKey(base::UnixMs event_ms, std::string_view story);

class StoryStep {
 public:
  StoryStep(Engine& engine, uint32_t window_articles);
  ~StoryStep();

  // Loads the index from the kept entries; before the first Run and after a failed one.
  base::Status Restore();

  // A generation that is being built beside: articles and stories that change here change there in the same transaction.
  // 0, as at first: none.
  void SetMirror(uint32_t generation);

  // Does at most `work_max` pieces of the queue in one transaction under `leader`; returns how many. 0: the
  // queue is empty. After an error call Restore.
  base::Result<size_t> Run(size_t work_max, const Claim& leader);

  // The queue has grown: Advance has something to do. Restore says so itself.
  void Added();
  struct Done {
    size_t stories = 0;  // pieces committed
    bool more = false;   // something waits or is being decided: call again
  };
  // Run in two halves that overlap with the caller's other work: commits what was being decided since the last
  // call, after waiting for it, and starts deciding the next pieces. The same order, decisions and errors as Run.
  base::Result<Done> Advance(size_t work_max, const Claim& leader);

  // After the last piece decided. Any thread.
  size_t index_bytes() const;
  size_t index_articles() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace racewatch::store
