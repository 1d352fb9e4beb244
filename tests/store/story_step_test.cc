// The story step in two halves: the index decides on a thread of its own while batches are applied.
#include "store/story_step.h"

#include <gtest/gtest.h>

#include "store/applier.h"
#include "store/digest.h"
#include "store/rocksdb_engine.h"
#include "tests/store/article_maker.h"
#include "tests/store/temp_dir.h"

namespace racewatch::store {
namespace {

const base::TopicPartition kWhere{"racewatch.tagged.v1", 0};

// Passes everything on, but refuses the commits it is told to, once each.
class RefusingEngine final : public Engine {
 public:
  explicit RefusingEngine(Engine& inner) : inner_(inner) {}
  void RefuseNext() { refuse_ = true; }

  base::Result<std::optional<std::string>> Get(Table table, std::string_view key) const override { return inner_.Get(table, key); }
  base::Result<std::vector<std::optional<std::string>>> MultiGet(
      Table table, const std::vector<std::string_view>& keys) const override {
    return inner_.MultiGet(table, keys);
  }
  base::Status Scan(Table table, std::string_view begin, std::string_view end, bool reverse,
                    const Visit& visit) const override {
    return inner_.Scan(table, begin, end, reverse, visit);
  }
  base::Result<Claim> TakeClaim(const std::string& cluster_id, const base::TopicPartition& where) override {
    return inner_.TakeClaim(cluster_id, where);
  }
  base::Result<std::optional<Claim>> TakeLease(const std::string& name, const std::string& holder,
                                               std::chrono::milliseconds time) override {
    return inner_.TakeLease(name, holder, time);
  }
  base::Status Commit(const Batch& batch) override {
    if (std::exchange(refuse_, false)) return base::Unavailable("told to");
    return inner_.Commit(batch);
  }
  std::unique_ptr<View> Snapshot() const override { return inner_.Snapshot(); }

 private:
  Engine& inner_;
  bool refuse_ = false;
};

// A store that applies batches of 40 records of one random stream with revisions and repeats.
struct Store {
  Store() {
    EXPECT_TRUE(applier.Reload().ok());
    EXPECT_TRUE(step.Restore().ok());
    leader = engine.TakeClaim("", {"leader", 0}).value();
    claim = engine.TakeClaim("c", kWhere).value();
  }
  // Calls `after` behind each batch.
  template <typename After>
  void ApplyAll(const After& after) {
    int64_t offset = 0;
    std::vector<base::Record> records;
    for (const auto& article : RandomStream(5, {.ids = 200, .records = 800})) {
      records.push_back(ToRecord(article, 0, ++offset));
      if (records.size() < 40) continue;
      Batch batch;
      ASSERT_TRUE(applier.Apply(records, kTestNow, &batch).ok());
      batch.Advance(claim, offset + 1);
      ASSERT_TRUE(engine.Commit(batch).ok());
      records.clear();
      after();
    }
  }
  TempDir dir;
  std::unique_ptr<RocksDbEngine> rocks = RocksDbEngine::Open({.path = dir.path()}).value();
  RefusingEngine engine{*rocks};
  Applier applier{engine, {}};
  StoryStep step{engine, 150};  // articles leave the window
  Claim leader, claim;
};

std::string DigestOfRun() {
  Store store;
  store.ApplyAll([&] { EXPECT_TRUE(store.step.Run(1000, store.leader).ok()); });
  return StoryDigest(store.engine).value() + StateDigest(store.engine).value();
}

TEST(StoryStepTest, AdvanceWritesWhatRunWrites) {
  Store store;
  uint64_t done = 0;
  const auto advance = [&] {
    const auto result = store.step.Advance(30, store.leader);
    EXPECT_TRUE(result.ok());
    done += result->stories;
    return result->more;
  };
  store.ApplyAll([&] {
    store.step.Added();
    EXPECT_TRUE(advance());
  });
  while (advance()) {
  }
  uint64_t counted = 0;
  EXPECT_TRUE(store.engine.Scan(Table::kFeed, "", "", false, [&](auto, auto) { return ++counted, true; }).ok());
  EXPECT_EQ(done, counted);
  EXPECT_FALSE(advance()) << "an empty queue is not looked at again before Added";
  EXPECT_EQ(StoryDigest(store.engine).value() + StateDigest(store.engine).value(), DigestOfRun());
}

TEST(StoryStepTest, ARefusedCommitIsDoneAgainAfterRestore) {
  Store store;
  int calls = 0, refused = 0;
  const auto advance = [&] {
    if (++calls % 3 == 0) store.engine.RefuseNext();
    const auto result = store.step.Advance(30, store.leader);
    if (result.ok()) return result->more;
    ++refused;
    EXPECT_EQ(result.status().code(), base::Code::kUnavailable);
    EXPECT_TRUE(store.step.Restore().ok());
    return true;
  };
  store.ApplyAll([&] {
    store.step.Added();
    advance();
    store.engine.RefuseNext();  // an unused refusal must not hit the applier
    (void)store.engine.Commit({});
  });
  while (advance()) {
  }
  EXPECT_GT(refused, 3);
  EXPECT_EQ(StoryDigest(store.engine).value() + StateDigest(store.engine).value(), DigestOfRun());
}

}  // namespace
}  // namespace racewatch::store
