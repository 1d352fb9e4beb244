// Where `racewatch backfill` delivers to: brokers, or a running process. Both wait for the delivery of a whole batch and
// try again for a while when that fails for a passing reason. One thread.
#pragma once

#include <memory>
#include <string>

#include "base/bus/sink.h"
#include "base/http_client.h"
#include "cli/backfill_run.h"

namespace racewatch::cli {

// The sink outlives the target.
class SinkTarget final : public BackfillTarget {
 public:
  explicit SinkTarget(base::Sink& sink) : sink_(sink) {}
  base::Status Deliver(const v1::BackfillBatch& batch) override;

 private:
  base::Sink& sink_;
};

// `server`: HOST:PORT of a running `up` or `ingest`.
class ServerTarget final : public BackfillTarget {
 public:
  explicit ServerTarget(std::string server);
  base::Status Deliver(const v1::BackfillBatch& batch) override;

 private:
  base::HttpReply Post(const std::string& body);
  const std::string server_;
  base::HttpClient client_;
  bool reached_ = false;  // it answered once: from then on being away may pass
};

}  // namespace racewatch::cli
