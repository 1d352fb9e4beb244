// usage: alert_crash_helper DIR     The process that alert_crash_test kills: the real store loop on DIR/store, reading a
// stream with four bursts in small batches, its alerts going to the embedded log DIR/log. The clock follows the stream.
// Prints `done` once every step is decided and every alert delivered.
#include <cstdio>

#include "base/bus/embedded_log.h"
#include "base/bus/embedded_sink.h"
#include "tests/store/alert_crash_stream.h"
#include "tests/store/end_round.h"
#include "tests/store/loop_listener.h"
#include "tests/store/store_life.h"

namespace racewatch::store {
namespace {

// Moves the clock to the first fetch of what is handed out.
class ClockedSource final : public base::Source {
 public:
  ClockedSource(base::Source& inner, fakes::ManualClock& clock) : inner_(inner), clock_(clock) {}
  base::Result<std::vector<base::Record>> Poll(const base::PollLimits& limits, std::chrono::milliseconds wait) override {
    auto records = inner_.Poll(limits, wait);
    if (!records.ok()) return records;
    for (const base::Record& record : *records) {
      v1::TaggedArticle article;
      if (!article.ParseFromString(record.value)) continue;
      clock_.Set(std::max(clock_.NowMs(), article.article().fetched_at().seconds() * 1000 + 1000));
    }
    return records;
  }
  base::Status Commit(const std::vector<base::Position>& next) override { return inner_.Commit(next); }
  base::Status Pause(const std::vector<base::TopicPartition>& partitions) override { return inner_.Pause(partitions); }
  base::Status Resume(const std::vector<base::TopicPartition>& partitions) override { return inner_.Resume(partitions); }
  std::vector<base::TopicPartition> assignment() const override { return inner_.assignment(); }
  base::Result<std::string> ClusterId() override { return inner_.ClusterId(); }
  base::Result<base::OffsetRange> Range(const base::TopicPartition& where) override { return inner_.Range(where); }
  base::Result<std::vector<base::TopicPartition>> Partitions() override { return inner_.Partitions(); }
  std::map<base::TopicPartition, std::optional<int64_t>> Lag() const override { return inner_.Lag(); }
  int64_t gaps() const override { return inner_.gaps(); }
  void Interrupt() override { inner_.Interrupt(); }
  base::Status Close() override { return inner_.Close(); }

 private:
  base::Source& inner_;
  fakes::ManualClock& clock_;
};

int Failed(const base::Status& status) { return std::fprintf(stderr, "%s\n", status.ToString().c_str()), 1; }

int Run(const std::string& dir) {
  fakes::ManualClock clock(kTestNow);
  fakes::FakeLog bus(1, &clock);
  FillCrashStream(bus);
  auto log = base::EmbeddedLog::Open({.dir = dir + "/log"}, clock);
  if (!log.ok()) return Failed(log.status());
  base::EmbeddedSink sink(**log);
  auto engine = RocksDbEngine::Open({.path = dir + "/store"});
  if (!engine.ok()) return Failed(engine.status());
  prometheus::Registry registry;
  base::Log lines({.level = base::LogLevel::kError});
  Changes changes;
  LoopListener listener;
  fakes::FakeSource stream(bus, {StoreRole::Topics(), "", &listener});
  ClockedSource source(stream, clock);
  StoreLoop loop(CrashConfig(), **engine, source, sink, clock, registry, lines, changes);
  listener.loop = &loop;
  base::Status status = loop.Restore();
  const std::stop_source never;
  // Thrice: the stream; its last steps, once the clock has passed the idle time; what these sent.
  for (int phase = 0; phase < 3 && status.ok(); ++phase) {
    if (phase > 0) clock.Set(kCrashEnd + phase);
    for (bool idle = false; !idle && status.ok();) {
      const auto round = loop.Round(std::chrono::milliseconds(0), never.get_token());
      status = round.status();
      idle = round.ok() && round->idle;
      EndRound();
    }
  }
  if (!status.ok()) return Failed(status);
  if (const base::Status flushed = sink.Flush(std::chrono::milliseconds(5000)); !flushed.ok()) return Failed(flushed);
  std::puts("done");
  (void)stream.Close();
  return 0;
}

}  // namespace
}  // namespace racewatch::store

int main(int argc, char** argv) { return argc == 2 ? racewatch::store::Run(argv[1]) : 64; }
