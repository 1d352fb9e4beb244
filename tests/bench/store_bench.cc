// Speed of the store over each engine: apply in batches of 500 with fsync beside the raw rate of the engine for the same
// number of records (an id row, 36 aggregate rows, a position), the story step, and the 90-day answer of GetTrends.
#include <benchmark/benchmark.h>

#include <ctime>
#include <deque>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "racewatch/v1/config.pb.h"
#include "racewatch/v1/store_service.pb.h"
#include "store/applier.h"
#include "store/postgresql_engine.h"
#include "store/query.h"
#include "store/rocksdb_engine.h"
#include "store/story_step.h"
#include "store/sync_ahead.h"
#include "tests/fakes/manual_clock.h"
#include "tests/store/article_maker.h"
#include "tests/store/pg_server.h"
#include "tests/store/temp_dir.h"

namespace racewatch::store {
namespace {

const base::TopicPartition kWhere{"racewatch.tagged.v1", 0};

// Articles of 4.8 KB from 300 publishers, published within the last `hours`.
class Articles {
 public:
  explicit Articles(int hours) : hours_(hours), shapes_(RandomStream(1, {.ids = 4000, .records = 2000, .days = 1, .late = 0})) {
    for (const char* word : {"chips", "export", "model", "Beijing", "licence", "Washington", "open", "weights", "data", "centre"})
      words_.emplace_back(word);
  }
  std::vector<base::Record> Next(size_t n) {
    std::vector<base::Record> out;
    for (size_t i = 0; i < n; ++i) {
      v1::TaggedArticle t = shapes_[dice_() % shapes_.size()];
      v1::Article* a = t.mutable_article();
      a->set_id(TestId(++last_));
      a->set_url("https://paper.example/news/2026/" + std::to_string(last_));
      a->set_canonical_url(a->url());
      a->set_publisher("p" + std::to_string(dice_() % 300) + ".example");
      const base::UnixMs published = kTestNow - static_cast<base::UnixMs>(dice_() % (static_cast<uint64_t>(hours_) * 3'600'000));
      SetTime(a->mutable_published(), published);
      a->set_date_source(v1::DATE_SOURCE_FEED);
      SetTime(a->mutable_fetched_at(), published + 60'000);
      a->set_lane(v1::LANE_LIVE);
      std::string* text = a->mutable_text();
      text->clear();
      while (text->size() < 4800) text->append(words_[dice_() % words_.size()]).append(" ").append(std::to_string(dice_() % 9973)).append(" ");
      out.push_back(ToRecord(t, 0, static_cast<int64_t>(last_)));
    }
    return out;
  }

 private:
  const int hours_;
  const std::vector<v1::TaggedArticle> shapes_;
  std::vector<std::string> words_;
  std::mt19937_64 dice_{7};
  uint64_t last_ = 0;
};

// A PostgreSQL of the bench's own, with fsync, started at first use; nullptr when it is not installed.
const PgServer* Server() {
  static const TempDir dir;
  static const PgServer server(dir.path());
  return server.why().empty() ? &server : nullptr;
}

std::unique_ptr<Engine> OpenPostgreSql() {
  auto engine = PostgreSqlEngine::Open({.conninfo = Server()->conninfo(), .schema = PgServer::NewSchema()});
  return std::move(engine).value();
}

// CPU time of this process, threads and RocksDB's own included, without what happens between Stop and Start.
class CpuClock {
 public:
  void Start() { started_ = std::clock(); }
  void Stop() { used_ += std::clock() - started_; }
  double seconds() const { return static_cast<double>(used_) / CLOCKS_PER_SEC; }

