// The two processes of a re-tag over one fake bus, stepped by hand: a store, which counts and builds, and the re-tagger. The
// bus, the clock and the engine outlive them.
#pragma once

#include <memory>

#include "base/bus/topics.h"
#include "racewatch/v1/config.pb.h"
#include "store/retag_status.h"
#include "store/store_config.h"
#include "tests/fakes/fake_bus.h"
#include "tests/fakes/manual_clock.h"
#include "tests/store/loop_life.h"
#include "tests/store/naive_recount.h"
#include "tests/store/retag_stream.h"

namespace racewatch::store {

class RetagStore final : public LoopLife {
 public:
  RetagStore(Engine& engine, fakes::FakeLog& bus, base::Clock& clock, const std::string& group = "", const v1::StoreConfig& config = Config())
      : LoopLife(config, engine, bus, clock, group, Source(bus)) {}
  static v1::StoreConfig Config() {
    v1::StoreConfig config;
    config.set_batch_records_max(20);
    config.mutable_postgresql()->set_lease_ms(3'600'000);  // read over a shared engine only
    AddQuery("told", "told publisher:p1.example", &config);
    AddQuery("labels", "(theme:chips_compute OR stance:export_controls:favor) NOT publisher:p2.example", &config);
    return WithDefaults(config);
  }
  static void AddQuery(const std::string& name, const std::string& expression, v1::StoreConfig* config) {
    config->add_queries()->set_name(name);
    config->mutable_queries()->rbegin()->set_expression(expression);
  }

 private:
  static RetagSource Source(fakes::FakeLog& bus) {
    return [&bus](base::AssignmentListener& listener) -> base::Result<std::unique_ptr<base::Source>> {
      return std::unique_ptr<base::Source>(std::make_unique<fakes::FakeSource>(bus, base::SourceOptions{{std::string(base::kRetagTopic)}, "", &listener}));
    };
  }
};

// What the recount knows of.
inline NaiveCounts WithoutQueries(NaiveCounts counts) {
  std::erase_if(counts, [](const auto& entry) { return entry.first.find("/query#") != std::string::npos; });
  return counts;
}

struct Retagger {
  // Begins where the generation of the engine is, with the saved queries of its store.
  Retagger(fakes::FakeLog& bus, base::Clock& clock, uint32_t generation, const Engine& engine)
      : sink(bus), matcher(ReadRetag(engine)->queries), loop(Options(bus, generation, engine), NewTags, sink, clock, ReadCovered(engine, generation).value()),
        source(bus, {classify::RetagLoop::Topics(), "", &loop}) {
    loop.SetSource(source);
  }
  size_t Step() {
    const auto done = loop.Step(std::chrono::milliseconds(0));
    (void)sink.Flush(std::chrono::milliseconds(1000));
    return done.ok() ? *done : 0;
  }
  fakes::FakeSink sink;
  QueryMatcher matcher;
  classify::RetagLoop loop;
  fakes::FakeSource source;

 private:
  classify::RetagOptions Options(fakes::FakeLog& bus, uint32_t generation, const Engine& engine) {
    return {generation, kNewModel, bus.partitions(std::string(base::kRetagTopic)),
            [this](v1::TaggedArticle* article) { matcher.Ask(article); }, FingerprintOf(ReadRetag(engine)->queries)};
  }
};

}  // namespace racewatch::store
