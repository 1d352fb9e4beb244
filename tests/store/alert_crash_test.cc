// A store process killed by SIGKILL again and again while it decides and sends alerts: no alert opens twice, none is lost,
// and a repeat has the bytes and the ce_id of the first.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

#include "base/bus/embedded_log.h"
#include "tests/store/killed_child.h"
#include "tests/store/store_life.h"
#include "tests/store/temp_dir.h"

namespace racewatch::store {
namespace {

constexpr int kKills = 20;

bool RunHelper(const std::string& dir, int rounds, unsigned later_us = 0) {
  return RunAndKill({ALERT_CRASH_HELPER, dir}, rounds, later_us);
}

// ce_id → value of everything on the alerts topic; a repeat must be equal.
std::map<std::string, std::string> ReadAlerts(const std::string& dir, size_t* records) {
  const fakes::ManualClock clock(kTestNow);  // by the real one the records are older than their topic keeps them
  const auto log = base::EmbeddedLog::Open({.dir = dir + "/log"}, clock).value();
  std::map<std::string, std::string> alerts;
  *records = 0;
  for (int32_t p = 0; p < log->partitions(std::string(base::kAlertsTopic)); ++p) {
    const base::TopicPartition where{std::string(base::kAlertsTopic), p};
    std::vector<base::Record> read;
    size_t bytes = 0;
    EXPECT_TRUE(log->Read(where, log->Range(where).value().start, {.records_max = 10'000, .bytes_max = 1u << 30}, &bytes, &read).ok());
    for (const base::Record& record : read) {
      ++*records;
      const auto [at, is_new] = alerts.emplace(*record.FindHeader("ce_id"), record.value);
      if (!is_new) {
        EXPECT_EQ(at->second, record.value) << at->first << " was repeated with other bytes";
      }
    }
  }
  return alerts;
}

TEST(AlertCrashTest, NoAlertIsLostOrOpenedTwiceByTwentyKills) {
  TempDir killed_dir, calm_dir;
  std::mt19937_64 dice(11);
  int kills = 0;
  while (kills < kKills && RunHelper(killed_dir.path(), 1 + static_cast<int>(dice() % 6), static_cast<unsigned>(dice() % 400))) ++kills;
  EXPECT_EQ(kills, kKills) << "the stream was too short for all kills to come under load";
  EXPECT_FALSE(RunHelper(killed_dir.path(), 1'000'000));
  EXPECT_FALSE(RunHelper(calm_dir.path(), 1'000'000));
  size_t killed_records = 0, calm_records = 0;
  const auto killed = ReadAlerts(killed_dir.path(), &killed_records), calm = ReadAlerts(calm_dir.path(), &calm_records);
  EXPECT_EQ(calm.size(), calm_records) << "without a kill nothing is repeated";
  EXPECT_EQ(calm.size(), 8u) << "four openings and four closings";
  std::vector<std::string> killed_ids, calm_ids;
  for (const auto& [id, value] : killed) killed_ids.push_back(id);
  for (const auto& [id, value] : calm) calm_ids.push_back(id);
  EXPECT_EQ(killed_ids, calm_ids);
}

}  // namespace
}  // namespace racewatch::store
