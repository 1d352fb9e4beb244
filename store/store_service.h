// StoreService over gRPC: a callback server whose reactors never block; a small pool of our own asks Query and
// finishes the calls. At most kCallsMax calls wait (RESOURCE_EXHAUSTED beyond) and kWatchesMax streams are open; a
// slow reader is sent nothing new before it has taken what was sent. UNAVAILABLE until the store has started.
#pragma once

#include <memory>

namespace grpc {
class Service;
}

namespace racewatch::store {

class Changes;
class Corrections;
class Query;

inline constexpr size_t kCallsMax = 256;
inline constexpr size_t kWatchesMax = 256;

class StoreServer {
 public:
  // `changes` wakes the watches and outlives this; closing it ends every watch.
  explicit StoreServer(Changes& changes);
  ~StoreServer();

  grpc::Service& service();
  void Serve(const Query* query, Corrections* corrections);  // nullptr: stop answering

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace racewatch::store
