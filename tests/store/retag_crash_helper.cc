// usage: retag_crash_helper SEED rocksdb DIR | retag_crash_helper SEED postgresql CONNINFO SCHEMA
// The process that retag_crash_test kills: a store and a re-tagger over a bus that holds OldStream(SEED), in small steps. A
// quarter of the stream is published while the re-tag goes on. Prints `done` once the new generation is active.
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "store/open_engine.h"
#include "tests/store/end_round.h"
#include "tests/store/retag_life.h"

namespace racewatch::store {
namespace {

// As cli/retag_worker.h: a store that does not get on is handed everything again from where it is. Here a new life finds an
// empty topic and a position of the life before.
class Stall {
 public:
  bool Seen(const Offsets& covered) {
    rounds_ = covered == covered_ ? rounds_ + 1 : 0;
    covered_ = covered;
    return rounds_ > 0 && rounds_ % kRoundsMax == 0;
  }

 private:
  static constexpr int kRoundsMax = 20;
  int rounds_ = 0;
  Offsets covered_;
};

base::Result<bool> Step(Engine& engine, RetagStore& store, std::unique_ptr<Retagger>* retagger, Stall* stall, fakes::FakeLog& bus, base::Clock& clock) {
  if (!store.Step()) return store.status;
  RW_ASSIGN_OR_RETURN(const RetagStatus status, ReadRetag(engine));
  if (status.generations.active != 0) return true;
  if (!*retagger || stall->Seen(status.covered)) {
    RW_ASSIGN_OR_RETURN(const uint32_t generation, BeginRetag(engine, kNewModel, kTestNow));
    *retagger = std::make_unique<Retagger>(bus, clock, generation, engine);
  }
  (*retagger)->Step();
  uint64_t counted = 0;
  for (const auto& [where, next] : status.counted) counted += static_cast<uint64_t>(next);
  const bool all = counted == bus.Records(std::string(base::kTaggedTopic)).size();
  if (!all || status.lag() > 0 || status.generations.switching()) return false;
  const base::Status asked = RequestSwitch(engine);
  if (!asked.ok() && asked.code() != base::Code::kAborted && asked.code() != base::Code::kFailedPrecondition) return asked;
  return false;
}

int Run(char** argv) {
  fakes::ManualClock clock(kTestNow);
  fakes::FakeLog bus(2, &clock);
  for (const auto& article : OldStream(std::strtoull(argv[1], nullptr, 10), CrashShape())) {
    base::Record record = ToRecord(article);
    record.partition = record.offset = -1;
    bus.Append(std::move(record));
  }
  v1::StoreConfig config;
  if (std::string_view(argv[2]) == "postgresql") {
    config.mutable_postgresql()->set_conninfo(argv[3]);
    config.mutable_postgresql()->set_schema(argv[4]);
  }
  auto engine = OpenEngine(WithDefaults(config), argv[3]);
  if (!engine.ok()) return std::fprintf(stderr, "%s\n", engine.status().ToString().c_str()), 1;
  v1::StoreConfig with_lease = RetagStore::Config();
  with_lease.mutable_postgresql()->set_lease_ms(100);
  RetagStore store(**engine, bus, clock, "", with_lease);
  std::unique_ptr<Retagger> retagger;
  Stall stall;
  for (;;) {
    const auto done = Step(**engine, store, &retagger, &stall, bus, clock);
    EndRound();
    if (!done.ok()) return std::fprintf(stderr, "%s\n", done.status().ToString().c_str()), 1;
    if (*done) break;
  }
  // What is left of the former generation's articles.
  const auto kept = [&] {
    const auto generations = ReadGenerations(**engine);
    return generations.ok() && generations->Find(0)->state == Generation::State::kKept;
  };
  while (!kept())
    if (!store.Step()) return std::fprintf(stderr, "%s\n", store.status.ToString().c_str()), 1;
  std::puts("done");
  return 0;
}

}  // namespace
}  // namespace racewatch::store

int main(int argc, char** argv) { return argc >= 4 ? racewatch::store::Run(argv) : 64; }
