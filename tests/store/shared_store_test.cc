// What several store processes over one database do to each other: zombies, fences, leases, two writers, a server that
// goes away. The processes are store loops in threads of one test, over the shared fake or over PostgreSQL.
#include <gtest/gtest.h>
#include <libpq-fe.h>

#include <chrono>
#include <future>
#include <latch>
#include <thread>

#include "racewatch/v1/config.pb.h"
#include "store/applier.h"
#include "store/article_row.h"
#include "store/codec.h"
#include "store/digest.h"
#include "store/postgresql_engine.h"
#include "store/progress.h"
#include "store/store_config.h"
#include "tests/fakes/fake_bus.h"
#include "tests/fakes/manual_clock.h"
#include "tests/store/article_maker.h"
#include "tests/store/fake_engine.h"
#include "tests/store/loop_life.h"
#include "tests/store/naive_recount.h"
#include "tests/store/pg_server.h"
#include "tests/store/temp_dir.h"

namespace racewatch::store {
namespace {

using std::chrono::milliseconds;

const base::TopicPartition kWhere{"racewatch.tagged.v1", 0};

v1::StoreConfig SharedConfig(uint32_t lease_ms) {
  v1::StoreConfig config;
  config.set_batch_records_max(20);
  config.mutable_postgresql()->set_lease_ms(lease_ms);
  return WithDefaults(config);
}

// One of several store processes, stepped by hand.
struct Instance final : LoopLife {
  Instance(Engine& engine, fakes::FakeLog& bus, fakes::ManualClock& clock, uint32_t lease_ms)
      : LoopLife(SharedConfig(lease_ms), engine, bus, clock, "store") {}
  void Step() { ASSERT_TRUE(LoopLife::Step()) << status.ToString(); }
};

class SharedStoreTest : public testing::Test {
 protected:
  SharedStoreTest() { engine_.SetShared(true); }
  void Publish(const std::vector<v1::TaggedArticle>& stream) {
    for (const auto& article : stream) {
      base::Record record = ToRecord(article);
      record.partition = record.offset = -1;
      bus_.Append(std::move(record));
      stream_.push_back(article);
    }
  }
  // Steps all until everything published is counted and told apart into stories.
  void Settle(const std::vector<Instance*>& instances) {
    const NaiveCounts expected = Recount(stream_);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    for (int i = 0; std::chrono::steady_clock::now() < deadline; ++i) {
      for (Instance* one : instances) one->Step();
      if (i % 20 == 0 && Queued() == 0 && ReadCounts(engine_) == expected) return;
    }
    FAIL() << "the stores did not come to rest: " << Queued() << " queued, counts " << (ReadCounts(engine_) == expected ? "equal" : "differ");
  }
  size_t Queued() {
    size_t n = 0;
    (void)engine_.Scan(Table::kStoryQueue, "", "", false, [&](auto, auto) { return ++n, true; });
    return n;
  }
  static int Leaders(const std::vector<Instance*>& instances) {
    int n = 0;
    for (const Instance* one : instances) n += one->loop.leading();
    return n;
  }
  FakeEngine engine_;
  fakes::ManualClock clock_{kTestNow};
  fakes::FakeLog bus_{4, &clock_};
  std::vector<v1::TaggedArticle> stream_;
};

TEST_F(SharedStoreTest, ThreeStoresShareThePartitionsAndOneLeads) {
  auto a = std::make_unique<Instance>(engine_, bus_, clock_, 3'600'000);
  Publish(RandomStream(1, {.ids = 80, .records = 200}));
  a->Step();  // owns everything and reads some of it before the others come
  Instance b(engine_, bus_, clock_, 3'600'000), c(engine_, bus_, clock_, 3'600'000);
  Settle({a.get(), &b, &c});
  EXPECT_EQ(Leaders({a.get(), &b, &c}), 1);
  EXPECT_GT(b.loop.counts().received + c.loop.counts().received, 0u);
  a.reset();  // leaves: hands its partitions over, and the lead if it had it
  Publish(RandomStream(2, {.ids = 80, .records = 200}));
  Settle({&b, &c});
  EXPECT_EQ(Leaders({&b, &c}), 1);
}

TEST_F(SharedStoreTest, AZombieIsFencedRejoinsAndCountsNothingTwice) {
  Publish(RandomStream(3, {.ids = 80, .records = 120}));
  Instance zombie(engine_, bus_, clock_, 3'600'000);
  zombie.Step();
  // While it sleeps, somebody else takes everything it owns and reads on.
  Instance other(engine_, bus_, clock_, 3'600'000);
  const auto owned = zombie.source.assignment();
  const auto positions = other.OnAssigned(owned);
  Publish(RandomStream(4, {.ids = 80, .records = 120}));
  zombie.Step();
  zombie.Step();  // its commit was refused; what it owns now it has from the group
  Settle({&zombie, &other});
}

TEST_F(SharedStoreTest, ALeaderWhoseLeaseWasTakenStopsLeadingAndGoesOnCounting) {
  Publish(RandomStream(5, {.ids = 80, .records = 60}));
  Instance first(engine_, bus_, clock_, 3'600'000);  // by its own clock it leads for an hour
  for (int i = 0; i < 100'000'000 && !first.loop.leading(); ++i) first.Step();
  ASSERT_TRUE(first.loop.leading());
  engine_.ExpireLeases();
  Instance second(engine_, bus_, clock_, 60'000);
  for (int i = 0; i < 100'000'000 && !second.loop.leading(); ++i) second.Step();
  ASSERT_TRUE(second.loop.leading());
  ASSERT_TRUE(first.loop.leading()) << "it does not know yet";
  Publish(RandomStream(6, {.ids = 80, .records = 120}));
  Settle({&first, &second});
  EXPECT_FALSE(first.loop.leading());
}

// As one that was stopped and wakes up: its metrics are read before it takes another step.
TEST_F(SharedStoreTest, ALeaderWhoseLeaseHasRunOutSaysSoWithoutAStep) {
  Instance store(engine_, bus_, clock_, 5000);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!store.loop.leading() && std::chrono::steady_clock::now() < deadline) store.Step();
  ASSERT_TRUE(store.loop.leading());
  engine_.CutLeases();
  while (store.loop.leading() && std::chrono::steady_clock::now() < deadline) std::this_thread::sleep_for(milliseconds(20));
  EXPECT_FALSE(store.loop.leading());
}

// One store alone, over an engine whose commits become durable later.
TEST_F(SharedStoreTest, NothingIsAnnouncedBeforeItIsDurableAndADiskThatFailsForAWhileLosesNothing) {
  engine_.SetShared(false);
  Publish(RandomStream(7, {.ids = 80, .records = 200}));
  const auto announced = [this] {
    int64_t records = 0;
    for (int32_t partition = 0; partition < 4; ++partition)
      records += std::max<int64_t>(0, bus_.Committed("store", {kWhere.topic, partition}));
    return records;
  };
  Instance store(engine_, bus_, clock_, 3'600'000);
  engine_.FailSyncs(4);
  store.Step();
  EXPECT_EQ(store.loop.counts().received, 20u) << "counted";
  EXPECT_EQ(announced(), 0);
  Settle({&store});
  EXPECT_EQ(announced(), 200);
}

class PostgreSqlTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!server_.why().empty()) GTEST_SKIP() << server_.why();
  }
  std::unique_ptr<PostgreSqlEngine> Open(milliseconds idle = milliseconds(5000)) {
    auto engine = PostgreSqlEngine::Open({.conninfo = server_.conninfo(), .schema = schema_, .idle_ms_max = idle});
    EXPECT_TRUE(engine.ok()) << engine.status().ToString();
    return std::move(engine).value();
  }
  void Run(const std::string& sql) {
    PGconn* const connection = PQconnectdb(server_.conninfo().c_str());
    PGresult* const result = PQexec(connection, ("SET search_path TO " + schema_ + "; " + sql).c_str());
    EXPECT_EQ(PQresultStatus(result), PGRES_COMMAND_OK) << PQerrorMessage(connection);
    PQclear(result);
    PQfinish(connection);
  }
  // Counts the stream and makes the state what a build of that schema had made of it, with more rows to bring up than one
  // commit does. Returns how many rows the feed has.
  uint64_t MakeOld(uint64_t version, const std::vector<v1::TaggedArticle>& stream);
  const PgServer server_;
  const std::string schema_ = PgServer::NewSchema();
};

