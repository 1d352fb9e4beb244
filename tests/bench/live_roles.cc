#include "tests/bench/live_roles.h"

#include <httplib.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "base/bus/topics.h"
#include "store/store_config.h"

namespace racewatch::bench {
namespace {

using Instant = std::chrono::steady_clock::time_point;

constexpr size_t kPerSecond = 500;

struct Acknowledged {
  std::mutex mutex;
  std::vector<Instant> at;  // by number
  std::optional<size_t> articles;  // in all, once known
};

void Publish(base::Sink& sink, ArticleMaker maker, const std::function<bool(size_t)>& more, const base::Clock& clock, Acknowledged* acknowledged) {
  const Instant start = std::chrono::steady_clock::now();
  size_t i = 0;
  for (; more(i); ++i) {
    const v1::Article article = maker.Next(clock.NowMs());
    base::Record record;
    record.topic = base::kArticlesTopic;
    record.key = article.id();
    article.SerializeToString(&record.value);
    std::this_thread::sleep_until(start + i * std::chrono::microseconds(1'000'000 / kPerSecond));
    (void)sink.Send(std::move(record), [acknowledged](const base::Delivery&) {
      const std::scoped_lock lock(acknowledged->mutex);
      acknowledged->at.push_back(std::chrono::steady_clock::now());
    });
  }
  const std::scoped_lock lock(acknowledged->mutex);
  acknowledged->articles = i;
}

}  // namespace

LiveRoles::LiveRoles()
    : classifier(classify::WithDefaults(v1::ClassifierConfig()), registry, log),
      bus(cli::Bus::Open({}, "bench", dir.path() + "/log", clock, log).value()),
      articles(bus->MakeSink().value()), tagger_sink(bus->MakeSink().value()), store_sink(bus->MakeSink().value()),
      http({.listen = "127.0.0.1:0"}),
      store(store::WithDefaults(v1::StoreConfig()), *store_sink, clock, registry, log, http, dir.path() + "/store"),
      store_source(bus->MakeSource({.topics = store::StoreRole::Topics(), .listener = &store}).value()) {
  store.SetSource(*store_source);
  store.SetRetagSource([this](base::AssignmentListener& listener) { return cli::MakeRetagSource(*bus, listener); });
}

LiveRoles::~LiveRoles() {
  if (tagger) (void)tagger->Stop(std::chrono::seconds(5));
  (void)store.Stop(std::chrono::seconds(5));
  (void)classifier.Stop(std::chrono::seconds(5));
  http.Stop();
}

base::Status LiveRoles::Start() {
  RW_RETURN_IF_ERROR(classifier.Load());
  client = classifier.LocalClient();
  tagger = std::make_unique<classify::TaggerRole>(classify::WithDefaults(v1::TaggerConfig()), *client, *tagger_sink, clock, registry, log);
  RW_ASSIGN_OR_RETURN(tagger_source, bus->MakeSource({.topics = {std::string(base::kArticlesTopic)}, .group = "tagger", .listener = tagger.get()}));
  tagger->SetSource(*tagger_source, "tagger");
  RW_RETURN_IF_ERROR(http.Start());
  RW_RETURN_IF_ERROR(store.Start());
  return tagger->Start();
}

size_t LiveRoles::Counted() {
  httplib::Client reader("127.0.0.1", http.port());
  const auto answer = reader.Get("/metrics");
  size_t counted = 0;
  constexpr std::string_view kName = "\nracewatch_articles{";
  for (size_t at = answer ? answer->body.find(kName) : std::string::npos; at != std::string::npos; at = answer->body.find(kName, at + 1))
    counted += std::stoul(answer->body.substr(answer->body.find("} ", at) + 2));
  return counted;
}

std::vector<double> LiveLatencies(LiveRoles& roles, ArticleMaker maker, size_t before, std::chrono::milliseconds look,
                                  const std::function<bool(size_t)>& more) {
  Acknowledged acknowledged;
  std::vector<double> seconds;
  std::jthread publisher([&] { Publish(*roles.articles, std::move(maker), more, roles.clock, &acknowledged); });
  Instant next = std::chrono::steady_clock::now();
  for (bool done = false; !done; next += look) {
    std::this_thread::sleep_until(next);
    const size_t all = roles.Counted();
    const size_t counted = all > before ? all - before : 0;
    const Instant seen = std::chrono::steady_clock::now();
    const std::scoped_lock lock(acknowledged.mutex);
    for (size_t i = seconds.size(); i < std::min(counted, acknowledged.at.size()); ++i)
      seconds.push_back(std::chrono::duration<double>(seen - acknowledged.at[i]).count());
    done = acknowledged.articles == seconds.size();
  }
  return seconds;
}

}  // namespace racewatch::bench
