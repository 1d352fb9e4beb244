// A store process killed by SIGKILL again and again while it works: no count lost, none doubled, the same digests as
// a store that was never killed.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>
#include <string>

#include "store/digest.h"
#include "store/rocksdb_engine.h"
#include "tests/store/article_maker.h"
#include "tests/store/naive_recount.h"
#include "tests/store/temp_dir.h"

namespace racewatch::store {
namespace {

constexpr uint64_t kSeed = 11;
constexpr int kKills = 25;

// Runs the helper and kills it right after its `rounds`-th round, that is in the middle of a later one. False: it
// had come to its end before.
bool RunHelper(const std::string& dir, int rounds) {
  int out[2];
  EXPECT_EQ(pipe(out), 0);
  const pid_t child = fork();
  if (child == 0) {
    dup2(out[1], STDOUT_FILENO);
    close(out[0]);
    close(out[1]);
    execl(STORE_CRASH_HELPER, "store_crash_helper", dir.c_str(), std::to_string(kSeed).c_str(), nullptr);
    _exit(127);
  }
  close(out[1]);
  char c = 0;
  bool killed = false;
  for (int seen = 0; read(out[0], &c, 1) == 1;) {
    if (c == '.' && ++seen == rounds) {
      kill(child, SIGKILL);
      killed = true;
      break;
    }
  }
  close(out[0]);
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  if (!killed) {
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "status " << status;
  }
  return killed;
}

TEST(CrashTest, NothingIsLostOrDoubledByTwentyFiveKills) {
  TempDir killed_dir, calm_dir;
  std::mt19937_64 dice(kSeed);
  int kills = 0;
  for (; kills < kKills && RunHelper(killed_dir.path(), 1 + static_cast<int>(dice() % 12)); ++kills) {
  }
  EXPECT_EQ(kills, kKills) << "the stream was too short for all kills to come under load";
  EXPECT_FALSE(RunHelper(killed_dir.path(), 1'000'000));
  EXPECT_FALSE(RunHelper(calm_dir.path(), 1'000'000));

  const auto killed = RocksDbEngine::Open({.path = killed_dir.path()}).value();
  const auto calm = RocksDbEngine::Open({.path = calm_dir.path()}).value();
  EXPECT_EQ(ReadCounts(*killed), Recount(RandomStream(kSeed, {.ids = 300, .records = 1500})));
  EXPECT_EQ(StateDigest(*killed).value(), StateDigest(*calm).value());
  EXPECT_EQ(StoryDigest(*killed).value(), StoryDigest(*calm).value());
  const auto stories = [](const View& view) {
    return WindowRow::Decode(*view.Get(Table::kWindow, WindowRowKey(WindowKind::kAll, kAllSlice, 0)).value())
        ->Get(kAnySeries, Measure::kStories);
  };
  EXPECT_EQ(stories(*killed), stories(*calm));
  EXPECT_GT(stories(*calm), 0u);
}

}  // namespace
}  // namespace racewatch::store
