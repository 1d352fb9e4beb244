#include "base/bus/embedded_log.h"

#include <filesystem>
#include <fstream>
#include <optional>
#include <random>
#include <thread>

#include "base/bus/embedded_sink.h"
#include "base/bus/embedded_source.h"
#include "tests/base/bus_conformance.h"
#include "tests/base/temp_dir.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/small_disk.h"

namespace racewatch::base {
namespace {

constexpr int64_t kHourMs = 3600 * 1000;

std::unique_ptr<EmbeddedLog> MustOpen(const std::string& dir, const Clock& clock) {
  EmbeddedLogOptions options;
  options.dir = dir;
  auto log = EmbeddedLog::Open(options, clock);
  if (!log.ok()) {
    ADD_FAILURE() << log.status().ToString();
    return nullptr;
  }
  return std::move(log).value();
}

class EmbeddedHarness final : public BusHarness {
 public:
  static std::string SkipReason() { return ""; }
  std::string MakeTopic(int32_t partitions) override {
    EXPECT_TRUE(log_->CreateTopic({"topic", partitions, -1, false, false, 0}).ok());
    return "topic";
  }
  std::unique_ptr<Source> MakeSource(SourceOptions options) override {
    return std::make_unique<EmbeddedSource>(*log_, std::move(options));
  }
  std::unique_ptr<Sink> MakeSink(size_t queue_bytes_max) override {
    return std::make_unique<EmbeddedSink>(*log_, queue_bytes_max);
  }
  void Expire(const TopicPartition& where, int64_t offset) override {
    EXPECT_TRUE(log_->DeleteBefore(where, offset).ok());
  }

 private:
  TempDir dir_;
  SystemClock clock_;
  std::unique_ptr<EmbeddedLog> log_ = MustOpen(dir_.path(), clock_);
};
INSTANTIATE_TYPED_TEST_SUITE_P(Embedded, BusConformance, EmbeddedHarness);

class EmbeddedLogTest : public ::testing::Test {
 protected:
  void Reopen() {
    log_.reset();
    log_ = MustOpen(dir_.path(), clock_);
  }
  std::vector<Position> Send(const std::vector<Record>& records) {
    EmbeddedSink sink(*log_);
    return SendAll(sink, records);
  }
  std::vector<Record> ReadAll(const std::string& topic, size_t n, const std::string& group = "") {
    EmbeddedSource source(*log_, {{topic}, group, nullptr});
    auto records = PollRecords(source, n);
    ExpectNothingMore(source);
    EXPECT_TRUE(source.Commit(NextPositions(records)).ok());
    return records;
  }
  TempDir dir_;
  fakes::ManualClock clock_;
  std::unique_ptr<EmbeddedLog> log_ = MustOpen(dir_.path(), clock_);
  const std::string articles_{kArticlesTopic};
};

TEST_F(EmbeddedLogTest, HoldsEveryTopicOfTheTable) {
  for (const TopicSpec& spec : AllTopics()) {
    EXPECT_EQ(log_->partitions(std::string(spec.name)), std::min(spec.partitions, 4)) << spec.name;
  }
  EXPECT_EQ(log_->partitions("unknown"), 0);
  EmbeddedSink sink(*log_);
  EXPECT_EQ(sink.Send(MakeRecord("unknown", "k", "v"), nullptr).code(), Code::kInvalidArgument);
}

TEST_F(EmbeddedLogTest, KeepsRecordsCommitsOffsetsAndClusterIdAcrossReopening) {
  const auto sent = MakeRecords(articles_, 100);
  Send(sent);
  EXPECT_EQ(ReadAll(articles_, 100, "tagger").size(), 100u);
  const std::string cluster = log_->cluster_id();
  const auto range = log_->Range({articles_, 1}).value();
  Reopen();
  EXPECT_EQ(log_->cluster_id(), cluster);
  EXPECT_EQ(log_->Range({articles_, 1}).value().end, range.end);
  EXPECT_EQ(Values(ReadAll(articles_, 100)), Values(sent));
  EXPECT_TRUE(ReadAll(articles_, 0, "tagger").empty());
  Send({MakeRecord(articles_, "k", "more", 1)});
  EXPECT_EQ(log_->Range({articles_, 1}).value().end, range.end + 1);
}

TEST_F(EmbeddedLogTest, ATopicKeepsThePartitionsItWasMadeWith) {
  log_.reset();
  EmbeddedLogOptions options;
  options.dir = dir_.path();
  options.partitions = 8;
  auto log = EmbeddedLog::Open(options, clock_);
  ASSERT_TRUE(log.ok());
  EXPECT_EQ((*log)->partitions(articles_), 4);
}

TEST_F(EmbeddedLogTest, TwoFoldersAreTwoClusters) {
  TempDir other;
  EXPECT_NE(MustOpen(other.path(), clock_)->cluster_id(), log_->cluster_id());
}

TEST_F(EmbeddedLogTest, ASecondOpenerOfTheFolderIsRefusedByName) {
  EmbeddedLogOptions options;
  options.dir = dir_.path();
  auto second = EmbeddedLog::Open(options, clock_);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), Code::kFailedPrecondition);
  EXPECT_NE(second.status().message().find(dir_.path()), std::string::npos);
}

