// The conformance suite of engines: the same rules for the fake, RocksDB and PostgreSQL.
#include "store/engine.h"

#include <gtest/gtest.h>
#include <rocksdb/perf_context.h>
#include <rocksdb/perf_level.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <thread>

#include "store/applier.h"
#include "store/article_row.h"
#include "store/generation_engine.h"
#include "store/migrations.h"
#include "store/postgresql_engine.h"
#include "store/progress.h"
#include "store/rocksdb_engine.h"
#include "tests/store/article_maker.h"
#include "tests/store/fake_engine.h"
#include "tests/store/pg_server.h"
#include "tests/store/power_cut_env.h"
#include "tests/store/temp_dir.h"

namespace racewatch::store {
namespace {

const base::TopicPartition kWhere{"racewatch.tagged.v1", 0};

std::unique_ptr<RocksDbEngine> OpenRocksDb(const std::string& path) {
  auto engine = RocksDbEngine::Open({.path = path});
  EXPECT_TRUE(engine.ok()) << engine.status().ToString();
  return std::move(engine).value();
}

enum class Which { kFake, kRocksDb, kPostgreSql, kFakeGeneration, kRocksDbGeneration };

std::string NameOf(Which which) {
  const std::array names{"Fake", "RocksDb", "PostgreSql", "FakeGeneration", "RocksDbGeneration"};
  return names[static_cast<size_t>(which)];
}

class EngineTest : public testing::TestWithParam<Which> {
 protected:
  void SetUp() override {
    switch (GetParam()) {
      case Which::kFake: engine_ = std::make_unique<FakeEngine>(); return;
      case Which::kRocksDb: engine_ = OpenRocksDb(dir_.path() + "/store"); return;
      case Which::kFakeGeneration: return Wrap(std::make_unique<FakeEngine>());
      case Which::kRocksDbGeneration: return Wrap(OpenRocksDb(dir_.path() + "/store"));
      case Which::kPostgreSql: break;
    }
    const PgServer server;
    if (!server.why().empty()) GTEST_SKIP() << server.why();
    auto engine = PostgreSqlEngine::Open({.conninfo = server.conninfo(), .schema = PgServer::NewSchema()});
    ASSERT_TRUE(engine.ok()) << engine.status().ToString();
    engine_ = std::move(engine).value();
  }
  std::string Read(const View& view, Table table, std::string_view key) {
    return view.Get(table, key).value().value_or("(none)");
  }
  // A generation made by a re-tag is an engine like the others.
  void Wrap(std::unique_ptr<Engine> whole) {
    whole_ = std::move(whole);
    Generations generations{.active = 2, .last = 2, .all = {{2, Generation::State::kActive, "m2", 1, 2}}};
    Batch batch;
    batch.Put(Table::kMeta, std::string(kGenerationsKey), generations.Encode());
    ASSERT_TRUE(whole_->Commit(batch).ok());
    auto engine = std::make_unique<GenerationEngine>(*whole_);
    ASSERT_TRUE(engine->Bind().ok());
    engine_ = std::move(engine);
  }
  TempDir dir_;
  std::unique_ptr<Engine> whole_;
  std::unique_ptr<Engine> engine_;
};
INSTANTIATE_TEST_SUITE_P(All, EngineTest, testing::Values(Which::kFake, Which::kRocksDb, Which::kPostgreSql, Which::kFakeGeneration, Which::kRocksDbGeneration),
                         [](const auto& which) { return NameOf(which.param); });

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

TEST_P(EngineTest, AnUnsyncedCommitIsReadAtOnceAndShownByASnapshotOnceItIsDurable) {
  Batch batch;
  batch.Replace(Table::kMeta, "a", std::nullopt, "1");
  batch.Count({.what = {.event = {kMsPerDay}}});
  ASSERT_TRUE(engine_->CommitUnsynced(batch).ok());
  EXPECT_EQ(Read(*engine_, Table::kMeta, "a"), "1");
  const auto snapshot = engine_->Snapshot();
  EXPECT_EQ(Read(*snapshot, Table::kMeta, "a"), "1");
  EXPECT_FALSE(engine_->unsynced()) << "a snapshot shows nothing that a power cut could take back";
  EXPECT_EQ(engine_->CommitUnsynced(batch).code(), base::Code::kAborted) << "the row is there by now";
  batch.Clear();
  batch.Replace(Table::kMeta, "a", "1", "2");
  ASSERT_TRUE(engine_->CommitUnsynced(batch).ok());
  ASSERT_TRUE(engine_->Sync().ok());
  EXPECT_FALSE(engine_->unsynced());
  batch.Clear();
  batch.Replace(Table::kMeta, "a", "2", "3");
  ASSERT_TRUE(engine_->CommitUnsynced(batch).ok());
  batch.Clear();
  batch.Put(Table::kMeta, "b", "1");
  ASSERT_TRUE(engine_->Commit(batch).ok());
  EXPECT_FALSE(engine_->unsynced()) << "what is durable comes after it";
  EXPECT_EQ(Read(*engine_, Table::kMeta, "a"), "3");
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

// Large batches are encoded, and sent, in several pieces: a refused one leaves nothing of any piece behind.
TEST_P(EngineTest, ALargeBatchThatIsRefusedLeavesNothing) {
  Batch batch;
  const auto fill = [&batch] {
    for (int i = 0; i < 300; ++i) {
      batch.Put(Table::kDetail, std::to_string(1000 + i), std::string(3000, static_cast<char>('a' + i % 26)));
      batch.Append(Table::kStoryQueue, std::string(2000, 'q'));
      batch.Count({.what = {.event = {kMsPerDay + i * 60'000}, .family = static_cast<uint64_t>(i % 7), .live = true}});
    }
  };
  const auto rows = [this](Table table) {
    int n = 0;
    EXPECT_TRUE(engine_->Scan(table, "", "", false, [&n](auto, auto) { return ++n, true; }).ok());
    return n;
  };
  fill();
  batch.Expect(Table::kMeta, "nothing", "something");
  EXPECT_EQ(engine_->Commit(batch).code(), base::Code::kAborted);
  for (const Table table : {Table::kDetail, Table::kStoryQueue, Table::kWindow, Table::kFamily}) EXPECT_EQ(rows(table), 0);
  batch.Clear();
  fill();
  ASSERT_TRUE(engine_->Commit(batch).ok());
  EXPECT_EQ(rows(Table::kDetail), 300);
  EXPECT_EQ(rows(Table::kStoryQueue), 300);
  EXPECT_EQ(Read(*engine_, Table::kDetail, "1027"), std::string(3000, 'b'));
  const auto row = WindowRow::Decode(Read(*engine_, Table::kWindow, WindowRowKey(WindowKind::kAll, kAllSlice, 0)));
  EXPECT_EQ(row->Get(kAnySeries, Measure::kArticles), 300u);
  EXPECT_EQ(row->Get(kAnySeries, Measure::kPublishers), 7u);
}

TEST_P(EngineTest, ARowThatChangedSinceItWasReadIsNotReplaced) {
  Batch batch;
  batch.Replace(Table::kMeta, "a", std::nullopt, "1");
  ASSERT_TRUE(engine_->Commit(batch).ok());
  batch.Put(Table::kMeta, "b", "beside");
  EXPECT_EQ(engine_->Commit(batch).code(), base::Code::kAborted) << "the row is there by now";
  EXPECT_EQ(Read(*engine_, Table::kMeta, "b"), "(none)");
  batch.Clear();
  batch.Replace(Table::kMeta, "a", "1", "2");
  ASSERT_TRUE(engine_->Commit(batch).ok());
  batch.Count({.what = {.event = {1000}}});
  EXPECT_EQ(engine_->Commit(batch).code(), base::Code::kAborted) << "it is no longer 1";
  EXPECT_EQ(Read(*engine_, Table::kMeta, "a"), "2");
  EXPECT_EQ(Read(*engine_, Table::kWindow, WindowRowKey(WindowKind::kAll, kAllSlice, 0)), "(none)");
}

TEST_P(EngineTest, ARowThatChangedSinceTheMomentItWasReadAtIsNotReplaced) {
  Batch batch;
  const uint64_t before = engine_->moment();
  batch.Replace(Table::kMeta, "a", std::nullopt, "1", before);
  ASSERT_TRUE(engine_->CommitUnsynced(batch).ok());
  EXPECT_EQ(engine_->Commit(batch).code(), base::Code::kAborted);
  batch.Clear();
  batch.Replace(Table::kMeta, "a", "1", "2", engine_->moment());
  ASSERT_TRUE(engine_->Commit(batch).ok());
  EXPECT_EQ(engine_->Commit(batch).code(), base::Code::kAborted);
  EXPECT_EQ(Read(*engine_, Table::kMeta, "a"), "2");
}

TEST_P(EngineTest, ABatchMayExpectARowThatItDoesNotWriteOrDeletes) {
  Batch batch;
  batch.Expect(Table::kMeta, "gone", std::nullopt);
  batch.Put(Table::kMeta, "a", "1");
  ASSERT_TRUE(engine_->Commit(batch).ok());
  batch.Clear();
  batch.Expect(Table::kMeta, "a", "2");
  batch.Put(Table::kMeta, "b", "1");
  EXPECT_EQ(engine_->Commit(batch).code(), base::Code::kAborted);
  batch.Clear();
  batch.Expect(Table::kMeta, "a", "1");
  batch.Delete(Table::kMeta, "a");
  ASSERT_TRUE(engine_->Commit(batch).ok());
  EXPECT_EQ(Read(*engine_, Table::kMeta, "a"), "(none)");
}

TEST_P(EngineTest, AppendsAreNumberedInTheOrderOfCommits) {
  Batch batch;
  batch.Append(Table::kFeed, "x");
  batch.Append(Table::kFeed, "y");
  batch.Append(Table::kStoryQueue, "q");
  ASSERT_TRUE(engine_->Commit(batch).ok());
  batch.Clear();
  batch.DeleteRange(Table::kFeed, "", SequenceKey(3));
  ASSERT_TRUE(engine_->Commit(batch).ok());
  batch.Clear();
  batch.Append(Table::kFeed, "z");
  batch.Expect(Table::kMeta, "nothing", "something");
  EXPECT_FALSE(engine_->Commit(batch).ok());
  batch.Clear();
  batch.Append(Table::kFeed, "z");
  ASSERT_TRUE(engine_->Commit(batch).ok());
  EXPECT_EQ(Read(*engine_, Table::kFeed, SequenceKey(3)), "z") << "a number is not given out again, nor lost by a refused batch";
  EXPECT_EQ(Read(*engine_, Table::kFeed, SequenceKey(1)), "(none)");
  EXPECT_EQ(Read(*engine_, Table::kStoryQueue, SequenceKey(1)), "q");
}

TEST_P(EngineTest, OfSeveralWritesToOneKeyTheLastCounts) {
  Batch batch;
  batch.Put(Table::kTime, "a", "1");
  batch.Delete(Table::kTime, "a");
  batch.Put(Table::kTime, "b", "1");
  batch.Put(Table::kTime, "b", "2");
  batch.Delete(Table::kTime, "c");
  batch.Put(Table::kTime, "c", std::string("\0\xff", 2));
  ASSERT_TRUE(engine_->Commit(batch).ok());
  EXPECT_EQ(Read(*engine_, Table::kTime, "a"), "(none)");
  EXPECT_EQ(Read(*engine_, Table::kTime, "b"), "2");
  EXPECT_EQ(Read(*engine_, Table::kTime, "c"), std::string("\0\xff", 2));
}

TEST_P(EngineTest, ALeaseHasOneHolderAndItsSuccessorFencesIt) {
  using std::chrono::milliseconds;
  const auto first = engine_->TakeLease("leader", "a", milliseconds(3'600'000)).value();
  ASSERT_TRUE(first.has_value());
  EXPECT_FALSE(engine_->TakeLease("leader", "b", milliseconds(1000))->has_value()) << "it still runs";
  const auto prolonged = engine_->TakeLease("leader", "a", milliseconds(0)).value();
  ASSERT_TRUE(prolonged.has_value());
  EXPECT_EQ(prolonged->epoch, first->epoch) << "prolonging fences nobody";
  Batch batch;
  batch.Put(Table::kMeta, "a", "1");
  batch.Require(*first);
  EXPECT_TRUE(engine_->Commit(batch).ok()) << "an expired holder leads until somebody takes over";
  const auto second = engine_->TakeLease("leader", "b", milliseconds(3'600'000)).value();
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(engine_->Commit(batch).code(), base::Code::kFailedPrecondition);
  EXPECT_FALSE(engine_->TakeLease("leader", "a", milliseconds(1000))->has_value());
  batch.Clear();
  batch.Require(*second);
  EXPECT_TRUE(engine_->Commit(batch).ok());
}

// A withdrawal knows no labels, and the record of a takedown those of the revision that was taken down.
TEST_P(EngineTest, ATextThatIsRemovedLeavesTheLabelsOfTheWinningRevision) {
  const Claim claim = engine_->TakeClaim("c1", kWhere).value();
  Applier applier(*engine_, {});
  ASSERT_TRUE(applier.Reload().ok());
  int64_t next = 0;
  const auto apply = [&](const std::vector<v1::TaggedArticle>& articles) {
    std::vector<base::Record> records;
    for (const auto& article : articles) records.push_back(ToRecord(article, 0, next++));
    Batch batch;
    ASSERT_TRUE(applier.Apply(records, kTestNow, &batch).ok());
    batch.Advance(claim, next);
    const base::Status status = engine_->Commit(batch);
    ASSERT_TRUE(status.ok()) << status.ToString();
  };
  const auto withdrawal = [](uint64_t n) {
    v1::TaggedArticle out;
    out.mutable_article()->set_id(TestId(n));
    out.mutable_article()->set_redacted(true);
    SetTime(out.mutable_article()->mutable_fetched_at(), kTestNow);
    out.mutable_tags();
    return out;
  };
  const auto takedown = [](uint64_t n) {
    v1::TaggedArticle out = MakeArticle(n);
    for (std::string* text : {out.mutable_article()->mutable_title(), out.mutable_article()->mutable_text()}) text->clear();
    out.mutable_article()->set_redacted(true);
    out.mutable_article()->set_content_hash("0000000000000001");
    out.mutable_tags()->mutable_themes(0)->set_id("markets");
    return out;
  };
  apply({MakeArticle(1), withdrawal(1)});
  apply({MakeArticle(2)});
  apply({withdrawal(2)});
  apply({MakeArticle(3), takedown(3)});
  apply({MakeArticle(4)});
  apply({takedown(4)});
  apply({withdrawal(5), MakeArticle(5)});
  for (uint64_t n = 1; n <= 5; ++n) {
    const std::string id = IdBytes(*ParseArticleId(TestId(n)));
    EXPECT_TRUE(ArticleRow::Decode(Read(*engine_, Table::kArticle, id))->redacted) << n;
    v1::TaggedArticle detail;
    ASSERT_TRUE(detail.ParseFromString(Read(*engine_, Table::kDetail, id))) << n;
    EXPECT_TRUE(detail.article().redacted()) << n;
    EXPECT_EQ(detail.article().title() + detail.article().text(), "") << n;
    EXPECT_EQ(detail.article().url(), MakeArticle(n).article().url()) << n;
    EXPECT_EQ(detail.tags().SerializeAsString(), MakeArticle(n).tags().SerializeAsString()) << n;
  }
}

// As a build before kSchemaVersion 2 left it.
TEST_P(EngineTest, AnOlderStateIsBroughtUp) {
  const std::string id(16, 'i');
  std::string version, progress;
  AppendVarint(&version, 1);
  for (const uint64_t part : {uint64_t{1}, uint64_t{7}}) AppendVarint(&progress, part);
  AppendSigned(&progress, kMsPerDay);
  for (const uint64_t part : {uint64_t{20}, uint64_t{3}, uint64_t{5}}) AppendVarint(&progress, part);
  AppendText(&progress, "m1");
  Batch batch;
  batch.Put(Table::kMeta, "schema", version);
  batch.Put(Table::kMeta, "progress", progress);
  batch.Put(Table::kFeed, SequenceKey(7), id);
  ASSERT_TRUE(engine_->Commit(batch).ok());
  for (int again = 0; again < 2; ++again) {
    ASSERT_TRUE(Migrate(*engine_).ok());
    const Progress now = ReadProgress(*engine_).value();
    EXPECT_EQ(now.stream_ms, kMsPerDay);
    EXPECT_EQ(now.first_hour, 20u);
    EXPECT_EQ(now.model_version, "m1");
    EXPECT_FALSE(now.IsOf("m1", 0, 20, 21, false)) << "nobody noted whose labels they are";
    EXPECT_EQ(DecodeFrozen(engine_->Get(Table::kMeta, kFrozenKey).value()).value(), 3u);
    EXPECT_EQ(DecodeFrozen(engine_->Get(Table::kMeta, kLeadsKey).value()).value(), 3u);
    const auto feed = FeedRow::Decode(Read(*engine_, Table::kFeed, SequenceKey(7)));
    ASSERT_TRUE(feed.ok());
    EXPECT_EQ(feed->article, id);
    EXPECT_EQ(feed->version, 7u);
  }
  batch.Clear();
  batch.Append(Table::kFeed, "next");
  ASSERT_TRUE(engine_->Commit(batch).ok());
  EXPECT_EQ(Read(*engine_, Table::kFeed, SequenceKey(8)), "next");
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

// Ids and addresses of articles are looked up with each one that comes, and most are not there: that must not cost a large
// read each time once there are many.
TEST(RocksDbEngineTest, LookUpsStayCheapWhenTheStateIsLarge) {
  TempDir dir;
  const auto engine = RocksDbEngine::Open({.path = dir.path(), .memtable_bytes = 4u << 20, .cache_bytes = 8u << 20, .fsync = false}).value();
  const auto key = [](uint64_t i) {
    std::string out;
    AppendBig(&out, i * 0x9E3779B97F4A7C15ull);
    AppendBig(&out, i);
    return out;
  };
  for (uint64_t i = 0; i < 1'000'000;) {
    Batch batch;
    for (const uint64_t end = i + 10'000; i < end; ++i) batch.Put(Table::kUrl, key(i), key(i));
    ASSERT_TRUE(engine->CommitUnsynced(batch).ok());
  }
  constexpr uint64_t kLookUps = 4000;
  rocksdb::SetPerfLevel(rocksdb::PerfLevel::kEnableCount);
  const uint64_t before = rocksdb::get_perf_context()->block_read_byte;
  for (uint64_t i = 0; i < kLookUps; ++i) ASSERT_EQ(engine->Get(Table::kUrl, key(5'000'000 + i)).value(), std::nullopt);
  const uint64_t read = rocksdb::get_perf_context()->block_read_byte - before;
  rocksdb::SetPerfLevel(rocksdb::PerfLevel::kDisable);
  EXPECT_LT(read / kLookUps, 16u << 10) << "bytes a look-up";
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

// Work for the story step goes while the details written beside it stay: its room on the disk must come back.
TEST(RocksDbEngineTest, TextsThatWereDeletedGiveTheirRoomBack) {
  TempDir dir;
  auto engine = RocksDbEngine::Open({.path = dir.path(), .memtable_bytes = 1u << 20}).value();
  std::mt19937_64 dice(9);
  const auto noise = [&dice](size_t bytes) {
    std::string out(bytes, '\0');
    for (char& c : out) c = static_cast<char>(dice());
    return out;
  };
  constexpr uint64_t kRows = 12'000, kBehind = 300;
  for (uint64_t i = 0; i < kRows; i += 20) {
    Batch batch;
    for (uint64_t j = i; j < i + 20; ++j) {
      batch.Put(Table::kDetail, noise(16), noise(2500));
      batch.Put(Table::kStoryQueue, SequenceKey(j), noise(5000));
      if (j >= kBehind) batch.Delete(Table::kStoryQueue, SequenceKey(j - kBehind));
    }
    ASSERT_TRUE(engine->CommitUnsynced(batch).ok());
  }
  const uint64_t live = kRows * 2500, written = kRows * 7500;
  for (int i = 0; i < 200 && engine->disk_bytes() > 2 * live; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_LT(engine->disk_bytes(), 2 * live) << "of " << written << " written";
}

// What a power cut leaves of a store that lets the disk work behind: everything that was said to be durable, and of the rest
// the first batches, never one without those before it. Small memtables make the log go on in new files.
TEST(RocksDbEngineTest, APowerCutTakesTheLastUnsyncedBatchOrNone) {
  std::mt19937_64 dice(5);
  for (int cut = 0; cut < 12; ++cut) {
    TempDir dir;
    PowerCutEnv env;
    int committed = 0, durable = 0;
    std::map<std::string, uint64_t> safe;
    {
      auto engine = RocksDbEngine::Open({.path = dir.path(), .memtable_bytes = 128u << 10, .env = &env}).value();
      const int batches = 20 + static_cast<int>(dice() % 100);
      for (; committed < batches; ++committed) {
        Batch batch;
        batch.Put(Table::kTrail, SequenceKey(static_cast<uint64_t>(committed)), std::string(5000, 'x'));
        const bool unsynced = dice() % 5 != 0;
        ASSERT_TRUE((unsynced ? engine->CommitUnsynced(batch) : engine->Commit(batch)).ok());
        durable = unsynced ? std::max(durable, committed) : committed + 1;
        if (dice() % 3 != 0) continue;
        ASSERT_TRUE(engine->Sync().ok());
        durable = committed + 1;
      }
      safe = env.Synced();
    }
    for (const auto& [log, bytes] : safe) {
      std::error_code gone;
      const auto size = std::filesystem::file_size(log, gone);
      if (!gone && size > bytes) std::filesystem::resize_file(log, bytes + dice() % (size - bytes));
    }
    auto engine = OpenRocksDb(dir.path());
    int rows = 0;
    ASSERT_TRUE(engine->Scan(Table::kTrail, "", "", false, [&](std::string_view key, auto) {
      EXPECT_EQ(key, SequenceKey(static_cast<uint64_t>(rows))) << "cut " << cut << ": a hole";
      return ++rows, true;
    }).ok());
    EXPECT_GE(rows, durable) << "cut " << cut;
    EXPECT_GE(rows, committed - 1) << "cut " << cut;
  }
}

}  // namespace
}  // namespace racewatch::store
