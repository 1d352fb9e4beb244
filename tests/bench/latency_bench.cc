// From the acknowledged publication of an article to its count in /metrics, at 500 articles a second: the tagger,
// classifier and store of `racewatch up` over the embedded log in a temporary folder, scraped over HTTP every 50 ms.
// Articles are counted in the order published, so the n-th is visible once /metrics counts n.
#include <benchmark/benchmark.h>

#include "tests/bench/live_roles.h"

namespace racewatch {
namespace {

constexpr size_t kArticles = 2500;

void BM_PublishToMetric(benchmark::State& state) {
  auto maker = bench::ArticleMaker::Make(1);
  bench::LiveRoles roles;
  if (const auto started = roles.Start(); !maker.ok() || !started.ok()) return state.SkipWithError(started.message().c_str());
  std::vector<double> seconds;
  for (auto _ : state) seconds = bench::LiveLatencies(roles, *maker, 0, std::chrono::milliseconds(50), [](size_t published) { return published < kArticles; });
  state.counters["p50_ms"] = 1000 * seconds[seconds.size() / 2];
  state.counters["p99_ms"] = 1000 * seconds[seconds.size() * 99 / 100];
}
BENCHMARK(BM_PublishToMetric)->Iterations(1)->UseRealTime()->Unit(benchmark::kSecond);

}  // namespace
}  // namespace racewatch

BENCHMARK_MAIN();
