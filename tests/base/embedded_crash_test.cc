// The embedded log against kill -9, torn tails and flipped bits. The writer is a process of its own
// (embedded_crash_writer.cc) that prints what was acknowledged.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "base/bus/embedded_log.h"
#include "base/bus/embedded_sink.h"
#include "base/bus/embedded_source.h"
#include "base/bus/wal_check.h"
#include "tests/base/temp_dir.h"

namespace racewatch::base {
namespace {

namespace fs = std::filesystem;

using Acknowledged =
    std::map<std::pair<int32_t, int64_t>, std::string>;  // (partition, offset) → key

// Runs the writer until it has acknowledged `lines` more records, kills it, and adds what it
// printed.
void WriteAndKill(const std::string& dir, const std::string& tag, int lines,
                  Acknowledged* acknowledged) {
  int out[2];
  ASSERT_EQ(::pipe(out), 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::dup2(out[1], STDOUT_FILENO);
    ::close(out[0]);
    ::close(out[1]);
    ::execl(RACEWATCH_CRASH_WRITER, RACEWATCH_CRASH_WRITER, dir.c_str(), tag.c_str(), nullptr);
    ::_exit(127);
  }
  ::close(out[1]);
  std::string text;
  char buffer[4096];
  bool killed = false;
  for (ssize_t n = 0; (n = ::read(out[0], buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<size_t>(n));
    if (!killed && std::count(text.begin(), text.end(), '\n') >= lines)
      killed = ::kill(pid, SIGKILL) == 0;
  }
  ::close(out[0]);
  int status = 0;
  ::waitpid(pid, &status, 0);
  ASSERT_TRUE(killed && WIFSIGNALED(status)) << "the writer ended by itself";
  text.resize(text.rfind('\n') +
              1);  // what stood in the pipe when it died counts, but for a torn line
  std::istringstream in(text);
  int32_t partition = 0;
  int64_t offset = 0;
  for (std::string key; in >> partition >> offset >> key;) {
    EXPECT_TRUE(acknowledged->emplace(std::make_pair(partition, offset), key).second)
        << partition << "/" << offset << " was acknowledged twice";
  }
}

Result<std::unique_ptr<EmbeddedLog>> Open(const std::string& dir, const Clock& clock) {
  EmbeddedLogOptions options;
  options.dir = dir;
  return EmbeddedLog::Open(options, clock);
}

// Everything in the log by place; each record must be whole, and offsets must follow one another.
Result<Acknowledged> ReadLog(EmbeddedLog& log, std::string_view topic = kTaggedTopic) {
  EmbeddedSource source(log, {{std::string(topic)}, "", nullptr});
  Acknowledged found;
  std::map<int32_t, int64_t> next;
  for (;;) {
    RW_ASSIGN_OR_RETURN(const auto records, source.Poll({}, std::chrono::milliseconds(0)));
    if (records.empty()) return found;
    for (const Record& r : records) {
      EXPECT_EQ(r.offset, next[r.partition]++);
      EXPECT_EQ(r.value.substr(0, r.key.size()), r.key);
      found[{r.partition, r.offset}] = r.key;
    }
  }
}

void ExpectAllThereOnce(const Acknowledged& acknowledged, const Acknowledged& found) {
  for (const auto& [place, key] : acknowledged) {
    const auto it = found.find(place);
    ASSERT_NE(it, found.end()) << key << " was acknowledged and is gone";
    ASSERT_EQ(it->second, key);
  }
  std::set<std::string> keys;
  for (const auto& [place, key] : found)
    EXPECT_TRUE(keys.insert(key).second) << key << " is there twice";
}

TEST(EmbeddedCrash, KillsAtRandomMomentsLoseNothingAcknowledged) {
  TempDir dir;
  SystemClock clock;
  Acknowledged acknowledged;
  std::mt19937 random(20260105);
  for (int round = 0; round < 25; ++round) {
    WriteAndKill(dir.path(), "round" + std::to_string(round), static_cast<int>(random() % 1500),
                 &acknowledged);
    auto log = Open(dir.path(), clock);
    ASSERT_TRUE(log.ok()) << "round " << round << ": " << log.status().ToString();
    auto found = ReadLog(**log);
    ASSERT_TRUE(found.ok()) << found.status().ToString();
    ExpectAllThereOnce(acknowledged, *found);
  }
  EXPECT_GT(acknowledged.size(), 1000u);
}

fs::path LargestWal(const std::string& dir) {
  fs::path largest;
  for (const auto& entry : fs::directory_iterator(dir))
    if (entry.path().extension() == ".log" &&
        (largest.empty() || entry.file_size() > fs::file_size(largest)))
      largest = entry.path();
  return largest;
}

std::string Slurp(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void Spill(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

// A log of 60 records in 20 batches, all in the write-ahead log, as kill -9 leaves it. `ends`: the
// log's size after each batch.
class DamagedLog : public ::testing::Test {
 protected:
  void SetUp() override {
    auto log = Open(dir_.path(), clock_);
    ASSERT_TRUE(log.ok()) << log.status().ToString();
    EmbeddedSink sink(**log);
    WriteMore(&sink);
    for (int batch = 0; batch < 20; ++batch) {
      last_batch_at_ = fs::file_size(LargestWal(dir_.path()));
      for (int i = 0; i < 3; ++i) {
        Record record;
        record.topic = kTaggedTopic;
        record.partition = 0;
        record.key = "key" + std::to_string(3 * batch + i);
        record.value = record.key + std::string(700, 'v');
        ASSERT_TRUE(sink.Send(std::move(record), nullptr).ok());
      }
      ASSERT_TRUE(sink.Flush(std::chrono::seconds(30)).ok());
    }
    CopyTo(pristine_.path());
  }
  virtual void WriteMore(EmbeddedSink*) {}
  // Flips bits all over the largest file of the kind: whatever reads the 60 records of `topic` then finds all or DATA_LOSS.
  void ExpectFlipsFound(const std::string& extension, std::string_view topic) {
    {
      Restore(work_.path());
      auto log = Open(work_.path(), clock_);  // recovery writes the records into files
      ASSERT_TRUE(log.ok());
    }
    fs::path file;
    for (const auto& entry : fs::directory_iterator(work_.path()))
      if (entry.path().extension() == extension &&
          (file.empty() || entry.file_size() > fs::file_size(file)))
        file = entry.path();
    ASSERT_FALSE(file.empty());
    const std::string bytes = Slurp(file);
    int detected = 0;
    for (size_t at = 5; at < bytes.size(); at += bytes.size() / 60 + 1) {
      std::string flipped = bytes;
      flipped[at] = static_cast<char>(flipped[at] ^ 0x10);
      Spill(file, flipped);
      auto log = Open(work_.path(), clock_);
      const auto found = log.ok() ? ReadLog(**log, topic) : Result<Acknowledged>(log.status());
      if (found.ok()) {
        EXPECT_EQ(found->size(), 60u) << "a flip of byte " << at << " went unnoticed";
      } else {
        EXPECT_EQ(found.status().code(), Code::kDataLoss) << found.status().ToString();
        ++detected;
      }
    }
    EXPECT_GT(detected, 10);
  }
  void CopyTo(const std::string& to) {
    for (const auto& entry : fs::directory_iterator(dir_.path()))
      fs::copy(entry.path(), fs::path(to) / entry.path().filename(), fs::copy_options::recursive);
  }
  // A fresh copy of the log as it was when the process died.
  void Restore(const std::string& to) {
    fs::remove_all(to);
    fs::create_directory(to);
    for (const auto& entry : fs::directory_iterator(pristine_.path()))
      fs::copy(entry.path(), fs::path(to) / entry.path().filename(), fs::copy_options::recursive);
  }
  SystemClock clock_;
  TempDir dir_, pristine_, work_;
  size_t last_batch_at_ = 0;  // in the write-ahead log
};

TEST_F(DamagedLog, ATornTailLosesOnlyTheTail) {
  const std::string bytes = Slurp(LargestWal(pristine_.path()));
  ASSERT_GT(bytes.size(), 40'000u);
  std::mt19937 random(7);
  size_t last = 60;
  for (size_t cut = bytes.size(); cut > bytes.size() / 2; cut -= 1 + random() % 3000) {
    Restore(work_.path());
    Spill(LargestWal(work_.path()), bytes.substr(0, cut));
    auto log = Open(work_.path(), clock_);
    ASSERT_TRUE(log.ok()) << "cut at " << cut << ": " << log.status().ToString();
    auto found = ReadLog(**log);
    ASSERT_TRUE(found.ok());
    EXPECT_LE(found->size(), last);
    last = found->size();
  }
  EXPECT_GT(last, 10u);
}

TEST_F(DamagedLog, AFlippedBitInTheWriteAheadLogIsDetected) {
  const std::string bytes = Slurp(LargestWal(pristine_.path()));
  std::mt19937 random(11);
  int detected = 0;
  for (int i = 0; i < 150; ++i) {
    Restore(work_.path());
    std::string flipped = bytes;
    // Every bit of the last 7 KB, where the tail is, gets its chance; the rest is sampled.
    const size_t at = i % 2 == 0 ? bytes.size() - 1 - random() % 7000 : random() % bytes.size();
    flipped[at] = static_cast<char>(flipped[at] ^ 1 << random() % 8);
    Spill(LargestWal(work_.path()), flipped);
    auto log = Open(work_.path(), clock_);
    if (!log.ok()) {
      EXPECT_EQ(log.status().code(), Code::kDataLoss) << log.status().ToString();
      ++detected;
      continue;
    }
    auto found = ReadLog(**log);
    ASSERT_TRUE(found.ok());
    EXPECT_EQ(found->size(), 60u) << "a flip of byte " << at << " of " << bytes.size()
                                  << " went unnoticed";
  }
  EXPECT_GT(detected, 140);
}

// RocksDB itself takes a length that runs past the end of the file for a torn tail, and drops the
// record.
TEST_F(DamagedLog, AFlippedBitInTheHeaderOfTheLastRecordIsNotTakenForATornTail) {
  const std::string bytes = Slurp(LargestWal(pristine_.path()));
  for (size_t at = last_batch_at_; at < last_batch_at_ + 7; ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      Restore(work_.path());
      std::string flipped = bytes;
      flipped[at] = static_cast<char>(flipped[at] ^ 1 << bit);
      Spill(LargestWal(work_.path()), flipped);
      const auto log = Open(work_.path(), clock_);
      EXPECT_EQ(log.status().code(), Code::kDataLoss)
          << "byte " << at - last_batch_at_ << ", bit " << bit;
    }
  }
}

// So it does with a record of a recycled log, in the middle of ours.
TEST_F(DamagedLog, AFlippedRecordTypeInTheMiddleDoesNotEndTheLog) {
  std::string bytes = Slurp(LargestWal(pristine_.path()));
  constexpr size_t kTypeAt = 6;  // of the first record
  bytes[kTypeAt] = static_cast<char>(bytes[kTypeAt] ^ 4);
  Restore(work_.path());
  Spill(LargestWal(work_.path()), bytes);
  EXPECT_EQ(Open(work_.path(), clock_).status().code(), Code::kDataLoss);
}

TEST_F(DamagedLog, AFlippedBitInATableIsDetected) { ExpectFlipsFound(".sst", kTaggedTopic); }

class DamagedArticles : public DamagedLog {
 protected:
  // Articles expire, so long ones lie in blob files.
  void WriteMore(EmbeddedSink* sink) override {
    for (int i = 0; i < 60; ++i) {
      Record record;
      record.topic = kArticlesTopic;
      record.partition = 0;
      record.key = "article" + std::to_string(i);
      record.value = record.key + std::string(3000, 'a');
      ASSERT_TRUE(sink->Send(std::move(record), nullptr).ok());
    }
  }
};

TEST_F(DamagedArticles, AFlippedBitInABlobFileIsDetected) { ExpectFlipsFound(".blob", kArticlesTopic); }

TEST_F(DamagedLog, AMissingEntryFileIsDamageAndNotANewLog) {
  Restore(work_.path());
  fs::remove(fs::path(work_.path()) / "CURRENT");
  const auto log = Open(work_.path(), clock_);
  ASSERT_FALSE(log.ok());
  EXPECT_EQ(log.status().code(), Code::kDataLoss);
}

}  // namespace
}  // namespace racewatch::base
