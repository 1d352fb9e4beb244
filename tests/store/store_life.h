// One life of a store over a fake bus and real RocksDB, without HTTP: the loop is turned by hand, so a test says exactly
// what was read when. The bus and the clock outlive it; the state stays in `dir` for the next life.
#pragma once

#include <prometheus/registry.h>

#include <memory>
#include <string>

#include "base/bus/topics.h"
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

class StoreLife final : public base::AssignmentListener {
 public:
  StoreLife(fakes::FakeLog& bus, base::Clock& clock, const std::string& dir, const v1::StoreConfig& given)
      : config(WithDefaults(given)), sink(bus), source(bus, {StoreRole::Topics(), "", this}) {
    auto opened = RocksDbEngine::Open({.path = dir});
    engine = std::move(opened).value();
    loop = std::make_unique<StoreLoop>(config, *engine, source, sink, clock, registry, log, changes);
    status = loop->Restore();
  }
  ~StoreLife() override {
    (void)sink.Flush(std::chrono::milliseconds(1000));
    (void)source.Close();
  }
  // One round; true when nothing is left to do at this moment of the clock.
  bool Round() {
    if (!status.ok()) return true;
    const auto round = loop->Round(std::chrono::milliseconds(0), never.get_token());
    status = round.status();
    (void)sink.Flush(std::chrono::milliseconds(1000));
    return round.ok() && round->idle;
  }
  // Until nothing is left. False: it did not come to rest, or failed.
  bool Settle() {
    for (int i = 0; i < 20'000 && status.ok(); ++i)
      if (Round()) return status.ok();
    return false;
  }
  std::map<base::TopicPartition, int64_t> OnAssigned(const std::vector<base::TopicPartition>& partitions) override {
    return loop->OnAssigned(partitions);
  }
  void OnRevoked(const std::vector<base::TopicPartition>& partitions, bool) override { loop->OnRevoked(partitions); }

  v1::StoreConfig config;
  prometheus::Registry registry;
  base::Log log{{.level = base::LogLevel::kError}};
  Changes changes;
  fakes::FakeSink sink;
  std::unique_ptr<RocksDbEngine> engine;
  std::unique_ptr<StoreLoop> loop;
  fakes::FakeSource source;
  std::stop_source never;
  base::Status status;
};

// A minute-by-minute stream on chips_compute, one article a minute, with `burst` more a minute in each of the given
// minutes; published one minute before its first fetch, by many publishers.
inline void PublishMinute(fakes::FakeLog& bus, base::UnixMs minute, int articles, uint64_t* number) {
  for (int i = 0; i < articles; ++i) {
    auto article = MakeArticle(++*number, minute + i * 100);
    article.mutable_article()->set_publisher("p" + std::to_string(*number % 7) + ".example");
    base::Record record = ToRecord(article);
    record.topic = base::kTaggedTopic;
    record.partition = record.offset = -1;
    bus.Append(std::move(record));
  }
}

}  // namespace racewatch::store