constexpr uint32_t kFrozenDay = 20'000;

uint64_t PostgreSqlTest::MakeOld(uint64_t version, const std::vector<v1::TaggedArticle>& stream) {
  const auto engine = Open();
  std::vector<base::Record> records;
  for (const auto& article : stream) records.push_back(ToRecord(article, 0, static_cast<int64_t>(records.size())));
  Batch batch;
  Applier applier(*engine, {});
  EXPECT_TRUE(applier.Apply(records, kTestNow, &batch).ok());
  for (uint64_t i = 0; i < 5000; ++i) batch.Append(Table::kFeed, FeedRow{std::string(sizeof(ArticleId), 'i'), 1}.Encode());
  EXPECT_TRUE(engine->Commit(batch).ok());

  batch.Clear();
  std::string number;
  AppendVarint(&number, version);
  batch.Put(Table::kMeta, "schema", number);
  batch.Put(Table::kMeta, std::string(kFrozenKey), EncodeFrozen(kFrozenDay));
  batch.Delete(Table::kMeta, std::string(kLeadsKey));
  uint64_t rows = 0;
  EXPECT_TRUE(engine->Scan(Table::kFeed, "", "", false, [&](std::string_view key, std::string_view value) {
    ++rows;
    if (version == 1) batch.Put(Table::kFeed, std::string(key), FeedRow::Decode(value)->article);
    return true;
  }).ok());
  EXPECT_TRUE(engine->Commit(batch).ok());
  Run(version < 4 ? "DROP TABLE correction, story_lead, generation" : "DROP TABLE correction, story_lead");
  return rows;
}