 private:
  std::clock_t started_ = 0, used_ = 0;
};

struct Store {
  explicit Store(int hours) : Store(hours, nullptr) {}
  Store(int hours, std::unique_ptr<Engine> given)
      : engine(given ? std::move(given) : RocksDbEngine::Open({.path = dir.path()}).value()), applier(*engine, {}), articles(hours), syncing(*engine) {
    (void)applier.Reload();
    claim = engine->TakeClaim("bench", kWhere).value();
  }
  // As StoreLoop does it: the disk writes while the next batch is prepared.
  void Apply(const std::vector<base::Record>& records, benchmark::State* state) {
    Batch batch;
    const auto applied = applier.Apply(records, kTestNow, &batch);
    batch.Advance(claim, records.back().offset + 1);
    if (!applied.ok() || applied->stored != records.size() || !engine->CommitUnsynced(batch).ok()) state->SkipWithError("apply failed");
    Finish(state);
    syncing.Start();
  }
  // Waits until everything applied is durable.
  void Finish(benchmark::State* state) {
    if (!syncing.Wait().ok()) state->SkipWithError("sync failed");
  }
  TempDir dir;
  std::unique_ptr<Engine> engine;
  Applier applier;
  Claim claim;
  Articles articles;
  SyncAhead syncing;
};

// The time of a batch runs until it is durable. Articles are made for several batches at once, outside of the time, so that
// the disk works on one batch while the next is applied and not while articles are made.
void RunApply(benchmark::State& state, Store& store, size_t batch) {
  constexpr size_t kBatchesAtOnce = 16;
  std::deque<std::vector<base::Record>> ready;
  CpuClock cpu;
  cpu.Start();
  for (auto _ : state) {
    if (ready.empty()) {
      store.Finish(&state);
      state.PauseTiming();
      cpu.Stop();
      while (ready.size() < kBatchesAtOnce) ready.push_back(store.articles.Next(batch));
      cpu.Start();
      state.ResumeTiming();
    }
    store.Apply(ready.front(), &state);
    ready.pop_front();
  }
  store.Finish(&state);
  cpu.Stop();
  const auto articles = static_cast<double>(state.iterations()) * static_cast<double>(batch);
  state.SetItemsProcessed(static_cast<int64_t>(articles));
  state.counters["articles_per_cpu_s"] = articles / cpu.seconds();
}

void BM_StoreApply(benchmark::State& state) {
  Store store(static_cast<int>(state.range(1)));
  RunApply(state, store, static_cast<size_t>(state.range(0)));
}
BENCHMARK(BM_StoreApply)->ArgNames({"batch", "hours"})->Args({500, 2})->Args({500, 24})->Args({5000, 24})->UseRealTime()->Unit(benchmark::kMillisecond);

// The same with saved queries of four terms each, of which some are met.
void BM_StoreApplyQueries(benchmark::State& state) {
  Store store(2);
  v1::StoreConfig config;
  for (int i = 0; i < state.range(0); ++i) {
    auto* query = config.add_queries();
    query->set_name("q" + std::to_string(i));
    query->set_expression("(licence OR \"export controls\") AND " + std::to_string(i * 97) + " NOT huawei" + std::to_string(i));
  }
  store.applier.SetQueries(RegisterQueries(*store.engine, config).value());
  RunApply(state, store, 500);
}
BENCHMARK(BM_StoreApplyQueries)->ArgName("queries")->Arg(0)->Arg(20)->Arg(50)->UseRealTime()->Unit(benchmark::kMillisecond);

void BM_StoreApplyPostgreSql(benchmark::State& state) {
  if (Server() == nullptr) return state.SkipWithError("needs PostgreSQL 15 (package postgresql)");
  Store store(static_cast<int>(state.range(1)), OpenPostgreSql());
  RunApply(state, store, static_cast<size_t>(state.range(0)));
}
BENCHMARK(BM_StoreApplyPostgreSql)->ArgNames({"batch", "hours"})->Args({500, 2})->Args({500, 24})->Args({2000, 24})->UseRealTime()->Unit(benchmark::kMillisecond);

void RawEngine(benchmark::State& state, std::unique_ptr<Engine> engine) {
  const Claim claim = engine->TakeClaim("bench", kWhere).value();
  std::mt19937_64 dice(7);
  int64_t offset = 0;
  for (auto _ : state) {
    Batch batch;
    for (int64_t i = 0; i < state.range(0); ++i) batch.Put(Table::kTrail, TestId(static_cast<uint64_t>(++offset)), std::string(60, 'x'));
    for (int i = 0; i < 36; ++i) batch.Put(Table::kMeta, "aggregate" + std::to_string(i), std::to_string(dice()));
    batch.Advance(claim, offset);
    if (!engine->Commit(batch).ok()) state.SkipWithError("commit failed");
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
void BM_RawEngine(benchmark::State& state) {
  const TempDir dir;
  RawEngine(state, RocksDbEngine::Open({.path = dir.path()}).value());
}
BENCHMARK(BM_RawEngine)->ArgName("batch")->Arg(500)->UseRealTime()->Unit(benchmark::kMillisecond);

void BM_RawPostgreSql(benchmark::State& state) {
  if (Server() == nullptr) return state.SkipWithError("needs PostgreSQL 15 (package postgresql)");
  RawEngine(state, OpenPostgreSql());
}
BENCHMARK(BM_RawPostgreSql)->ArgName("batch")->Arg(500)->UseRealTime()->Unit(benchmark::kMillisecond);

void BM_StoryStep(benchmark::State& state) {
  Store store(24);
  StoryStep step(*store.engine, 200'000);
  const Claim leader = store.engine->TakeClaim("", {"leader", 0}).value();
  if (!step.Restore().ok()) state.SkipWithError("restore failed");
  for (auto _ : state) {
    state.PauseTiming();
    store.Apply(store.articles.Next(500), &state);
    store.Finish(&state);
    state.ResumeTiming();
    const auto done = step.Run(500, leader);
    if (!done.ok() || *done != 500) state.SkipWithError("story step failed");
  }
  state.SetItemsProcessed(state.iterations() * 500);
}
BENCHMARK(BM_StoryStep)->UseRealTime()->Unit(benchmark::kMillisecond);

// Every hour of 90 days for one theme, on a store that has something in each.
void BM_Trends90Days(benchmark::State& state) {
  Store store(90 * 24);
  for (int i = 0; i < 20; ++i) store.Apply(store.articles.Next(500), &state);
  fakes::ManualClock clock(kTestNow);
  const Query query(*store.engine, clock);
  v1::GetTrendsRequest request;
  request.add_series()->set_theme("chips_compute");
  request.set_include_zeros(true);
  request.mutable_from()->set_seconds(kTestNow / 1000 - 90 * 86400);
  request.mutable_to()->set_seconds(kTestNow / 1000);
  for (auto _ : state) {
    v1::GetTrendsResponse response;
    if (!query.GetTrends(request, &response).ok() || response.series(0).points_size() < 2160) state.SkipWithError("query failed");
  }
}
BENCHMARK(BM_Trends90Days)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace racewatch::store

BENCHMARK_MAIN();
