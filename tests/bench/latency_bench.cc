// From the acknowledged publication of an article to its count in /metrics, at 500 articles a second: the tagger,
// classifier and store of `racewatch up` over the embedded log in a temporary folder, scraped over HTTP every 50 ms.
// Articles are counted in the order published, so the n-th is visible once /metrics counts n.
#include <benchmark/benchmark.h>
#include <httplib.h>
#include <prometheus/registry.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <mutex>
#include <thread>

#include "base/bus/embedded_log.h"
#include "base/bus/embedded_sink.h"
#include "base/bus/embedded_source.h"
#include "base/bus/topics.h"
#include "base/http_server.h"
#include "classify/classifier_client.h"
#include "classify/classifier_role.h"
#include "classify/tagger_role.h"
#include "store/store_config.h"
#include "store/store_role.h"
#include "tests/bench/bench_articles.h"
#include "tests/store/temp_dir.h"

namespace racewatch {
namespace {

using Instant = std::chrono::steady_clock::time_point;

constexpr std::chrono::milliseconds kScrapeInterval{50};
constexpr size_t kPerSecond = 500;
constexpr size_t kArticles = 2500;

// The roles behind the articles topic, as `racewatch up` wires them.
struct Roles {
  Roles()
      : classifier(classify::WithDefaults(v1::ClassifierConfig()), registry, log),
        bus(base::EmbeddedLog::Open({.dir = dir.path() + "/log"}, clock, &log).value()),
        articles(*bus), tagger_sink(*bus), store_sink(*bus), http({.listen = "127.0.0.1:0"}),
        store(store::WithDefaults(v1::StoreConfig()), store_sink, clock, registry, log, http, dir.path() + "/store"),
        store_source(*bus, {store::StoreRole::Topics(), "", &store}) {
    store.SetSource(store_source);
  }
  ~Roles() {
    (void)tagger->Stop(std::chrono::seconds(5));
    (void)store.Stop(std::chrono::seconds(5));
    (void)classifier.Stop(std::chrono::seconds(5));
    http.Stop();
  }
  base::Status Start() {
    RW_RETURN_IF_ERROR(classifier.Load());
    client = classifier.LocalClient();
    tagger = std::make_unique<classify::TaggerRole>(classify::WithDefaults(v1::TaggerConfig()), *client, tagger_sink, clock, registry, log);
    tagger_source = std::make_unique<base::EmbeddedSource>(
        *bus, base::SourceOptions{{std::string(base::kArticlesTopic)}, "tagger", tagger.get()});
    tagger->SetSource(*tagger_source, "tagger");
    RW_RETURN_IF_ERROR(http.Start());
    RW_RETURN_IF_ERROR(store.Start());
    return tagger->Start();
  }

  store::TempDir dir;
  base::SystemClock clock;
  prometheus::Registry registry;
  base::Log log{{.level = base::LogLevel::kError}};
  classify::ClassifierRole classifier;
  std::unique_ptr<classify::ClassifierClient> client;
  std::unique_ptr<base::EmbeddedLog> bus;
  base::EmbeddedSink articles, tagger_sink, store_sink;
  base::HttpServer http;
  store::StoreRole store;
  base::EmbeddedSource store_source;
  std::unique_ptr<classify::TaggerRole> tagger;
  std::unique_ptr<base::EmbeddedSource> tagger_source;
};

size_t Counted(httplib::Client& client) {
  const auto answer = client.Get("/metrics");
  size_t counted = 0;
  constexpr std::string_view kName = "\nracewatch_articles{";
  for (size_t at = answer ? answer->body.find(kName) : std::string::npos; at != std::string::npos; at = answer->body.find(kName, at + 1))
    counted += std::stoul(answer->body.substr(answer->body.find("} ", at) + 2));
  return counted;
}

// Publishes at the given rate; times of acknowledgement are in `acknowledged`, by number.
void Publish(base::Sink& sink, bench::ArticleMaker maker, const base::Clock& clock, std::vector<Instant>* acknowledged, std::mutex* mutex) {
  const Instant start = std::chrono::steady_clock::now();
  for (size_t i = 0; i < kArticles; ++i) {
    const v1::Article article = maker.Next(clock.NowMs());
    base::Record record;
    record.topic = base::kArticlesTopic;
    record.key = article.id();
    article.SerializeToString(&record.value);
    std::this_thread::sleep_until(start + i * std::chrono::microseconds(1'000'000 / kPerSecond));
    (void)sink.Send(std::move(record), [=](const base::Delivery&) {
      const std::scoped_lock lock(*mutex);
      acknowledged->push_back(std::chrono::steady_clock::now());
    });
  }
}

void BM_PublishToMetric(benchmark::State& state) {
  auto maker = bench::ArticleMaker::Make(1);
  Roles roles;
  if (const auto started = roles.Start(); !maker.ok() || !started.ok()) return state.SkipWithError(started.message().c_str());
  std::mutex mutex;
  std::vector<Instant> acknowledged;
  std::vector<double> seconds;
  httplib::Client client("127.0.0.1", roles.http.port());
  for (auto _ : state) {
    std::jthread publisher([&] { Publish(roles.articles, *maker, roles.clock, &acknowledged, &mutex); });
    for (Instant next = std::chrono::steady_clock::now(); seconds.size() < kArticles; next += kScrapeInterval) {
      std::this_thread::sleep_until(next);
      const size_t counted = Counted(client);
      const Instant seen = std::chrono::steady_clock::now();
      const std::scoped_lock lock(mutex);
      for (size_t i = seconds.size(); i < std::min(counted, acknowledged.size()); ++i)
        seconds.push_back(std::chrono::duration<double>(seen - acknowledged[i]).count());
    }
  }
  std::sort(seconds.begin(), seconds.end());
  state.counters["p50_ms"] = 1000 * seconds[seconds.size() / 2];
  state.counters["p99_ms"] = 1000 * seconds[seconds.size() * 99 / 100];
}
BENCHMARK(BM_PublishToMetric)->Iterations(1)->UseRealTime()->Unit(benchmark::kSecond);

}  // namespace
}  // namespace racewatch

BENCHMARK_MAIN();
