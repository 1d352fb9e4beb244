// The conformance suite of engines: the same rules for the fake and for RocksDB.
#include "store/engine.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "store/rocksdb_engine.h"
#include "tests/store/fake_engine.h"
#include "tests/store/temp_dir.h"

namespace racewatch::store {
namespace {

const base::TopicPartition kWhere{"racewatch.tagged.v1", 0};

std::unique_ptr<RocksDbEngine> OpenRocksDb(const std::string& path) {
  auto engine = RocksDbEngine::Open({.path = path});
  EXPECT_TRUE(engine.ok()) << engine.status().ToString();
  return std::move(engine).value();
}

class EngineTest : public testing::TestWithParam<bool> {
 protected:
  EngineTest() {
    if (GetParam()) engine_ = OpenRocksDb(dir_.path() + "/store");
    else engine_ = std::make_unique<FakeEngine>();
  }
  std::string Read(const View& view, Table table, std::string_view key) {
    return view.Get(table, key).value().value_or("(none)");
  }
  TempDir dir_;
  std::unique_ptr<Engine> engine_;
};
INSTANTIATE_TEST_SUITE_P(All, EngineTest, testing::Values(false, true),
                         [](const auto& which) { return which.param ? "RocksDb" : "Fake"; });

TEST_P(EngineTest, ABatchWritesEverythingAtOnce) {
  Claim claim = engine_->TakeClaim("c1", kWhere).value();
  EXPECT_EQ(claim.next_offset, -1);
  Batch batch;
  batch.Put(Table::kMeta, "a", "1");
  batch.Put(Table::kFeed, "b", "2");
  batch.Advance(claim, 17);
  ASSERT_TRUE(engine_->Commit(batch).ok());
  EXPECT_EQ(Read(*engine_, Table::kMeta, "a"), "1");
  EXPECT_EQ(Read(*engine_, Table::kFeed, "b"), "2");
  EXPECT_EQ(engine_->TakeClaim("c1", kWhere)->next_offset, 17);
}

TEST_P(EngineTest, AnOlderEpochIsFencedAndWritesNothing) {
  const Claim zombie = engine_->TakeClaim("c1", kWhere).value();
  const Claim owner = engine_->TakeClaim("c1", kWhere).value();
  Batch late;
  late.Put(Table::kMeta, "a", "zombie");
  late.Count({.what = {.event = {1000}}});
  late.Advance(zombie, 99);
  const base::Status status = engine_->Commit(late);
  EXPECT_EQ(status.code(), base::Code::kFailedPrecondition) << status.ToString();
  EXPECT_NE(status.message().find("fenced"), std::string::npos);
  EXPECT_EQ(Read(*engine_, Table::kMeta, "a"), "(none)");
  EXPECT_EQ(Read(*engine_, Table::kWindow, WindowRowKey(WindowKind::kAll, kAllSlice, 0)), "(none)");
  Batch good;
  good.Advance(owner, 5);
  EXPECT_TRUE(engine_->Commit(good).ok());
}

TEST_P(EngineTest, PositionsOfAnotherClusterAreNotOurs) {
  Batch batch;
  batch.Advance(engine_->TakeClaim("c1", kWhere).value(), 40);
  ASSERT_TRUE(engine_->Commit(batch).ok());
  EXPECT_EQ(engine_->TakeClaim("c2", kWhere)->next_offset, -1);
  EXPECT_EQ(engine_->TakeClaim("c1", {kWhere.topic, 1})->next_offset, -1);
}

TEST_P(EngineTest, ScansInKeyOrderBothWaysWithinBounds) {
  Batch batch;
  for (const char* key : {"b", "a", "d", "c"}) batch.Put(Table::kTrail, key, key);
  batch.Put(Table::kTime, "b", "other table");
  ASSERT_TRUE(engine_->Commit(batch).ok());
  std::string forward, backward, bounded;
  const auto into = [](std::string* out) {
    return [out](std::string_view key, std::string_view) { return out->append(key), true; };
  };
  ASSERT_TRUE(engine_->Scan(Table::kTrail, "", "", false, into(&forward)).ok());
  ASSERT_TRUE(engine_->Scan(Table::kTrail, "", "", true, into(&backward)).ok());
  ASSERT_TRUE(engine_->Scan(Table::kTrail, "b", "d", false, into(&bounded)).ok());
  EXPECT_EQ(forward, "abcd");
  EXPECT_EQ(backward, "dcba");
  EXPECT_EQ(bounded, "bc");
}

TEST_P(EngineTest, DeletesRowsAndRanges) {
  Batch batch;
  for (const char* key : {"a", "b", "c", "d"}) batch.Put(Table::kTime, key, "x");
  ASSERT_TRUE(engine_->Commit(batch).ok());
  batch.Clear();
  batch.Delete(Table::kTime, "d");
  batch.DeleteRange(Table::kTime, "a", "c");
  ASSERT_TRUE(engine_->Commit(batch).ok());
  std::string left;
  ASSERT_TRUE(engine_->Scan(Table::kTime, "", "", false, [&](auto key, auto) { return left.append(key), true; }).ok());
  EXPECT_EQ(left, "c");
}

TEST_P(EngineTest, ASnapshotDoesNotSeeLaterCommits) {
  Batch batch;
  batch.Put(Table::kMeta, "a", "before");
  ASSERT_TRUE(engine_->Commit(batch).ok());
  const auto snapshot = engine_->Snapshot();
  batch.Clear();
  batch.Put(Table::kMeta, "a", "after");
  ASSERT_TRUE(engine_->Commit(batch).ok());
  EXPECT_EQ(Read(*snapshot, Table::kMeta, "a"), "before");
  EXPECT_EQ(Read(*engine_, Table::kMeta, "a"), "after");
}

TEST_P(EngineTest, ACountBelowZeroIsRefusedAndLeavesTheCountsAlone) {
  Contribution what{.event = {kMsPerDay}};
  Batch batch;
  batch.Count({.what = what});
  ASSERT_TRUE(engine_->Commit(batch).ok());
  batch.Clear();
  batch.Count({.what = what, .sign = -1});
  batch.Count({.what = what, .sign = -1});
  EXPECT_EQ(engine_->Commit(batch).code(), base::Code::kInternal);
  const auto row = WindowRow::Decode(Read(*engine_, Table::kWindow, WindowRowKey(WindowKind::kAll, kAllSlice, 0)));
  EXPECT_EQ(row->Get(kAnySeries, Measure::kArticles), 1u);
  // The ledger's cache must agree with the disk after the refused batch.
  batch.Clear();
  batch.Count({.what = what});
  ASSERT_TRUE(engine_->Commit(batch).ok());
  EXPECT_EQ(WindowRow::Decode(Read(*engine_, Table::kWindow, WindowRowKey(WindowKind::kAll, kAllSlice, 0)))
                ->Get(kAnySeries, Measure::kArticles), 2u);
}

TEST(RocksDbEngineTest, KeepsEverythingOverAReopen) {
  TempDir dir;
  {
    auto engine = OpenRocksDb(dir.path());
    Batch batch;
    batch.Put(Table::kMeta, "a", "1");
    batch.Advance(engine->TakeClaim("c", kWhere).value(), 7);
    ASSERT_TRUE(engine->Commit(batch).ok());
  }
  auto engine = OpenRocksDb(dir.path());
  EXPECT_EQ(engine->Get(Table::kMeta, "a")->value(), "1");
  const Claim claim = engine->TakeClaim("c", kWhere).value();
  EXPECT_EQ(claim.next_offset, 7);
  EXPECT_EQ(claim.epoch, 2);
}

TEST(RocksDbEngineTest, ASecondOwnerOfTheStateFolderIsRefused) {
  TempDir dir;
  auto engine = OpenRocksDb(dir.path());
  const auto second = RocksDbEngine::Open({.path = dir.path()});
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), base::Code::kFailedPrecondition);
  EXPECT_NE(second.status().message().find("in use by another process"), std::string::npos) << second.status().message();
}

