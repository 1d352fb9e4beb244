// A full disk, on a small tmpfs of the test's own: a batch that does not fit fails as one that may be tried again, nothing
// of it is there, and once there is room the same engine goes on.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

#include "store/rocksdb_engine.h"
#include "tests/fakes/small_disk.h"
#include "tests/store/temp_dir.h"

namespace racewatch::store {
namespace {

std::string Noise(std::mt19937_64* dice) {
  std::string out(20'000, '\0');
  for (char& c : out) c = static_cast<char>((*dice)());
  return out;
}

// Returns 0 when all held, a number that says where it did not.
int FillTheDisk(const std::string& dir) {
  const std::string ballast = dir + "/ballast";
  std::ofstream(ballast) << std::string(4u << 20, 'b');
  auto engine = RocksDbEngine::Open({.path = dir + "/store", .memtable_bytes = 1u << 20, .cache_bytes = 1u << 20}).value();
  std::mt19937_64 dice(1);
  int committed = 0;
  base::Status status;
  for (; committed < 5000; ++committed) {
    Batch batch;
    batch.Put(Table::kTrail, std::to_string(100'000 + committed), Noise(&dice));
    status = engine->Commit(batch);
    if (!status.ok()) break;
  }
  if (status.ok()) return 1;
  if (!status.retryable()) return fprintf(stderr, "%s\n", status.ToString().c_str()), 2;
  std::filesystem::remove(ballast);
  const auto again = [&] {
    Batch batch;
    batch.Put(Table::kTrail, std::to_string(100'000 + committed), "fits");
    return engine->Commit(batch);
  };
  status = again();
  for (int tries = 0; tries < 100 && status.retryable(); ++tries) {
    usleep(50'000);  // RocksDB recovers in the background
    status = again();
  }
  if (!status.ok()) return fprintf(stderr, "%s\n", status.ToString().c_str()), 3;
  int rows = 0;
  if (!engine->Scan(Table::kTrail, "", "", false, [&](auto, auto) { return ++rows, true; }).ok()) return 4;
  return rows == committed + 1 ? 0 : 5;
}

TEST(DiskFullTest, ABatchThatDoesNotFitIsNotThereAndTheNextOneIsOnceThereIsRoom) {
  const TempDir dir;
  const int answer = fakes::OnSmallDisk(dir.path(), "12m", "DiskFullTest.*", FillTheDisk);
  if (answer == fakes::kNoMount) GTEST_SKIP() << "needs the right to mount a tmpfs in a namespace";
  EXPECT_EQ(answer, 0);
}

}  // namespace
}  // namespace racewatch::store
