// Turns polled records into one transaction: reads the rows of all articles of the batch at once, decides
// each record in order (apply.h) and writes rows, counts, indexes, the story work queue and the progress of the
// records' partitions. The commit fails with ABORTED when another writer changed what was read. Nothing is kept
// between batches except numbers that the transaction writes too, so a failed commit is forgotten with Reload.
// One thread calls, and takes a second one for reading and writing texts; the engine outlives it. Errors: those of the
// engine's reads.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/bus/record.h"
#include "base/clock.h"
#include "base/status.h"
#include "store/apply.h"
#include "store/engine.h"
#include "store/progress.h"
#include "store/saved_query/saved_queries.h"

namespace google::protobuf {
class Arena;
}

namespace racewatch::store {

// One piece of work for the story step, in Table::kStoryQueue. Borrows its texts.
struct StoryWork {
  std::string_view article;  // id bytes
  std::string_view title;
  std::string_view text;
  std::string_view url;
  std::string_view publisher_family;
  std::string_view language;
  base::UnixMs published_ms = 0;
  std::string Encode() const;
  // `bytes` outlive the result.
  static base::Result<StoryWork> Decode(std::string_view bytes);
};

struct DeadLetter {
  size_t record;        // index into the batch
  std::string reason;   // undecodable, invalid_article, invalid_tags, key_mismatch
  std::string detail;
};

struct Applied {
  std::vector<DeadLetter> dead_letters;
  uint64_t stored = 0;
  uint64_t tombstones = 0;          // records without a value: nothing to count
  uint64_t foreign_generation = 0;  // re-tags: never touch the active counts
  uint64_t other_model = 0;         // counted, though tagged by another model than that of the generation
  std::unordered_map<Outcome, uint64_t> outcomes;  // everything but kStored
  std::map<base::TopicPartition, base::UnixMs> newest;  // latest first fetch read; never past the clock
};

struct ApplierOptions {
  uint32_t late_days_max = 90;
};

class Applier {
 public:
  Applier(Engine& engine, ApplierOptions options);
  ~Applier();

  // Saved queries from the next batch on, as registered.
  void SetQueries(const std::vector<SavedQuery>& queries) { matcher_ = QueryMatcher(queries); }

  // Before the first batch, after a failed commit and when partitions or the frozen day have changed hands.
  base::Status Reload();

  // The record's value with the fingerprints of the queries it meets, as its detail row will hold it.
  std::string CompleteValue(const base::Record& record);

  // The generation counted into and its model: its labels win over others of the same text. nullopt, as at first: none.
  void SetModel(uint32_t generation, std::optional<std::string> model_version) {
    generation_ = generation;
    model_ = std::move(model_version);
  }

  // Adds what `records` do to `batch` (which may hold claims already); the caller commits.
  base::Result<Applied> Apply(const std::vector<base::Record>& records, base::UnixMs now_ms, Batch* batch);

 private:
  struct Parsed;
  struct Texts;
  static std::vector<Parsed> Read(const std::vector<base::Record>& records, google::protobuf::Arena* arena);
  base::Status ReadKnown(const std::vector<Parsed>& parsed);
  base::Result<Progress*> ProgressOf(const base::TopicPartition& where);
  base::Status ApplyOne(Parsed* parsed, base::UnixMs now_ms, Batch* batch, Applied* out);
  void WriteArticle(Parsed* parsed, const Decision& decision, uint32_t old_hour, Batch* batch);
  void WriteTexts(Batch* batch);
  base::Status RedactTexts(Parsed* parsed);

  Engine& engine_;
  const ApplierOptions options_;
  uint32_t generation_ = 0;
  std::optional<std::string> model_;
  std::optional<std::string> frozen_;  // the row as read
  uint32_t first_open_day_ = 0;
  std::map<base::TopicPartition, Progress> progress_;
  QueryMatcher matcher_;
  struct Known {
    bool found = false;
    bool dirty = false;
    ArticleRow row;
    std::optional<std::string> stored;  // as read
    std::optional<size_t> texts;  // the latest of texts_ that are its own
  };
  std::vector<Texts> texts_;  // of this batch
  uint64_t moment_ = 0;       // of the engine, when its rows were read
  std::unordered_map<std::string, Known> known_;  // rows of this batch, as left by its earlier records
  std::vector<std::string> redacted_;             // ids that this batch takes the text of
};

}  // namespace racewatch::store
