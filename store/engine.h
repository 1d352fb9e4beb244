// The store's database: ordered tables of bytes with one rule, that a batch happens whole or not at all and
// only while its owner still owns what it says. Implementations: RocksDbEngine (private state folder),
// FakeEngine (tests); the interface asks nothing that one SQL transaction per Commit could not do.
//
// Commits happen one after the other, whichever thread or process makes them; any thread may read. Errors:
// FAILED_PRECONDITION = fenced (another owner claimed the partition), ABORTED = a row that the batch relies on has
// changed since it was read: nothing was written in both cases. UNAVAILABLE = the database is away, and whether the
// batch happened may be unknown. After both of the latter read again, then decide again. DATA_LOSS = damaged state.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bus/record.h"
#include "base/status.h"
#include "store/counts.h"

namespace racewatch::store {

// Version of the layout of all tables; a state written by a newer build is refused.
// (Migrate in migrations.h brings an older one up.)
inline constexpr uint32_t kSchemaVersion = 6;

enum class Table : uint8_t {
  kMeta = 1,         // name → value
  kPosition = 2,     // the engine's own: (cluster, topic, partition) → (epoch, next offset)
  kWindow = 3,       // the engine's own: window rows (counts.h)
  kFamily = 4,       // the engine's own: family rows (counts.h)
  kArticle = 5,      // article id → ArticleRow
  kDetail = 6,       // article id → TaggedArticle with the beginning of its text
  kUrl = 7,          // hash of the address → article id
  kFeed = 8,         // sequence → FeedRow, in the order counted
  kTime = 9,         // (event hour, article id) → nothing
  kTrail = 10,       // article id → why it was dropped
  kStoryQueue = 11,  // sequence → StoryWork
  kStory = 12,       // story id → StoryRow
  kStoryMember = 13, // (story id, article id) → MemberRow
  kStoryTime = 14,   // (published of the earliest copy, story id) → nothing
  kStoryEntry = 15,  // sequence → entry of the story index
  kAlertLog = 16,    // sequence → Alert
  kOutbox = 17,      // sequence of the alert log → nothing; deleted once delivered
  kGeneration = 18,  // (generation, table, key) → a row of that table as generation_engine.h says
  kStoryLead = 19,   // id of an article that left with its frozen day → id of the story it is the earliest copy of
  kCorrection = 20,  // what readers corrected, and how to find it (corrections.cc)
};
inline constexpr Table kLastTable = Table::kCorrection;

inline Table TableOf(CountLedger::Kind kind) { return static_cast<Table>(kind); }
static_assert(static_cast<int>(CountLedger::Kind::kWindow) == static_cast<int>(Table::kWindow));
static_assert(static_cast<int>(CountLedger::Kind::kFamily) == static_cast<int>(Table::kFamily));
static_assert(static_cast<int>(CountLedger::Kind::kGeneration) == static_cast<int>(Table::kGeneration));

// A partition as owned by one instance. Every new claim has a greater epoch and fences the older ones.
struct Claim {
  std::string cluster_id;
  base::TopicPartition where;
  int64_t epoch = 0;
  int64_t next_offset = -1;  // resume here; -1: nothing stored yet
};

struct Write {
  enum class Kind : uint8_t { kPut, kDelete, kDeleteRange };
  Kind kind;
  Table table;
  std::string key;
  std::string value;  // kDeleteRange: the end, exclusive
};

// What a row must be when the batch is committed.
struct Expectation {
  Table table;
  std::string key;
  std::optional<std::string> value;  // nullopt: absent
  uint64_t moment = 0;               // of the engine, when it was read; 0: not known
};

// Everything that one transaction does. Of several writes to one key the last counts; a key inside a deleted range
// must not be written as well. Not thread-safe; reuse it with Clear.
class Batch {
 public:
  void Put(Table table, std::string key, std::string value) {
    writes_.push_back({Write::Kind::kPut, table, std::move(key), std::move(value)});
  }
  void Delete(Table table, std::string key) { writes_.push_back({Write::Kind::kDelete, table, std::move(key), {}}); }
  void DeleteRange(Table table, std::string begin, std::string end) {
    writes_.push_back({Write::Kind::kDeleteRange, table, std::move(begin), std::move(end)});
  }
  // Adds a row under the table's next number: ascending in the order of commits, from 1, never given out twice.
  void Append(Table table, std::string value) { appends_.emplace_back(table, std::move(value)); }
  // The commit fails with ABORTED unless the row is `value` still.
  void Expect(Table table, std::string key, std::optional<std::string> value, uint64_t moment = 0) {
    expectations_.push_back({table, std::move(key), std::move(value), moment});
  }
  // Put that expects the row to be as it was read. At most one for each key.
  void Replace(Table table, std::string key, std::optional<std::string> before, std::string value, uint64_t moment = 0) {
    Expect(table, key, std::move(before), moment);
    Put(table, std::move(key), std::move(value));
  }
  void Count(CountChange change) { counts_.push_back(std::move(change)); }
  // The commit fails unless `claim` is still the latest of its partition.
  void Require(const Claim& claim) { owners_.push_back({claim, -1}); }
  // The same, and makes `next_offset` the partition's resume position.
  void Advance(const Claim& claim, int64_t next_offset) { owners_.push_back({claim, next_offset}); }