TEST_F(EmbeddedLogTest, AMissingParentFolderIsOneClearLine) {
  EmbeddedLogOptions options;
  options.dir = dir_.path() + "/no/such";
  auto log = EmbeddedLog::Open(options, clock_);
  ASSERT_FALSE(log.ok());
  EXPECT_NE(log.status().message().find("No such file"), std::string::npos)
      << log.status().ToString();
}

TEST_F(EmbeddedLogTest, StampsRecordsByItsClock) {
  Send({MakeRecord(articles_, "k", "v")});
  EXPECT_EQ(ReadAll(articles_, 1).at(0).timestamp_ms, clock_.NowMs());
}

TEST_F(EmbeddedLogTest, RetentionForgetsWhatIsOldAndKeepsTheEnd) {
  Send(MakeRecords(articles_, 10, "old", 2));
  clock_.Advance(100 * kHourMs);
  Send(MakeRecords(articles_, 3, "young", 2));
  clock_.Advance(100 * kHourMs);
  ASSERT_TRUE(log_->RunMaintenance().ok());
  EXPECT_EQ(log_->Range({articles_, 2}).value().start, 10);
  EXPECT_EQ(ReadAll(articles_, 3).size(), 3u);
  clock_.Advance(100 * kHourMs);
  ASSERT_TRUE(log_->RunMaintenance().ok());
  Reopen();
  const auto range = log_->Range({articles_, 2}).value();
  EXPECT_EQ(range.start, 13);
  EXPECT_EQ(range.end, 13);
  EXPECT_EQ(Send({MakeRecord(articles_, "k", "next", 2)})[0].offset, 13);
}

