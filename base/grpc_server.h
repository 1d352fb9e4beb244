// The gRPC server of a process: the services of its roles on one address, health by service name,
// reflection by flag. Services are callback services: nothing blocks on a server thread. No TLS: keep it
// on loopback or behind a mesh (SECURITY notes in docs/operations.md). Services outlive the server.
// Start and Stop are called by one thread; Stop lets calls in flight finish until its deadline.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/lifecycle.h"
#include "base/status.h"

namespace grpc {
class Service;
}  // namespace grpc

namespace racewatch::base {

class GrpcServer final : public Component {
 public:
  struct Options {
    std::string listen;  // host:port; port 0 picks a free one
    bool reflection = false;
    size_t message_bytes_max = 4u << 20;
    size_t memory_bytes_max = 128u << 20;  // resource quota over all calls
  };
  explicit GrpcServer(Options options);
  ~GrpcServer() override;

  // Before Start. `name` is the full service name that health checks ask for.
  void AddService(std::string name, grpc::Service& service);

  std::string name() const override { return "grpc"; }
  Status Start() override;  // UNAVAILABLE: the address is taken
  Status Stop(std::chrono::milliseconds timeout) override;

  int port() const;  // after Start

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace racewatch::base
