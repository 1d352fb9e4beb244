// A batch of re-tagged articles → one transaction on a generation that is being built: rows, details, times, counts and
// stories, decided as the active generation decides (apply.h), with what the records lack taken from there. Reads at Fill,
// keeps nothing beyond it. One thread; the engine outlives it.
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
#include "store/generation_engine.h"
#include "store/saved_query/saved_queries.h"
#include "store/story_step.h"

namespace racewatch::store {

class ShadowBatch {
 public:
  // `queries`: as ReadQueries tells of this generation.
  ShadowBatch(const GenerationEngine& engine, const Generation& generation, const std::vector<SavedQuery>& queries, uint32_t late_days_max,
              base::UnixMs now_ms)
      : engine_(engine), view_(engine.whole(), generation.number), generation_(generation), queries_(queries),
        late_days_max_(late_days_max), now_ms_(now_ms) {}

  // Adds to `batch` what the records do, for the engine with all generations. Errors: those of its reads.
  base::Status Fill(const std::vector<const base::Record*>& records, Batch* batch);

  uint64_t counted() const { return counted_; }  // new here, or revised
  const std::map<std::string, uint64_t>& dropped() const { return dropped_; }

 private:
  struct Item;
  struct Known {
    std::optional<std::string> stored;  // as read
    std::optional<ArticleRow> before, row;
    std::optional<ArticleRow> active;
    std::optional<std::string> detail;  // of the active generation
    std::optional<std::string> kept;    // detail here, as written by an earlier record
    std::optional<std::string> led;     // the story that it was the earliest copy of when it left with its frozen day
  };
  std::vector<QuerySlot> QueriesOf(const Item& item) const;
  base::Status ReadKnown(const std::vector<Item>& items);
  base::Status ApplyOne(Item* item, Batch* batch);
  base::Status WriteDetail(Item* item, Known* known, Outcome outcome, Batch* batch);
  base::Status ReadLeads();
  base::Status MirrorStories(Batch* batch);
  void Put(Table table, std::string_view key, std::string value, Batch* batch);

  const GenerationEngine& engine_;
  const GenerationView view_;
  const Generation generation_;
  const std::vector<SavedQuery>& queries_;
  const uint32_t late_days_max_;
  const base::UnixMs now_ms_;
  std::unordered_map<std::string, Known> known_;
  uint64_t counted_ = 0;
  std::map<std::string, uint64_t> dropped_;
};

}  // namespace racewatch::store
