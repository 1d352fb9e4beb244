// One store process over a fake bus, stepped by hand: its loop with what it reads and writes, and its place as the listener of
// its source. The bus, the clock and the engine outlive it; leaving it away and making another is a crash and a restart.
#pragma once

#include <prometheus/registry.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "racewatch/v1/config.pb.h"
#include "store/query.h"
#include "store/store_loop.h"
#include "store/store_role.h"
#include "tests/fakes/fake_bus.h"

namespace racewatch::store {

class LoopLife : public base::AssignmentListener {
 public:
  // `config` is complete. An empty group reads every partition by itself.
  LoopLife(const v1::StoreConfig& config, Engine& engine, fakes::FakeLog& bus, base::Clock& clock, const std::string& group,
           RetagSource retag_source = nullptr)
      : sink(bus), source(bus, {StoreRole::Topics(), group, this}),
        loop(config, engine, source, sink, clock, registry, log, changes, std::move(retag_source)) {
    status = loop.Restore();
  }
  ~LoopLife() override {
    loop.Resign();
    (void)source.Close();
  }
  // One round; false once it has failed.
  bool Step() {
    if (!status.ok()) return false;
    const auto round = loop.Round(std::chrono::milliseconds(0), never.get_token());
    status = round.status();
    return status.ok();
  }
  std::map<base::TopicPartition, int64_t> OnAssigned(const std::vector<base::TopicPartition>& partitions) override {
    return loop.OnAssigned(partitions);
  }
  void OnRevoked(const std::vector<base::TopicPartition>& partitions, bool) override { loop.OnRevoked(partitions); }

  base::Log log{{.level = base::LogLevel::kError}};
  prometheus::Registry registry;
  Changes changes;
  fakes::FakeSink sink;
  fakes::FakeSource source;
  StoreLoop loop;
  std::stop_source never;
  base::Status status;
};

}  // namespace racewatch::store
