// Speed of the embedded log, with RocksDB itself beside it: what the disk and the engine allow for
// the same records, batch size and fsync. Design: at least 40k/s appended in batches of 500, 100k/s
// read, 2 KB.
#include <benchmark/benchmark.h>
#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/bus/embedded_log.h"
#include "base/bus/embedded_sink.h"
#include "base/bus/embedded_source.h"
#include "tests/base/temp_dir.h"

namespace racewatch::base {
namespace {

constexpr size_t kValueBytes = 2048;
constexpr int kBatch = 500;

// Text-like bytes, so that compression has about the work that articles give it.
std::string Text(size_t bytes, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<std::string> words;
  for (int i = 0; i < 2000; ++i) {
    std::string word;
    for (size_t n = 2 + random() % 8; n > 0; --n)
      word.push_back(static_cast<char>('a' + random() % 26));
    words.push_back(std::move(word));
  }
  std::string text;
  while (text.size() < bytes) text += words[random() % words.size()] + " ";
  text.resize(bytes);
  return text;
}

const std::vector<std::string>& Values() {
  static const std::vector<std::string> values = [] {
    std::vector<std::string> all;
    for (uint32_t i = 0; i < 1000; ++i) all.push_back(Text(kValueBytes, i));
    return all;
  }();
  return values;
}

Record MakeRecord(int64_t i) {
  Record record;
  record.topic = kArticlesTopic;
  record.key = "0123456789abcdef" + std::to_string(i);
  record.value = Values()[static_cast<size_t>(i) % Values().size()];
  return record;
}

std::unique_ptr<EmbeddedLog> OpenLog(const std::string& dir, const Clock& clock) {
  EmbeddedLogOptions options;
  options.dir = dir;
  return std::move(EmbeddedLog::Open(options, clock)).value();
}

void SendBatch(EmbeddedSink& sink, int64_t first) {
  for (int i = 0; i < kBatch; ++i) (void)sink.Send(MakeRecord(first + i), nullptr);
  (void)sink.Flush(std::chrono::seconds(60));
}

// One sender that waits for each batch of 500: an fsync per batch.
void AppendBatches(benchmark::State& state) {
  TempDir dir;
  SystemClock clock;
  const auto log = OpenLog(dir.path(), clock);
  EmbeddedSink sink(*log);
  int64_t sent = 0;
  for (auto _ : state) {
    SendBatch(sink, sent);
    sent += kBatch;
  }
  state.SetItemsProcessed(sent);
  state.SetBytesProcessed(sent * static_cast<int64_t>(kValueBytes));
}
BENCHMARK(AppendBatches)->UseRealTime();

// The limit: the same batches by WriteBatch into an empty RocksDB, sync on.
void RawRocksDbBatches(benchmark::State& state) {
  TempDir dir;
  rocksdb::Options options;
  options.create_if_missing = true;
  options.compression = rocksdb::kLZ4Compression;
  rocksdb::DB* opened = nullptr;
  if (!rocksdb::DB::Open(options, dir.path(), &opened).ok()) return state.SkipWithError("open");
  const std::unique_ptr<rocksdb::DB> db(opened);
  rocksdb::WriteOptions durable;
  durable.sync = true;
  int64_t sent = 0;
  for (auto _ : state) {
    rocksdb::WriteBatch batch;
    for (int i = 0; i < kBatch; ++i) {
      char key[24];
      std::snprintf(key, sizeof key, "%016lld", static_cast<long long>(sent + i));
      (void)batch.Put(key, Values()[static_cast<size_t>(sent + i) % Values().size()]);
    }
    if (!db->Write(durable, &batch).ok()) return state.SkipWithError("write");
    sent += kBatch;
  }
  state.SetItemsProcessed(sent);
  state.SetBytesProcessed(sent * static_cast<int64_t>(kValueBytes));
}
BENCHMARK(RawRocksDbBatches)->UseRealTime();

// 100,000 records, read from the start by one source, 500 a poll.
void ReadAll(benchmark::State& state) {
  static TempDir dir;
  static const SystemClock clock;
  static const auto log = OpenLog(dir.path(), clock);
  static const int64_t kRecords = [] {
    EmbeddedSink sink(*log);
    int64_t sent = 0;
    for (; sent < 100'000; sent += kBatch) SendBatch(sink, sent);
    return sent;
  }();
  int64_t read = 0;
  for (auto _ : state) {
    EmbeddedSource source(*log, {{std::string(kArticlesTopic)}, "", nullptr});
    for (int64_t left = kRecords; left > 0;) {
      const auto records = source.Poll({}, std::chrono::milliseconds(1000)).value();
      left -= static_cast<int64_t>(records.size());
      read += static_cast<int64_t>(records.size());
    }
  }
  state.SetItemsProcessed(read);
  state.SetBytesProcessed(read * static_cast<int64_t>(kValueBytes));
}
BENCHMARK(ReadAll)->UseRealTime()->Unit(benchmark::kMillisecond);

// One record at a time from Send to a waiting Poll: the latency of the log, one fsync included.
void SendToPoll(benchmark::State& state) {
  TempDir dir;
  SystemClock clock;
  const auto log = OpenLog(dir.path(), clock);
  EmbeddedSink sink(*log);
  EmbeddedSource source(*log, {{std::string(kArticlesTopic)}, "g", nullptr});
  (void)source.Poll({}, std::chrono::milliseconds(0));
  int64_t sent = 0;
  for (auto _ : state) {
    (void)sink.Send(MakeRecord(sent++), nullptr);
    while (source.Poll({}, std::chrono::milliseconds(1000)).value().empty()) {
    }
  }
  state.SetItemsProcessed(sent);
}
BENCHMARK(SendToPoll)->UseRealTime()->Unit(benchmark::kMicrosecond);

// A sender and a reader at once, as in `racewatch up`.
void AppendWhileReading(benchmark::State& state) {
  TempDir dir;
  SystemClock clock;
  const auto log = OpenLog(dir.path(), clock);
  std::atomic<bool> stop{false};
  std::thread sender([&] {
    EmbeddedSink sink(*log);
    for (int64_t i = 0; !stop; ++i)
      while (!stop && sink.Send(MakeRecord(i), nullptr).code() == Code::kResourceExhausted)
        (void)sink.Flush(std::chrono::milliseconds(5));
  });
  EmbeddedSource source(*log, {{std::string(kArticlesTopic)}, "g", nullptr});
  int64_t read = 0;
  for (auto _ : state)
    read += static_cast<int64_t>(source.Poll({}, std::chrono::milliseconds(1000)).value().size());
  stop = true;
  sender.join();
  state.SetItemsProcessed(read);
}
BENCHMARK(AppendWhileReading)->UseRealTime();

}  // namespace
}  // namespace racewatch::base

BENCHMARK_MAIN();
