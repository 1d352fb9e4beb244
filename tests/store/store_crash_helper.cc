// usage: store_crash_helper DIR SEED     The process that crash_test kills: the real store loop on DIR over a bus that
// holds the stream of SEED, in small batches. Prints one dot per round and `done` once nothing is left.
#include <prometheus/registry.h>

#include <cstdio>
#include <cstdlib>

#include "base/log.h"
#include "racewatch/v1/config.pb.h"
#include "store/query.h"
#include "store/rocksdb_engine.h"
#include "store/store_config.h"
#include "store/store_loop.h"
#include "store/store_role.h"
#include "tests/fakes/fake_bus.h"
#include "tests/fakes/manual_clock.h"
#include "tests/store/article_maker.h"

namespace racewatch::store {
namespace {

class Listener final : public base::AssignmentListener {
 public:
  StoreLoop* loop = nullptr;
  std::map<base::TopicPartition, int64_t> OnAssigned(const std::vector<base::TopicPartition>& partitions) override {
    return loop->OnAssigned(partitions);
  }
  void OnRevoked(const std::vector<base::TopicPartition>& partitions, bool) override { loop->OnRevoked(partitions); }
};

int Run(const char* dir, uint64_t seed) {
  fakes::ManualClock clock(kTestNow);
  fakes::FakeLog bus(1, &clock);
  for (const auto& article : RandomStream(seed, {.ids = 300, .records = 1500})) {
    base::Record record = ToRecord(article);
    record.partition = record.offset = -1;
    bus.Append(std::move(record));
  }
  auto engine = RocksDbEngine::Open({.path = dir});
  if (!engine.ok()) return std::fprintf(stderr, "%s\n", engine.status().ToString().c_str()), 1;
  v1::StoreConfig config;
  config.set_batch_records_max(7);
  config = WithDefaults(config);
  prometheus::Registry registry;
  base::Log log({.level = base::LogLevel::kError});
  Changes changes;
  fakes::FakeSink sink(bus);
  Listener listener;
  fakes::FakeSource source(bus, {StoreRole::Topics(), "", &listener});
  StoreLoop loop(config, **engine, source, sink, clock, registry, log, changes);
  listener.loop = &loop;
  base::Status status = loop.Restore();
  const std::stop_source never;
  while (status.ok()) {
    const auto round = loop.Round(std::chrono::milliseconds(0), never.get_token());
    status = round.status();
    std::fputc('.', stdout);
    std::fflush(stdout);
    if (round.ok() && round->idle) break;
  }
  (void)source.Close();  // tells the loop, which goes before the source
  if (!status.ok()) return std::fprintf(stderr, "%s\n", status.ToString().c_str()), 1;
  std::puts("done");
  return 0;
}

}  // namespace
}  // namespace racewatch::store

int main(int argc, char** argv) {
  return argc == 3 ? racewatch::store::Run(argv[1], std::strtoull(argv[2], nullptr, 10)) : 64;
}
