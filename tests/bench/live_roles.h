// What the benches of live traffic share: the roles of `racewatch up` behind the articles topic, wired as it wires them, over
// the embedded log in a temporary folder, and articles published at 500 a second with the time until /metrics counts each.
#pragma once

#include <prometheus/registry.h>

#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include "base/bus/embedded_log.h"
#include "base/bus/sink.h"
#include "base/http_server.h"
#include "classify/classifier_client.h"
#include "classify/classifier_role.h"
#include "classify/tagger_role.h"
#include "cli/bus.h"
#include "store/store_role.h"
#include "tests/bench/bench_articles.h"
#include "tests/store/temp_dir.h"

namespace racewatch::bench {

struct LiveRoles {
  LiveRoles();
  ~LiveRoles();
  base::Status Start();
  size_t Counted();  // as /metrics says

  store::TempDir dir;
  base::SystemClock clock;
  prometheus::Registry registry;
  base::Log log{{.level = base::LogLevel::kError}};
  classify::ClassifierRole classifier;
  std::unique_ptr<classify::ClassifierClient> client;
  std::unique_ptr<cli::Bus> bus;
  std::unique_ptr<base::Sink> articles, tagger_sink, store_sink;
  base::HttpServer http;
  store::StoreRole store;
  std::unique_ptr<base::Source> store_source;
  std::unique_ptr<classify::TaggerRole> tagger;
  std::unique_ptr<base::Source> tagger_source;
};

// Publishes while `more` (of the number published so far) says so, and returns once all are counted: seconds from acknowledgement
// to /metrics, for each; `before` were counted already. One thread besides the caller's, which calls `more`.
// Looks every `look`: one look costs 5 to 15 ms of a core.
std::vector<double> LiveLatencies(LiveRoles& roles, ArticleMaker maker, size_t before, std::chrono::milliseconds look,
                                  const std::function<bool(size_t)>& more);

}  // namespace racewatch::bench
