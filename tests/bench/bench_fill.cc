// Fills a bus with articles for the end-to-end benches (tests/bench/run): N articles of about 4.8 KB, made of
// sentences of the demo week in random order, one in five of relevant ones; ids, times and publishers differ.
// usage: bench_fill --embedded STATE/log|--kafka HOST:PORT --articles N [--seed N]
#include <google/protobuf/util/time_util.h>

#include <CLI/CLI.hpp>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <random>

#include "base/bus/topics.h"
#include "base/clock.h"
#include "base/log.h"
#include "cli/bus.h"
#include "cli/demo_week.h"
#include "racewatch/v1/article.pb.h"

namespace {

using racewatch::base::Status;
using racewatch::cli::DemoWeek;
using google::protobuf::util::TimeUtil;

constexpr size_t kArticleBytes = 4800;

// Sentences of English articles, by relevance.
struct Sentences {
  std::vector<std::string> relevant;
  std::vector<std::string> other;
};

Sentences Split(const DemoWeek& week) {
  Sentences out;
  for (const auto& article : week.articles) {
    if (week.feeds[article.feed].language.substr(0, 2) != "en") continue;
    const auto& version = article.versions.front();
    auto& target = version.labels.relevant ? out.relevant : out.other;
    for (const std::string& paragraph : version.paragraphs)
      for (size_t from = 0; from < paragraph.size();) {
        const size_t stop = paragraph.find(". ", from);
        const size_t end = stop == std::string::npos ? paragraph.size() : stop + 1;
        target.push_back(paragraph.substr(from, end - from));
        from = end + 1;
      }
  }
  return out;
}

racewatch::v1::Article MakeArticle(size_t number, const Sentences& sentences, std::mt19937_64& random, int64_t now_ms) {
  const auto& pool = number % 5 == 0 ? sentences.relevant : sentences.other;
  const auto pick = [&]() -> const std::string& { return pool[random() % pool.size()]; };
  racewatch::v1::Article article;
  char id[33];
  std::snprintf(id, sizeof id, "%016llx%016llx", static_cast<unsigned long long>(number) * 0x9E3779B97F4A7C15ull,
                static_cast<unsigned long long>(number));
  article.set_id(id);
  article.set_id_rule(1);
  article.set_url("https://site" + std::to_string(number % 40) + ".example/" + id);
  article.set_canonical_url(article.url());
  article.set_title(pick().substr(0, 120));
  std::string text;
  while (text.size() < kArticleBytes) text += pick() + (random() % 4 == 0 ? "\n\n" : " ");
  article.set_text(text);
  article.set_body_quality(racewatch::v1::BODY_QUALITY_FULL);
  article.set_language("en");
  article.set_publisher("site" + std::to_string(number % 40) + ".example");
  article.set_publisher_group(number % 2 == 0 ? "us" : "china");
  article.set_feed_id("bench");
  *article.mutable_published() = TimeUtil::MillisecondsToTimestamp(now_ms - static_cast<int64_t>(random() % (5 * 3600'000)));
  article.set_date_source(racewatch::v1::DATE_SOURCE_FEED);
  article.set_date_precision(racewatch::v1::DATE_PRECISION_SECOND);
  *article.mutable_fetched_at() = TimeUtil::MillisecondsToTimestamp(now_ms);
  *article.mutable_revision_at() = article.fetched_at();
  article.set_content_hash(std::string(id).substr(16));
  article.set_lane(racewatch::v1::LANE_LIVE);
  return article;
}

Status Fill(racewatch::base::Sink& sink, size_t articles, const Sentences& sentences, uint64_t seed) {
  std::mt19937_64 random(seed);
  const int64_t now_ms = racewatch::base::SystemClock().NowMs();
  std::mutex mutex;
  Status failed;
  for (size_t i = 0; i < articles; ++i) {
    const auto article = MakeArticle(i, sentences, random, now_ms);
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
  const auto week = racewatch::cli::LoadDemoWeek(racewatch::cli::DemoDataDir());
  racewatch::v1::BusConfig config;
  if (!kafka.empty()) config.mutable_kafka()->set_bootstrap_servers(kafka);
  racewatch::base::SystemClock clock;
  racewatch::base::Log log({});
  auto bus = racewatch::cli::Bus::Open(config, "bench", embedded, clock, log);
  Status status = !week.ok() ? week.status() : bus.ok() ? Status() : bus.status();
  if (status.ok()) {
    auto sink = (*bus)->MakeSink();
    status = sink.ok() ? Fill(**sink, articles, Split(*week), seed) : sink.status();
    if (status.ok()) status = (*sink)->Close(std::chrono::seconds(30));
  }
  if (!status.ok()) std::fprintf(stderr, "bench_fill: %s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
