// usage: store_crash_helper SEED rocksdb DIR | store_crash_helper SEED postgresql CONNINFO SCHEMA
// The process that crash_test kills: the real store loop over a bus that holds CrashStream(SEED), in small batches. Prints
// `done` once nothing is left and the last alert step is decided.
#include <prometheus/registry.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "base/log.h"
#include "racewatch/v1/config.pb.h"
#include "store/open_engine.h"
#include "store/query.h"
#include "store/store_config.h"
#include "store/store_loop.h"
#include "store/store_role.h"
#include "tests/fakes/fake_bus.h"
#include "tests/fakes/manual_clock.h"
#include "tests/store/article_maker.h"
#include "tests/store/end_round.h"
#include "tests/store/loop_listener.h"
#include "tests/store/naive_recount.h"

namespace racewatch::store {
namespace {

constexpr int kSteps = 9;  // of ten minutes, once everything is read

v1::StoreConfig Config(char** argv) {
  v1::StoreConfig config;
  config.set_batch_records_max(7);
  if (std::string_view(argv[2]) == "postgresql") {
    config.mutable_postgresql()->set_conninfo(argv[3]);
    config.mutable_postgresql()->set_schema(argv[4]);
    config.mutable_postgresql()->set_lease_ms(100);  // a successor starts soon
  }
  auto* rule = config.add_rules();
  rule->set_name("chips");
  rule->mutable_threshold()->set_window_s(3600);
  rule->mutable_threshold()->set_open(12);
  rule->mutable_series()->set_dimension("theme");
  rule->mutable_series()->set_theme("chips_compute");
  rule->set_publishers_min(1);
  rule->set_coverage_min(0.01);
  AddNaiveQueries(&config);
  *config.add_rules() = config.rules(0);
  config.mutable_rules(1)->set_name("query");
  config.mutable_rules(1)->mutable_series()->Clear();
  config.mutable_rules(1)->mutable_series()->set_dimension("query");
  config.mutable_rules(1)->mutable_series()->set_query("q3");  // theme:chips_compute, which no revision changes (CrashStream)
  return WithDefaults(config);
}

int Run(char** argv) {
  fakes::ManualClock clock(kTestNow);
  fakes::FakeLog bus(1, &clock);
  for (const auto& article : CrashStream(std::strtoull(argv[1], nullptr, 10))) {
    base::Record record = ToRecord(article);
    record.partition = record.offset = -1;
    bus.Append(std::move(record));
  }
  const v1::StoreConfig config = Config(argv);
  auto engine = OpenEngine(config, argv[3]);
  if (!engine.ok()) return std::fprintf(stderr, "%s\n", engine.status().ToString().c_str()), 1;
  prometheus::Registry registry;
  base::Log log({.level = base::LogLevel::kError});
  Changes changes;
  fakes::FakeSink sink(bus);
  LoopListener listener;
  fakes::FakeSource source(bus, {StoreRole::Topics(), "", &listener});
  StoreLoop loop(config, **engine, source, sink, clock, registry, log, changes);
  listener.loop = &loop;
  base::Status status = loop.Restore();
  const std::stop_source never;
  int steps = 0;
  while (status.ok() && steps < kSteps) {
    const auto round = loop.Round(std::chrono::milliseconds(loop.leading() ? 0 : 5), never.get_token());
    status = round.status();
    EndRound();
    if (!round.ok() || !round->idle || !loop.leading()) continue;
    clock.Advance(600'000);
    ++steps;
  }
  loop.Resign();
  (void)source.Close();  // tells the loop, which goes before the source
  if (!status.ok()) return std::fprintf(stderr, "%s\n", status.ToString().c_str()), 1;
  std::puts("done");
  return 0;
}

}  // namespace
}  // namespace racewatch::store

int main(int argc, char** argv) { return argc >= 4 ? racewatch::store::Run(argv) : 64; }
