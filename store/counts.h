// Exact counts per window: what one article adds (Contribution), how it is written down, and the ledger
// that turns changes into rows. A window row holds the counts of every series in one slice of one window;
// a family row holds how often one publisher family occurs in a window, so that distinct publishers are
// counted exactly too. The ledger belongs to an engine, which calls it under its own lock.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "store/series.h"

namespace racewatch::store {

inline constexpr base::UnixMs kMsPerHour = 3600 * 1000;
inline constexpr base::UnixMs kMsPerDay = 24 * kMsPerHour;

enum class WindowKind : uint8_t {
  kHour = 1,     // window = hours since 1970
  kDay = 2,      // window = days since 1970
  kAll = 3,      // one window, everything that is counted
  kUndated = 4,  // one window, the part of kAll without an event time
  kFirst = 5,    // one window, first taggings on the live lane: never falls; articles only
};

enum class Measure : uint8_t { kArticles = 0, kStories = 1, kPublishers = 2 };
inline constexpr size_t kMeasures = 3;

// When an article counts. Day precision has a day but no hour; unknown has neither.
struct EventTime {
  base::UnixMs ms = 0;  // 0: unknown
  bool day_only = false;
  friend bool operator==(const EventTime&, const EventTime&) = default;
};

// What one article, or the earliest copy of one story, adds to the counts.
struct Contribution {
  Labels labels;
  EventTime event;
  uint8_t language = 0;  // index into base::kLanguages
  uint8_t group = 0;     // index into base::kPublisherGroups
  uint64_t family = 0;   // XXH3-64 of the publisher family
  bool live = false;     // counts in the ten-minute slots as well
  std::vector<QuerySlot> queries;  // saved queries it meets, ascending
  friend bool operator==(const Contribution&, const Contribution&) = default;
};

struct CountChange {
  Contribution what;
  Measure measure = Measure::kArticles;  // kArticles or kStories; publishers follow from articles
  int8_t sign = 1;
  bool first = false;  // count in kFirst only, which all generations share
  uint32_t generation = 0;  // whose rows (generation_engine.h)
};

// The counts of one window in one slice.
class WindowRow {
 public:
  uint32_t Get(SeriesId series, Measure measure) const {
    const size_t cell = series * kMeasures + static_cast<size_t>(measure);
    return cell < cells_.size() ? cells_[cell] : 0;
  }
  // False when the count would fall below zero (a programmer error or damaged state).
  bool Add(SeriesId series, Measure measure, int delta);

  // Non-zero cells only.
  std::string Encode() const {
    std::string out;
    EncodeTo(&out);
    return out;
  }
  void EncodeTo(std::string* out) const;  // replaces what it held
  static base::Result<WindowRow> Decode(std::string_view bytes);

 private:
  void Grow(size_t cells);
  std::vector<uint32_t> cells_;  // what lies behind its end is zero
  std::vector<uint64_t> used_;   // a bit for each cell that is not: most are, and Encode passes over them
};

// Key of a window row in Table::kWindow: kind, slice, window big-endian, so one slice scans in time order.
std::string WindowRowKey(WindowKind kind, Slice slice, uint32_t window);
struct WindowRowName {
  WindowKind kind;
  Slice slice;
  uint32_t window;
};
base::Result<WindowRowName> ParseWindowRowKey(std::string_view key);

// Key in Table::kGeneration of the row `key` of another table (by its number) of one generation.
std::string GenerationKey(uint32_t generation, uint8_t table, std::string_view key);

// Key of a family row in Table::kFamily: kind, window big-endian, family. The prefix has no family.
std::string FamilyRowPrefix(WindowKind kind, uint32_t window);
// Calls `visit` with each (series, slice, articles) of a family row.
base::Status DecodeFamilyRow(std::string_view bytes, const std::function<void(SeriesId, Slice, uint32_t)>& visit);

// Adds up changes over a bounded cache of decoded rows. Protocol per transaction: Apply, write what
// `write` was given, then Committed or RolledBack.
class CountLedger {
 public:
  // The table of a row, by its number in engine.h.
  enum class Kind : uint8_t { kWindow = 3, kFamily = 4, kGeneration = 18 };
  // Reads a stored row; nullopt when absent.
  using Load = std::function<base::Result<std::optional<std::string>>(Kind, std::string_view key)>;
  // Takes a new value; an empty value means: delete the row.
  using Write = std::function<void(Kind, std::string_view key, std::string_view value)>;

  // The windows that it adds up: two ledgers, one of hours and one of the others, may share the work of a transaction.
  enum class Part : uint8_t { kWhole, kHours, kOthers };
  // The cache holds at most these many rows between transactions (about 5 KB and 0.4 KB each).
  explicit CountLedger(Part part = Part::kWhole, size_t window_rows_max = 4096, size_t family_rows_max = 65536);
  ~CountLedger();

  // The rows that Apply would load, so that an engine can fetch them together.
  std::vector<std::pair<Kind, std::string>> Missing(const std::vector<CountChange>& changes) const;

  // INTERNAL when a count would fall below zero; DATA_LOSS when a stored row does not decode.
  base::Status Apply(const std::vector<CountChange>& changes, const Load& load, const Write& write);
  void Committed();
  void RolledBack();  // forgets every row touched since the last Committed
  void Clear();       // forgets every row: somebody else may have changed them

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace racewatch::store
