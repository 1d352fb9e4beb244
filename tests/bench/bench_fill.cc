// Fills a bus with articles (bench_articles.h) for the end-to-end benches of tests/bench/run.
// usage: bench_fill --embedded STATE/log|--kafka HOST:PORT --articles N [--seed N]
#include <CLI/CLI.hpp>
#include <cstdio>
#include <mutex>

#include "base/bus/topics.h"
#include "base/clock.h"
#include "base/log.h"
#include "cli/bus.h"
#include "tests/bench/bench_articles.h"

namespace {

using racewatch::base::Status;
using racewatch::bench::ArticleMaker;

Status Fill(racewatch::base::Sink& sink, size_t articles, ArticleMaker* maker) {
  const int64_t now_ms = racewatch::base::SystemClock().NowMs();
  std::mutex mutex;
  Status failed;
  for (size_t i = 0; i < articles; ++i) {
    const auto article = maker->Next(now_ms);
    racewatch::base::Record record;
    record.topic = racewatch::base::kArticlesTopic;
    record.key = article.id();
    article.SerializeToString(&record.value);
    for (;;) {
      auto copy = record;
      const Status sent = sink.Send(std::move(copy), [&](const racewatch::base::Delivery& delivery) {
        const std::scoped_lock lock(mutex);
        if (!delivery.status.ok()) failed = delivery.status;
      });
      if (sent.ok()) break;
      if (!sent.retryable()) return sent;
      RW_RETURN_IF_ERROR(sink.Flush(std::chrono::seconds(60)));
    }
  }
  RW_RETURN_IF_ERROR(sink.Flush(std::chrono::seconds(120)));
  const std::scoped_lock lock(mutex);
  return failed;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Fills a bus with articles for the end-to-end benches.");
  std::string embedded, kafka;
  size_t articles = 20000;
  uint64_t seed = 1;
  app.add_option("--embedded", embedded);
  app.add_option("--kafka", kafka);
  app.add_option("--articles", articles);
  app.add_option("--seed", seed);
  CLI11_PARSE(app, argc, argv);
  auto maker = ArticleMaker::Make(seed);
  racewatch::v1::BusConfig config;
  if (!kafka.empty()) config.mutable_kafka()->set_bootstrap_servers(kafka);
  racewatch::base::SystemClock clock;
  racewatch::base::Log log({});
  auto bus = racewatch::cli::Bus::Open(config, "bench", embedded, clock, log);
  Status status = !maker.ok() ? maker.status() : bus.ok() ? Status() : bus.status();
  if (status.ok()) {
    auto sink = (*bus)->MakeSink();
    status = sink.ok() ? Fill(**sink, articles, &*maker) : sink.status();
    if (status.ok()) status = (*sink)->Close(std::chrono::seconds(30));
  }
  if (!status.ok()) std::fprintf(stderr, "bench_fill: %s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