  struct Owner {
    Claim claim;
    int64_t next_offset;
  };
  const std::vector<Write>& writes() const { return writes_; }
  const std::vector<std::pair<Table, std::string>>& appends() const { return appends_; }
  const std::vector<Expectation>& expectations() const { return expectations_; }
  const std::vector<CountChange>& counts() const { return counts_; }
  const std::vector<Owner>& owners() const { return owners_; }
  void Clear() {
    writes_.clear();
    appends_.clear();
    expectations_.clear();
    counts_.clear();
    owners_.clear();
  }

 private:
  std::vector<Write> writes_;
  std::vector<std::pair<Table, std::string>> appends_;
  std::vector<Expectation> expectations_;
  std::vector<CountChange> counts_;
  std::vector<Owner> owners_;
};

// A consistent view of all tables.
class View {
 public:
  virtual ~View() = default;
  virtual base::Result<std::optional<std::string>> Get(Table table, std::string_view key) const = 0;
  virtual base::Result<std::vector<std::optional<std::string>>> MultiGet(
      Table table, const std::vector<std::string_view>& keys) const = 0;
  // Rows with begin ≤ key < end in key order (or from the end backwards) until `visit` returns false. An
  // empty `end` is the end of the table.
  using Visit = std::function<bool(std::string_view key, std::string_view value)>;
  virtual base::Status Scan(Table table, std::string_view begin, std::string_view end, bool reverse,
                            const Visit& visit) const = 0;
};

class Engine : public View {
 public:
  // Takes the partition: increments its epoch durably and says where to resume.
  virtual base::Result<Claim> TakeClaim(const std::string& cluster_id, const base::TopicPartition& where) = 0;
  // Takes or prolongs the lease `name` for `time`. nullopt: another holder's lease still runs. A change of holder
  // fences the former one: commits that require its claim fail. Any thread.
  virtual base::Result<std::optional<Claim>> TakeLease(const std::string& name, const std::string& holder,
                                                       std::chrono::milliseconds time) = 0;
  // True when other processes may write too.
  virtual bool shared() const { return false; }
  // Grows with every commit; 0: not kept. While it stays the same, a row is as it was read, and need not be read again to
  // see that.
  virtual uint64_t moment() const { return 0; }
  // Atomic and durable (fsync) when it returns OK.
  virtual base::Status Commit(const Batch& batch) = 0;
  // Commit in two halves, for who has other work to do while the disk writes: what it did is durable once Sync has returned
  // OK; nothing is written before that is so, thus a kill or a power cut takes the last one or none. Reads of the engine
  // itself see it at once, a Snapshot never shows what is not durable.
  virtual base::Status CommitUnsynced(const Batch& batch) { return Commit(batch); }
  // Any thread. UNAVAILABLE: nothing is lost, call it again.
  virtual base::Status Sync() const { return {}; }
  // Something is committed and not durable yet.
  virtual bool unsynced() const { return false; }
  // Reads as of now, whatever is committed later. The engine outlives it.
  virtual std::unique_ptr<View> Snapshot() const = 0;
  // The engine with every generation in it; differs only for GenerationEngine.
  virtual const Engine& whole() const { return *this; }
};

}  // namespace racewatch::store
