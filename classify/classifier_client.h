// How the tagger reaches classifiers: one asynchronous call, so that tests can put a fake behind it.
// Thread-safe. The callback runs exactly once per call, on a thread of the client.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "base/status.h"
#include "racewatch/v1/classifier_service.pb.h"

namespace grpc {
class Channel;
}

namespace racewatch::classify {

class ClassifierClient {
 public:
  struct Reply {
    base::Status status;
    v1::ClassifyBatchResponse response;  // when OK
    // The connection stood when the call began. With UNAVAILABLE this means that the classifier died (or
    // was stopped) with these documents in hand, not that it was away already.
    bool was_connected = false;
    // The server asked to wait this long before the next try (grpc-retry-pushback-ms); 0: it did not.
    std::chrono::milliseconds pushback{0};
  };
  using Callback = std::function<void(Reply)>;

  virtual ~ClassifierClient() = default;
  virtual void ClassifyBatch(v1::ClassifyBatchRequest request, std::chrono::milliseconds deadline,
                             Callback callback) = 0;
};

// Over gRPC. Calls in flight when the object is destroyed are cancelled and their callbacks still run,
// before the destructor returns.
std::unique_ptr<ClassifierClient> MakeGrpcClassifierClient(std::shared_ptr<grpc::Channel> channel);

// A channel to `target` (host:port, dns:///…, ipv4:a,b) with round_robin over its addresses.
std::shared_ptr<grpc::Channel> MakeClassifierChannel(const std::string& target);

}  // namespace racewatch::classify
