// Where a running process takes in what `racewatch backfill --server` posts: POST /api/v1/backfill with a
// racewatch.v1.BackfillBatch. The articles go to racewatch.backfill.v1, the rejects to racewatch.dlq.v1; the answer comes
// when all are delivered. A quota of articles per second keeps a backfill from crowding out what is live: above it 429
// with Retry-After. Handlers run on the HTTP server's threads, several at once.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>

#include "base/bus/sink.h"
#include "base/clock.h"
#include "base/http_server.h"
#include "ingest/ingest_metrics.h"

namespace racewatch::v1 {
class Article;
class BackfillReject;
}  // namespace racewatch::v1

namespace racewatch::ingest {

// The record of one line that is no article, for racewatch.dlq.v1.
base::Record RejectRecord(const v1::BackfillReject& reject);
// Empty when it may go to the topic, else why not.
std::string BackfillProblem(const v1::Article& article);

class BackfillDoor {
 public:
  // References outlive the door. `per_s_max` 0: no quota.
  BackfillDoor(base::Sink& sink, IngestMetrics& metrics, uint32_t per_s_max) : sink_(sink), metrics_(metrics), per_s_max_(per_s_max) {}

  base::HttpResponse Handle(const base::HttpRequest& request);

 private:
  // Milliseconds to wait before a batch of this size may come; 0: now, and it is counted.
  int64_t Take(size_t articles);

  base::Sink& sink_;
  IngestMetrics& metrics_;
  const uint32_t per_s_max_;
  std::mutex mutex_;
  std::chrono::steady_clock::time_point free_at_{};  // when what was taken in has been paid for
};

}  // namespace racewatch::ingest
