// A store process killed by SIGKILL again and again at random instants while it works, over each engine: no count lost,
// none doubled, the same digests, stories and alerts as a store that was never killed. Ten kills; a hundred with
// RACEWATCH_FULL=1.
#include <gtest/gtest.h>

#include <iostream>
#include <random>
#include <string>

#include "racewatch/v1/alert.pb.h"
#include "store/digest.h"
#include "store/postgresql_engine.h"
#include "store/rocksdb_engine.h"
#include "tests/store/article_maker.h"
#include "tests/store/killed_child.h"
#include "tests/store/naive_recount.h"
#include "tests/store/pg_server.h"
#include "tests/store/temp_dir.h"

namespace racewatch::store {
namespace {

constexpr uint64_t kSeed = 11;

int Kills() { return std::getenv("RACEWATCH_FULL") != nullptr ? 100 : 10; }

// Where a store keeps its state, as the helper and the engines want it named.
struct Place {
  std::vector<std::string> arguments;
  std::unique_ptr<Engine> Open() const {
    if (arguments[0] == "rocksdb") return RocksDbEngine::Open({.path = arguments[1]}).value();
    return PostgreSqlEngine::Open({.conninfo = arguments[1], .schema = arguments[2]}).value();
  }
};

bool RunHelper(const Place& place, int rounds, unsigned later_us) {
  std::vector<std::string> argv{STORE_CRASH_HELPER, std::to_string(kSeed)};
  argv.insert(argv.end(), place.arguments.begin(), place.arguments.end());
  return RunAndKill(std::move(argv), rounds, later_us);
}

std::vector<std::string> Alerts(const View& view) {
  std::vector<std::string> out;
  EXPECT_TRUE(view.Scan(Table::kAlertLog, "", "", false, [&](std::string_view, std::string_view value) {
    v1::Alert alert;
    EXPECT_TRUE(alert.ParseFromArray(value.data(), static_cast<int>(value.size())));
    out.push_back(alert.id() + "/" + std::to_string(alert.sequence()) + " " + std::to_string(alert.state()) + " " +
                  std::to_string(alert.observed()));
    return true;
  }).ok());
  return out;
}

uint32_t Stories(const View& view) {
  return WindowRow::Decode(*view.Get(Table::kWindow, WindowRowKey(WindowKind::kAll, kAllSlice, 0)).value())
      ->Get(kAnySeries, Measure::kStories);
}

void KillAgainAndAgain(const Place& killed_place, const Place& calm_place) {
  std::mt19937_64 dice(kSeed);
  const int wanted = Kills();
  const int rounds_max = std::max(2, 150 / wanted);
  int kills = 0;
  while (kills < wanted && RunHelper(killed_place, 1 + static_cast<int>(dice() % static_cast<uint64_t>(rounds_max)),
                                     static_cast<useconds_t>(dice() % 3000)))
    ++kills;
  EXPECT_EQ(kills, wanted) << "the stream was too short for all kills to come under load";
  EXPECT_FALSE(RunHelper(killed_place, 1'000'000'000, 0));
  EXPECT_FALSE(RunHelper(calm_place, 1'000'000'000, 0));

  const auto killed = killed_place.Open();
  const auto calm = calm_place.Open();
  const NaiveCounts expected = Recount(CrashStream(kSeed), 90, NaiveQueries());
  EXPECT_EQ(ReadCounts(*killed), expected);
  EXPECT_EQ(StateDigest(*killed).value(), StateDigest(*calm).value());
  EXPECT_EQ(StoryDigest(*killed).value(), StoryDigest(*calm).value());
  EXPECT_EQ(Stories(*killed), Stories(*calm));
  EXPECT_GT(Stories(*calm), 0u);
  EXPECT_EQ(Alerts(*killed), Alerts(*calm));
  EXPECT_FALSE(Alerts(*calm).empty());
  std::cout << kills << " kills: " << expected.size() << " counts equal, digest " << StateDigest(*killed).value() << ", " << Stories(*killed)
            << " stories, " << Alerts(*killed).size() << " alert states, all as without a kill\n";
}

TEST(CrashTest, NothingIsLostOrDoubledByKillsOverRocksDb) {
  const TempDir killed, calm;
  KillAgainAndAgain({{"rocksdb", killed.path()}}, {{"rocksdb", calm.path()}});
}

TEST(CrashTest, NothingIsLostOrDoubledByKillsOverPostgreSql) {
  const PgServer server;
  if (!server.why().empty()) GTEST_SKIP() << server.why();
  KillAgainAndAgain({{"postgresql", server.conninfo(), PgServer::NewSchema()}}, {{"postgresql", server.conninfo(), PgServer::NewSchema()}});
}

}  // namespace
}  // namespace racewatch::store
