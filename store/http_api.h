// The store's HTTP side: StoreService as JSON (and CSV for series) under /api/v1/, its OpenAPI document, and the
// web page at /. Registers on the process's HttpServer; answers 503 until the store has started. Handlers run on the
// server's threads; a watch holds one of them. Query, Changes and this object outlive the server's Stop.
#pragma once

#include <atomic>
#include <string>

#include "base/http_server.h"
#include "store/endpoint.h"
#include "store/query.h"

namespace racewatch::store {

class HttpApi {
 public:
  HttpApi(base::HttpServer& server, Changes& changes, bool page);

  // Start answering from `query` and `engine` (digest); nullptr stops it.
  void Serve(const Query* query, const Engine* engine) {
    engine_ = engine;
    query_ = query;
  }

 private:
  base::HttpResponse Answer(const Endpoint& endpoint, const base::HttpRequest& request);
  base::HttpResponse WatchArticles(const Query& query, const base::HttpRequest& request);
  base::HttpResponse WatchAlerts(const Query& query, const base::HttpRequest& request);

  Changes& changes_;
  std::atomic<const Query*> query_ = nullptr;
  std::atomic<const Engine*> engine_ = nullptr;
};

// The OpenAPI 3.0 document of all endpoints.
std::string OpenApiDocument();

}  // namespace racewatch::store
