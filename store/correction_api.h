// Corrections from the page and from `racewatch correct`: POST /api/v1/corrections with {article, labels, reader, note}, the
// AddCorrectionRequest of store_service.proto as proto3 JSON. It wants `Content-Type: application/json`, which a page of
// another site cannot send without asking. Registers on the process's server and answers 503 until Serve. Handlers run on
// the server's threads.
#pragma once

#include <atomic>

#include "base/http_server.h"

namespace racewatch::store {

class Corrections;

class CorrectionApi {
 public:
  explicit CorrectionApi(base::HttpServer& server);
  void Serve(Corrections* corrections) { corrections_ = corrections; }  // nullptr: stop answering

 private:
  base::HttpResponse Add(const base::HttpRequest& request);

  std::atomic<Corrections*> corrections_ = nullptr;
};

}  // namespace racewatch::store
