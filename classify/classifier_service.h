// The classifier as a gRPC callback service: batches go to a bounded queue and are tagged by a worker
// pool; no thread of the server ever blocks. Each batch sees one model, also across a reload. Sheds with
// RESOURCE_EXHAUSTED and a pushback when the queue is full; a batch whose caller has given up is not worked
// on. The service outlives the server it is registered with; Drain before the server's Shutdown.
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
class Model;

inline constexpr size_t kBatchDocumentsMax = 64;
inline constexpr size_t kBatchRequestBytesMax = 1u << 20;
inline constexpr char kClassifierServiceName[] = "racewatch.v1.ClassifierService";

class ClassifierService {
 public:
  struct Options {
    size_t threads = 2;
    size_t queue_documents_max = 1024;
  };
  ClassifierService(Options options, std::shared_ptr<const Model> model, prometheus::Registry& registry);
  ~ClassifierService();

  // What the server registers.
  grpc::Service& service();
  // For a tagger in this process: the same queue, limits, shedding and answers, without sockets or
  // serialisation. The service outlives it.
  std::unique_ptr<ClassifierClient> LocalClient();

  // Later batches use `model`; those already begun finish with the old one. Any thread.
  void SetModel(std::shared_ptr<const Model> model);
  std::shared_ptr<const Model> model() const;

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