TEST(RocksDbEngineTest, AStateOfANewerVersionIsRefusedByName) {
  TempDir dir;
  {
    auto engine = OpenRocksDb(dir.path());
    Batch batch;
    std::string version;
    AppendVarint(&version, kSchemaVersion + 1);
    batch.Put(Table::kMeta, "schema", version);
    ASSERT_TRUE(engine->Commit(batch).ok());
  }
  const auto newer = RocksDbEngine::Open({.path = dir.path()});
  ASSERT_FALSE(newer.ok());
  EXPECT_EQ(newer.status().code(), base::Code::kFailedPrecondition);
  EXPECT_NE(newer.status().message().find("newer"), std::string::npos);
}

// What a power cut leaves: the end of the write-ahead log is missing.
TEST(RocksDbEngineTest, ATornTailLosesOnlyWhatWasTorn) {
  TempDir dir;
  {
    auto engine = OpenRocksDb(dir.path());
    for (int i = 0; i < 20; ++i) {
      Batch batch;
      batch.Put(Table::kTrail, std::to_string(100 + i), std::string(100, 'x'));
      ASSERT_TRUE(engine->Commit(batch).ok());
    }
  }
  std::filesystem::path log;
  for (const auto& file : std::filesystem::directory_iterator(dir.path()))
    if (file.path().extension() == ".log" && std::filesystem::file_size(file.path()) > 0) log = file.path();
  ASSERT_FALSE(log.empty());
  std::filesystem::resize_file(log, std::filesystem::file_size(log) - 10);
  auto engine = OpenRocksDb(dir.path());
  int rows = 0;
  ASSERT_TRUE(engine->Scan(Table::kTrail, "", "", false, [&](auto, auto) { return ++rows, true; }).ok());
  EXPECT_EQ(rows, 19);
}

}  // namespace
}  // namespace racewatch::store