TEST_F(PostgreSqlTest, TwoWritersOnSharedRowsAgreeWithTheRecount) {
  const auto stream = RandomStream(8, {.ids = 200, .records = 800});
  const auto half = [&](int which) {
    const auto engine = Open();
    Applier applier(*engine, {});
    const Claim claim = engine->TakeClaim("c", {kWhere.topic, which}).value();
    std::vector<base::Record> records;
    for (const auto& article : stream)
      if (std::hash<std::string>()(article.article().id()) % 2 == static_cast<size_t>(which))
        records.push_back(ToRecord(article, which, static_cast<int64_t>(records.size())));
    for (size_t from = 0; from < records.size(); from += 40) {
      const size_t to = std::min(records.size(), from + 40);
      base::Status status = base::Aborted("");
      while (status.code() == base::Code::kAborted) {
        ASSERT_TRUE(applier.Reload().ok());
        Batch batch;
        ASSERT_TRUE(applier.Apply({records.begin() + static_cast<long>(from), records.begin() + static_cast<long>(to)}, kTestNow, &batch).ok());
        batch.Advance(claim, static_cast<int64_t>(to));
        status = engine->Commit(batch);
      }
      ASSERT_TRUE(status.ok()) << status.ToString();
    }
  };
  Open();
  std::thread first([&] { half(0); }), second([&] { half(1); });
  first.join();
  second.join();
  EXPECT_EQ(ReadCounts(*Open()), Recount(stream));
}

TEST_F(PostgreSqlTest, StoresThatStartTogetherBringAnOlderStateUpOnceAndWhole) {
  constexpr int kStores = 6;
  const auto stream = RandomStream(10);
  const NaiveCounts expected = Recount(stream);
  for (const uint64_t version : {1, 4}) {
    const uint64_t rows = MakeOld(version, stream);
    std::latch start(kStores);
    std::vector<std::future<base::Status>> stores;
    for (int i = 0; i < kStores; ++i)
      stores.push_back(std::async(std::launch::async, [&, i]() -> base::Status {
        start.arrive_and_wait();
        RW_ASSIGN_OR_RETURN(const auto engine, PostgreSqlEngine::Open({.conninfo = server_.conninfo(), .schema = schema_}));
        EXPECT_EQ(ReadCounts(*engine), expected) << version;
        uint64_t known = 0;
        RW_RETURN_IF_ERROR(engine->Scan(Table::kFeed, "", "", false, [&](std::string_view, std::string_view value) {
          return known += FeedRow::Decode(value).ok(), true;
        }));
        EXPECT_EQ(known, rows) << version;
        Batch batch;  // in tables that the older build did not have
        for (const Table table : {Table::kCorrection, Table::kStoryLead, Table::kGeneration}) batch.Put(table, "store" + std::to_string(i), "here");
        return engine->Commit(batch);
      }));
    for (auto& store : stores) {
      const base::Status status = store.get();
      EXPECT_TRUE(status.ok()) << version << ": " << status.ToString();
    }
    const auto engine = Open();
    std::string current;
    AppendVarint(&current, kSchemaVersion);
    EXPECT_EQ(engine->Get(Table::kMeta, "schema").value(), current);
    EXPECT_EQ(DecodeFrozen(engine->Get(Table::kMeta, kLeadsKey).value()).value(), kFrozenDay);
    Run("DROP SCHEMA " + schema_ + " CASCADE");
  }
}

