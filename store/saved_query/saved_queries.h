// Saved queries of the configuration as counted series. Each has a slot: a series number of its own (series.h), never given
// out twice, so that counts of different questions cannot mix. Which slot means what stands in one row of Table::kMeta, which
// whoever starts or reloads a store brings up to date. Values, but for RegisterQueries; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/config.h"
#include "base/status.h"
#include "store/engine.h"
#include "store/saved_query/expression.h"

namespace racewatch::v1 {
class StoreConfig;
class TaggedArticle;
}  // namespace racewatch::v1

namespace racewatch::store {

inline constexpr int kQueriesMax = 50;

inline constexpr uint32_t kNoGeneration = UINT32_MAX;

struct SavedQuery {
  QuerySlot slot = 0;
  std::string name;
  std::string expression;
  uint64_t fingerprint = 0;
  base::UnixMs since_ms = 0;  // articles fetched later are counted; 0: all
  uint32_t whole_from = kNoGeneration;  // first generation that counts all, because its re-tag asks the whole archive
};

// Problems as `queries[i].member: what`.
void ValidateQueries(const v1::StoreConfig& config, base::Problems* problems);

// The queries in force, by the table; those of former configurations are left out. Since when they count is told of this
// generation; nullopt: of the active one.
base::Result<std::vector<SavedQuery>> ReadQueries(const View& view, std::optional<uint32_t> generation = std::nullopt);
// Of all of them together; 0: there is none.
uint64_t FingerprintOf(const std::vector<SavedQuery>& queries);
// Adds to `batch` that the re-tag which begins with it asks the queries in force of the whole archive.
base::Status AskInGeneration(const View& view, uint32_t generation, Batch* batch);
// What to say of a name that is not among them.
std::string UnknownQuery(const std::vector<SavedQuery>& queries, std::string_view name);
const SavedQuery* FindQuery(const std::vector<SavedQuery>& queries, std::string_view name);

// Makes the table say what `config` (valid) says and returns it. INVALID_ARGUMENT: every slot has been given out. Errors of
// the engine otherwise; ABORTED when another store was at it, ask again.
base::Result<std::vector<SavedQuery>> RegisterQueries(Engine& engine, const v1::StoreConfig& config);

// Which queries an article meets. Not thread-safe: it keeps the prepared texts between calls.
class QueryMatcher {
 public:
  QueryMatcher() = default;
  explicit QueryMatcher(const std::vector<SavedQuery>& queries);

  bool empty() const { return queries_.empty(); }
  // Slots, ascending. Of an article without its text, those whose fingerprints it carries.
  std::vector<QuerySlot> Match(const v1::TaggedArticle& article, const Contribution& what);
  // Asks an article that has its text and makes it carry the answer; one whose text was removed has it already.
  void Ask(v1::TaggedArticle* article);
  // What an article that loses its text must carry.
  void KeepFingerprints(const std::vector<QuerySlot>& slots, v1::TaggedArticle* article) const;

 private:
  struct Compiled {
    QuerySlot slot;
    uint64_t fingerprint;
    BooleanQuery query;
  };
  std::vector<Compiled> queries_;
  bool reads_text_ = false;
  SearchText title_, text_;
};

}  // namespace racewatch::store