TEST(EmbeddedLogDisk, WhatHasExpiredGivesItsRoomBackAndTheArchiveStays) {
  const TempDir dir;
  fakes::ManualClock clock;
  EmbeddedLogOptions options{.dir = dir.path() + "/log", .partitions = 2, .memtable_bytes = 2u << 20, .cache_bytes = 1u << 20};
  std::mt19937_64 dice(1);
  const auto send = [&](EmbeddedLog& log, std::string_view topic, int records) {
    EmbeddedSink sink(log);
    for (int i = 0; i < records; ++i) {
      Record record;
      record.topic = std::string(topic);
      record.key = std::to_string(dice());
      record.value.resize(5000);
      for (char& c : record.value) c = static_cast<char>(dice());
      ASSERT_TRUE(sink.Send(std::move(record), [](const Delivery&) {}).ok());
    }
    ASSERT_TRUE(sink.Flush(std::chrono::milliseconds(60'000)).ok());
  };
  const auto bytes = [&] {
    uint64_t sum = 0;
    for (const auto& entry : std::filesystem::directory_iterator(options.dir)) sum += entry.is_regular_file() ? entry.file_size() : 0;
    return sum;
  };
  auto log = EmbeddedLog::Open(options, clock).value();
  for (int i = 0; i < 40; ++i) {
    send(*log, kArticlesTopic, 100);
    send(*log, kTaggedTopic, 25);
  }
  const uint64_t before = bytes();
  EXPECT_GT(before, 25'000'000u - 2'500'000u);
  clock.Advance(options.retention_ms + 1000);
  send(*log, kTaggedTopic, 1000);  // time goes on: memtables are written out
  ASSERT_TRUE(log->RunMaintenance().ok());
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(120);
  // 10 MB are left of 30; RocksDB writes anew what shares a file with expired records, the oldest files first.
  while (bytes() > 20'000'000 && std::chrono::steady_clock::now() < deadline) {
    send(*log, kTaggedTopic, 20);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_LE(bytes(), 20'000'000u) << before;
  log.reset();
  log = EmbeddedLog::Open(options, clock).value();
  int64_t kept = 0;
  for (int32_t partition = 0; partition < 2; ++partition) {
    const TopicPartition where{std::string(kTaggedTopic), partition};
    for (int64_t from = 0, end = log->Range(where).value().end; from < end;) {
      std::vector<Record> records;
      size_t read = 0;
      const auto next = log->Read(where, from, {.records_max = 500}, &read, &records);
      ASSERT_TRUE(next.ok()) << next.status().ToString();
      kept += static_cast<int64_t>(records.size());
      from = *next;
    }
  }
  EXPECT_GE(kept, 2000);
}

TEST_F(EmbeddedLogTest, RetentionWaitsForAGroupThatHasNotReadYet) {
  Send(MakeRecords(articles_, 4, "read", 0));
  ReadAll(articles_, 4, "tagger");
  Send(MakeRecords(articles_, 6, "unread", 0));
  clock_.Advance(1000 * kHourMs);
  ASSERT_TRUE(log_->RunMaintenance().ok());
  EXPECT_EQ(log_->Range({articles_, 0}).value().start, 4);
  EXPECT_EQ(ReadAll(articles_, 6, "tagger").size(), 6u);
  ASSERT_TRUE(log_->RunMaintenance().ok());
  EXPECT_EQ(log_->Range({articles_, 0}).value().start, 10);
}

TEST_F(EmbeddedLogTest, TheArchiveNeverExpires) {
  Send(MakeRecords(std::string(kTaggedTopic), 10));
  clock_.Advance(1'000'000 * kHourMs);
  ASSERT_TRUE(log_->RunMaintenance().ok());
  EXPECT_EQ(ReadAll(std::string(kTaggedTopic), 10).size(), 10u);
}

TEST_F(EmbeddedLogTest, CompactionKeepsTheLastRecordOfEachKey) {
  const std::string tagged(kTaggedTopic);
  for (int version = 0; version < 3; ++version)
    for (int key = 0; key < 5; ++key)
      Send({MakeRecord(tagged, "key" + std::to_string(key), "version" + std::to_string(version))});
  ASSERT_TRUE(log_->RunMaintenance().ok());
  EXPECT_EQ(ReadAll(tagged, 15).size(), 15u) << "a reader that keeps up sees every version";
  clock_.Advance(kHourMs);
  ASSERT_TRUE(log_->RunMaintenance().ok());
  const auto left = ReadAll(tagged, 5);
  ASSERT_EQ(left.size(), 5u);
  for (const Record& r : left) EXPECT_EQ(r.value, "version2");
}

TEST_F(EmbeddedLogTest, ATombstoneDeletesItsKeyAndLaterItself) {
  const std::string tagged(kTaggedTopic);
  Record tombstone = MakeRecord(tagged, "gone", "", 0);
  tombstone.tombstone = true;
  Send({MakeRecord(tagged, "gone", "text", 0), tombstone, MakeRecord(tagged, "kept", "text", 0)});
  clock_.Advance(kHourMs);
  ASSERT_TRUE(log_->RunMaintenance().ok());
  const auto left = ReadAll(tagged, 2);
  ASSERT_EQ(left.size(), 2u);
  EXPECT_TRUE(left[0].tombstone);
  clock_.Advance(25 * kHourMs);
  ASSERT_TRUE(log_->RunMaintenance().ok());
  EXPECT_EQ(ReadAll(tagged, 1).at(0).key, "kept");
}

TEST_F(EmbeddedLogTest, AYoungRecordIsNotCompactedBeforeItsLag) {
  const std::string alerts(kAlertsTopic);
  Send({MakeRecord(alerts, "rule|key", "open"), MakeRecord(alerts, "rule|key", "close")});
  clock_.Advance(6 * 24 * kHourMs);
  ASSERT_TRUE(log_->RunMaintenance().ok());
  EXPECT_EQ(ReadAll(alerts, 2).size(), 2u);
  clock_.Advance(2 * 24 * kHourMs);
  ASSERT_TRUE(log_->RunMaintenance().ok());
  EXPECT_EQ(ReadAll(alerts, 1).at(0).value, "close");
}

TEST_F(EmbeddedLogTest, TheLastOffsetSurvivesCompactionAndReopening) {
  const std::string tagged(kTaggedTopic);
  Record tombstone = MakeRecord(tagged, "gone", "", 0);
  tombstone.tombstone = true;
  Send({MakeRecord(tagged, "gone", "text", 0), tombstone});
  clock_.Advance(100 * kHourMs);
  ASSERT_TRUE(log_->RunMaintenance().ok());
  ASSERT_TRUE(log_->RunMaintenance().ok());
  Reopen();
  EXPECT_EQ(log_->Range({tagged, 0}).value().end, 2);
}

TEST_F(EmbeddedLogTest, AReaderThatFallsBehindRetentionCountsAGap) {
  Send(MakeRecords(articles_, 10, "v", 0));
  EmbeddedSource source(*log_, {{articles_}, "", nullptr});
  ASSERT_EQ(
      PollUntil(source, [](const auto& all) { return all.size() >= 2; }, {2, 1u << 20}).size(), 2u);
  ASSERT_TRUE(log_->DeleteBefore({articles_, 0}, 5).ok());
  const auto rest = PollRecords(source, 5);
  ASSERT_EQ(rest.size(), 5u);
  EXPECT_EQ(rest[0].offset, 5);
  EXPECT_EQ(source.gaps(), 1);
}

TEST_F(EmbeddedLogTest, ManyTopicsAndSendersKeepOrderPerPartition) {
  std::vector<std::thread> senders;
  for (int s = 0; s < 4; ++s)
    senders.emplace_back(
        [this, s] { Send(MakeRecords(articles_, 500, "s" + std::to_string(s) + "-", s)); });
  for (auto& t : senders) t.join();
  const auto records = ReadAll(articles_, 2000);
  ASSERT_EQ(records.size(), 2000u);
  std::map<int32_t, int> next;
  for (const Record& r : records)
    EXPECT_EQ(r.value,
              "s" + std::to_string(r.partition) + "-" + std::to_string(next[r.partition]++));
}

// Returns 0 when all held, a number that says where it did not.
int FillTheDisk(const std::string& dir) {
  SystemClock clock;
  const std::string ballast = dir + "/ballast";
  std::ofstream(ballast) << std::string(4u << 20, 'b');
  auto log = EmbeddedLog::Open({.dir = dir + "/log", .partitions = 1, .memtable_bytes = 1u << 20, .cache_bytes = 1u << 20}, clock).value();
  EmbeddedSink sink(*log);
  std::mt19937_64 dice(1);
  Status refused;
  int kept = 0;
  for (; kept < 5000 && refused.ok(); ++kept) {
    Record record;
    record.topic = std::string(kArticlesTopic);
    record.key = std::to_string(kept);
    record.value.resize(20'000);
    for (char& c : record.value) c = static_cast<char>(dice());
    const Status sent = sink.Send(std::move(record), [&](const Delivery& delivery) { refused = delivery.status; });
    if (!sent.ok() || !sink.Flush(std::chrono::milliseconds(60'000)).ok()) return 1;
  }
  --kept;  // the last one was refused
  if (kept < 10) return 8;
  if (refused.code() != Code::kUnavailable) return fprintf(stderr, "%s\n", refused.ToString().c_str()), 2;
  std::filesystem::remove(ballast);
  const TopicPartition where{std::string(kArticlesTopic), 0};
  if (log->Range(where).value().end != kept) return 3;
  Status taken;
  Record record;
  record.topic = where.topic;
  record.value = "fits";
  if (!sink.Send(std::move(record), [&](const Delivery& delivery) { taken = delivery.status; }).ok()) return 4;
  if (!sink.Flush(std::chrono::milliseconds(60'000)).ok()) return 5;
  if (!taken.ok()) return fprintf(stderr, "%s\n", taken.ToString().c_str()), 6;
  return log->Range(where).value().end == kept + 1 ? 0 : 7;
}

TEST(EmbeddedDiskFullTest, ARecordThatDoesNotFitIsRefusedAndTheLogGoesOnOnceThereIsRoom) {
  const TempDir dir;
  const int answer = fakes::OnSmallDisk(dir.path(), "12m", "EmbeddedDiskFullTest.*", FillTheDisk);
  if (answer == fakes::kNoMount) GTEST_SKIP() << "needs the right to mount a tmpfs in a namespace";
  EXPECT_EQ(answer, 0);
}

}  // namespace
}  // namespace racewatch::base