TEST_F(PostgreSqlTest, AStoreWaitsLongerForTheMigrationOfAnotherThanForItsCommits) {
  PGconn* const migrating = PQconnectdb(server_.conninfo().c_str());
  const std::string name = "racewatch " + schema_;
  PQclear(PQexec(migrating, ("SELECT pg_advisory_lock(hashtext('" + name + "'))").c_str()));
  auto opened = std::async(std::launch::async, [&] {
    return PostgreSqlEngine::Open({.conninfo = server_.conninfo(), .schema = schema_, .idle_ms_max = milliseconds(50)}).status();
  });
  const std::string waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'advisory' AND query LIKE '%" + name + "%' AND "
                            "clock_timestamp() - query_start > interval '200 ms'";
  for (bool seen = false; !seen && opened.wait_for(milliseconds(10)) != std::future_status::ready;) {
    PGresult* const result = PQexec(migrating, waits.c_str());
    seen = PQntuples(result) > 0;
    PQclear(result);
  }
  PQfinish(migrating);
  const base::Status status = opened.get();
  EXPECT_TRUE(status.ok()) << status.ToString();
}

// A process stopped in the middle of sending holds the lock of the schema, and the server waits for it without an end.
TEST_F(PostgreSqlTest, AWriterStoppedInMidTransactionHoldsNobodyUpForLong) {
  const auto engine = Open(milliseconds(200));
  PGconn* const stopped = PQconnectdb(server_.conninfo().c_str());
  PQclear(PQexec(stopped, ("SET search_path TO " + schema_).c_str()));
  ASSERT_EQ(PQenterPipelineMode(stopped), 1);
  for (const char* sql : {"BEGIN", "UPDATE commits SET number = number + 1 RETURNING number"})
    ASSERT_EQ(PQsendQueryParams(stopped, sql, 0, nullptr, nullptr, nullptr, nullptr, 0), 1);
  ASSERT_EQ(PQsendFlushRequest(stopped), 1);
  ASSERT_EQ(PQflush(stopped), 0);
  for (int i = 0; i < 2; ++i) {  // both are done: it holds the lock, and nothing more comes
    PQclear(PQgetResult(stopped));
    EXPECT_EQ(PQgetResult(stopped), nullptr);
  }
  Batch batch;
  batch.Put(Table::kMeta, "a", "1");
  base::Status status = base::Unavailable("");
  for (int tries = 0; tries < 50 && status.retryable(); ++tries) status = engine->Commit(batch);
  EXPECT_TRUE(status.ok()) << status.ToString();
  PQfinish(stopped);
}

TEST_F(PostgreSqlTest, AServerKilledUnderLoadLosesNothingThatWasCommitted) {
  TempDir dir;
  const PgServer own(dir.path());
  ASSERT_EQ(own.why(), "");
  const auto opened = PostgreSqlEngine::Open({.conninfo = own.conninfo()});
  ASSERT_TRUE(opened.ok()) << opened.status().ToString();
  Engine& engine = **opened;
  const auto stream = RandomStream(9);
  Applier applier(engine, {});
  const Claim claim = engine.TakeClaim("c", kWhere).value();
  std::vector<base::Record> records;
  for (const auto& article : stream) records.push_back(ToRecord(article, 0, static_cast<int64_t>(records.size())));
  bool crashed = false;
  for (size_t from = 0; from < records.size();) {
    const size_t to = std::min(records.size(), from + 20);
    if (from >= records.size() / 2 && !std::exchange(crashed, true)) {
      ASSERT_TRUE(own.Crash());
      EXPECT_EQ(applier.Reload().code(), base::Code::kUnavailable);
      Batch lost;
      lost.Put(Table::kMeta, "a", "1");
      EXPECT_EQ(engine.Commit(lost).code(), base::Code::kUnavailable);
      ASSERT_TRUE(own.Restart());
    }
    Batch batch;
    base::Status status = applier.Reload();
    if (status.ok()) status = applier.Apply({records.begin() + static_cast<long>(from), records.begin() + static_cast<long>(to)}, kTestNow, &batch).status();
    batch.Advance(claim, static_cast<int64_t>(to));
    if (status.ok()) status = engine.Commit(batch);
    ASSERT_TRUE(status.ok() || status.retryable()) << status.ToString();
    if (status.ok()) from = to;
  }
  EXPECT_EQ(ReadCounts(engine), Recount(stream));
}

TEST_F(PostgreSqlTest, AServerThatIsNotThereIsOneClearLine) {
  const auto engine = PostgreSqlEngine::Open({.conninfo = "host=/nonexistent user=x"});
  ASSERT_FALSE(engine.ok());
  EXPECT_EQ(engine.status().code(), base::Code::kUnavailable);
  EXPECT_EQ(engine.status().message().find('\n'), std::string::npos);
  EXPECT_NE(engine.status().message().find("/nonexistent"), std::string::npos);
}

}  // namespace
}  // namespace racewatch::store
