// A re-tag of stored history beside 500 live articles a second: records of 6 KB in the archive, one in ten relevant → tagged by
// the new model → counted in the generation that is built, in one process as in `racewatch up`; and how long live articles take
// meanwhile. The history is at rest when the re-tag begins: told into stories, and its files compacted.
#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>
#include <utility>

#include "base/bus/topics.h"
#include "base/pause.h"
#include "classify/tag_step.h"
#include "cli/retag_worker.h"
#include "racewatch/v1/tagged_article.pb.h"
#include "store/retag_status.h"
#include "tests/bench/live_roles.h"

namespace racewatch {
namespace {

using Instant = std::chrono::steady_clock::time_point;

constexpr size_t kArticleBytes = 6000;
constexpr size_t kHistory = 30'000;
constexpr size_t kLiveMin = 2500;  // so that the 99th percentile means something

// The archive as a former model left it, counted.
base::Status Fill(bench::LiveRoles& roles, bench::ArticleMaker& maker) {
  for (size_t i = 0; i < kHistory; ++i) {
    v1::TaggedArticle tagged;
    *tagged.mutable_article() = maker.Next(roles.clock.NowMs());
    tagged.mutable_tags()->set_model_version("former");
    tagged.mutable_tags()->mutable_relevance()->set_label(i % 10 == 0);
    base::Record record;
    record.topic = base::kTaggedTopic;
    record.key = tagged.article().id();
    tagged.SerializeToString(&record.value);
    base::Status sent;
    while ((sent = roles.articles->Send(record, [](const base::Delivery&) {})).code() == base::Code::kResourceExhausted)
      (void)roles.articles->Flush(std::chrono::seconds(10));
    RW_RETURN_IF_ERROR(sent);
  }
  return base::LookUntil(std::chrono::milliseconds(100), [&roles]() -> base::Result<bool> { return roles.Counted() >= kHistory; });
}

// Of all threads, so live articles and looks at /metrics are in it.
double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// Waits until all threads together have used next to nothing of a core for a second.
base::Status WaitUntilAtRest() {
  constexpr double kAtRest = 0.03;
  double before = CpuSeconds() - 1;
  return base::LookUntil(std::chrono::milliseconds(1000), [&]() -> base::Result<bool> {
    const double now = CpuSeconds();
    return now - std::exchange(before, now) < kAtRest;
  });
}

// Waits until the generation holds what had been counted when the re-tag began.
base::Status WaitUntilCovered(const store::StoreRole& role, const store::Offsets& history) {
  return base::LookUntil(std::chrono::milliseconds(100), [&]() -> base::Result<bool> {
    RW_ASSIGN_OR_RETURN(const store::RetagStatus retag, role.retag());
    return std::all_of(history.begin(), history.end(), [&retag](const auto& entry) {
      const auto at = retag.covered.find(entry.first);
      return at != retag.covered.end() && at->second >= entry.second;
    });
  });
}

void BM_RetagBesideLive(benchmark::State& state) {
  auto maker = bench::ArticleMaker::Make(1, kArticleBytes);
  bench::LiveRoles roles;
  base::Status status = roles.Start();
  if (status.ok()) status = maker.ok() ? Fill(roles, *maker) : maker.status();
  if (status.ok()) status = WaitUntilAtRest();
  const auto before = status.ok() ? roles.store.retag() : base::Result<store::RetagStatus>(status);
  const std::shared_ptr<const classify::Model> model = std::move(classify::Model::Load(classify::DefaultModelPath())).value();
  const auto generation = before.ok() ? roles.store.BeginRetag(model->version()) : base::Result<uint32_t>(before.status());
  if (!generation.ok()) return state.SkipWithError(generation.status().message().c_str());
  std::vector<double> latencies;
  double seconds = 0, cpu_seconds = 0;
  for (auto _ : state) {
    std::atomic<bool> covered = false;
    std::jthread live([&] {
      latencies = bench::LiveLatencies(roles, *maker, kHistory, std::chrono::milliseconds(200),
                                       [&covered](size_t published) { return published < kLiveMin || !covered; });
    });
    cli::RetagWorker worker({.generation = *generation}, *roles.bus, model, [&roles]() -> base::Result<cli::RetagWorker::Held> {
      RW_ASSIGN_OR_RETURN(store::RetagStatus retag, roles.store.retag());
      return cli::RetagWorker::Held{std::move(retag.covered), std::move(retag.queries)};
    }, roles.clock, roles.log);
    const Instant start = std::chrono::steady_clock::now();
    cpu_seconds = -CpuSeconds();
    worker.Start();
    status = WaitUntilCovered(roles.store, before->counted);
    seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    cpu_seconds += CpuSeconds();
    covered = true;
    live.join();
    worker.Stop();
  }
  if (!status.ok()) return state.SkipWithError(status.message().c_str());
  std::sort(latencies.begin(), latencies.end());
  state.counters["articles_per_s"] = kHistory / seconds;
  state.counters["articles_per_cpu_s"] = kHistory / cpu_seconds;
  state.counters["live_p99_ms"] = 1000 * latencies[latencies.size() * 99 / 100];
}
BENCHMARK(BM_RetagBesideLive)->Iterations(1)->UseRealTime()->Unit(benchmark::kSecond);

}  // namespace
}  // namespace racewatch

BENCHMARK_MAIN();
