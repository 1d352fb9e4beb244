// The classifier as a gRPC callback service: batches go to a bounded queue and are tagged by a worker
// pool; no thread of the server ever blocks. Each batch sees one model, also across a reload. Sheds with
// RESOURCE_EXHAUSTED and a pushback when the queue is full; a batch whose caller has given up is not worked
// on. The service outlives the server it is registered with; Drain before the server's Shutdown. Models are exchanged,
// tried as a canary and rolled back by served_models.h; what a canary reads is read by the worker that has just answered.
#pragma once

#include <chrono>
#include <memory>

#include "base/status.h"

namespace grpc {
class Service;
}
namespace prometheus {
class Registry;
}

namespace racewatch::classify {

class ClassifierClient;
class ServedModels;

inline constexpr size_t kBatchDocumentsMax = 64;
inline constexpr size_t kBatchRequestBytesMax = 1u << 20;
inline constexpr char kClassifierServiceName[] = "racewatch.v1.ClassifierService";

class ClassifierService {
 public:
  struct Options {
    size_t threads = 2;
    size_t queue_documents_max = 1024;
    std::chrono::milliseconds second_tier_budget{5000};  // of one batch
  };
  // `models` and `registry` outlive the service.
  ClassifierService(Options options, ServedModels& models, prometheus::Registry& registry);
  ~ClassifierService();

  // What the server registers.
  grpc::Service& service();
  // For a tagger in this process: the same queue, limits, shedding and answers, without sockets or
  // serialisation. The service outlives it.
  std::unique_ptr<ClassifierClient> LocalClient();

  // Takes no more batches and waits for those in hand. DEADLINE_EXCEEDED after `timeout`.
  base::Status Drain(std::chrono::milliseconds timeout);
  // Nothing queued or in work. Any thread.
  bool Idle() const;

 private:
  struct Impl;
  class LocalCalls;
  std::unique_ptr<Impl> impl_;
};

}  // namespace racewatch::classify
