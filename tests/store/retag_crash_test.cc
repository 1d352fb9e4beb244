// Store and re-tagger killed by SIGKILL again and again in the middle of a re-tag, over each engine: the generation that
// becomes active in the end is that of a store that tagged with the new model from the start, and the former series are as
// without a kill. Ten kills; a hundred with RACEWATCH_FULL=1.
#include <gtest/gtest.h>

#include <iostream>
#include <random>

#include "store/digest.h"
#include "store/generation_engine.h"
#include "store/postgresql_engine.h"
#include "store/rocksdb_engine.h"
#include "tests/store/fake_engine.h"
#include "tests/store/killed_child.h"
#include "tests/store/naive_recount.h"
#include "tests/store/pg_server.h"
#include "tests/store/retag_life.h"
#include "tests/store/temp_dir.h"

namespace racewatch::store {
namespace {

constexpr uint64_t kSeed = 21;

int Kills() { return Full() ? 100 : 10; }

std::string ReferenceDigest() {
  fakes::ManualClock clock(kTestNow);
  fakes::FakeLog bus(2, &clock);
  const auto stream = AsNew(OldStream(kSeed, CrashShape()));
  for (const auto& article : stream) {
    base::Record record = ToRecord(article);
    record.partition = record.offset = -1;
    bus.Append(std::move(record));
  }
  FakeEngine engine;
  RetagStore store(engine, bus, clock);
  const auto counted = [&engine] {
    uint64_t sum = 0;
    const RetagStatus status = ReadRetag(engine).value();
    for (const auto& [where, next] : status.counted) sum += static_cast<uint64_t>(next);
    return sum;
  };
  while (counted() < stream.size()) EXPECT_TRUE(store.Step());
  return StateDigest(engine).value();
}

void KillAgainAndAgain(const std::vector<std::string>& place, const std::function<std::unique_ptr<Engine>()>& open) {
  std::vector<std::string> argv{RETAG_CRASH_HELPER, std::to_string(kSeed)};
  argv.insert(argv.end(), place.begin(), place.end());
  std::mt19937_64 dice(kSeed);
  const int wanted = Kills();
  int kills = 0;
  while (kills < wanted && RunAndKill(argv, 1 + static_cast<int>(dice() % 2), static_cast<unsigned>(dice() % 3000)))
    ++kills;
  EXPECT_EQ(kills, wanted) << "the re-tag was over before all kills had come";
  EXPECT_FALSE(RunAndKill(argv, 1'000'000'000, 0));
  const auto engine = open();
  const auto stream = OldStream(kSeed, CrashShape());
  EXPECT_EQ(ReadGenerations(*engine)->active, 1u);
  const auto active = GenerationEngine(*engine).Snapshot();
  EXPECT_EQ(StateDigest(*active).value(), ReferenceDigest());
  EXPECT_EQ(WithoutQueries(ReadCounts(GenerationView(*engine, 0))), Recount(stream));
  std::cout << kills << " kills: digest " << StateDigest(*active).value() << " as tagged by the new model from the start\n";
}

TEST(RetagCrashTest, NothingIsLostOrDoubledByKillsOverRocksDb) {
  const TempDir dir;
  KillAgainAndAgain({"rocksdb", dir.path()}, [&] { return RocksDbEngine::Open({.path = dir.path()}).value(); });
}

TEST(RetagCrashTest, NothingIsLostOrDoubledByKillsOverPostgreSql) {
  const PgServer server;
  if (!server.why().empty()) GTEST_SKIP() << server.why();
  const std::string schema = PgServer::NewSchema();
  KillAgainAndAgain({"postgresql", server.conninfo(), schema},
                    [&] { return PostgreSqlEngine::Open({.conninfo = server.conninfo(), .schema = schema}).value(); });
}

}  // namespace
}  // namespace racewatch::store
