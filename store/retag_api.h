// Re-tagging over HTTP, for `racewatch retag`: GET /api/v1/retag and /api/v1/retag/report, POST /api/v1/retag/begin, /switch
// and /cancel. A POST wants `Content-Type: application/json`, which a page of another site cannot send without asking.
// Registers on the process's server and answers 503 until Serve. Handlers run on the server's threads.
#pragma once

#include <atomic>

#include "base/clock.h"
#include "base/http_server.h"
#include "store/engine.h"

namespace racewatch::store {

class RetagApi {
 public:
  RetagApi(base::HttpServer& server, const base::Clock& clock);
  // The engine with all generations; nullptr: stop answering.
  void Serve(Engine* whole) { whole_ = whole; }

 private:
  base::HttpResponse Report(const base::HttpRequest& request) const;
  base::HttpResponse Change(const base::HttpRequest& request);

  const base::Clock& clock_;
  std::atomic<Engine*> whole_ = nullptr;
};

}  // namespace racewatch::store
