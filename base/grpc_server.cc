#include "base/grpc_server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>

#include <mutex>
#include <utility>
#include <vector>

namespace racewatch::base {

struct GrpcServer::Impl {
  explicit Impl(Options o) : options(std::move(o)) {}
  const Options options;
  std::vector<std::pair<std::string, grpc::Service*>> services;
  std::unique_ptr<grpc::Server> server;
  int port = 0;
};

GrpcServer::GrpcServer(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}
GrpcServer::~GrpcServer() { (void)Stop(std::chrono::milliseconds(0)); }

void GrpcServer::AddService(std::string name, grpc::Service& service) {
  impl_->services.emplace_back(std::move(name), &service);
}

Status GrpcServer::Start() {
  static std::once_flag once;
  std::call_once(once, [this] {
    grpc::EnableDefaultHealthCheckService(true);
    if (impl_->options.reflection) grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  });
  grpc::ServerBuilder builder;
  builder.AddListeningPort(impl_->options.listen, grpc::InsecureServerCredentials(), &impl_->port);
  builder.SetMaxReceiveMessageSize(static_cast<int>(impl_->options.message_bytes_max));
  // Clients re-resolve only when a connection ends: an age limit lets new classifiers get their share.
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, 5 * 60 * 1000);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, 60 * 1000);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  grpc::ResourceQuota quota("racewatch");
  quota.Resize(impl_->options.memory_bytes_max);
  builder.SetResourceQuota(quota);
  for (const auto& [name, service] : impl_->services) builder.RegisterService(service);
  impl_->server = builder.BuildAndStart();
  if (!impl_->server || impl_->port == 0) {
    impl_->server.reset();
    return Unavailable("grpc: cannot listen on " + impl_->options.listen + ": address in use or not on this machine");
  }
  auto* health = impl_->server->GetHealthCheckService();
  if (health != nullptr) {
    health->SetServingStatus("", true);
    for (const auto& [name, service] : impl_->services) health->SetServingStatus(name, true);
  }
  return {};
}

Status GrpcServer::Stop(std::chrono::milliseconds timeout) {
  if (!impl_->server) return {};
  if (auto* health = impl_->server->GetHealthCheckService()) health->Shutdown();
  impl_->server->Shutdown(std::chrono::system_clock::now() + timeout);
  impl_->server->Wait();
  impl_->server.reset();
  return {};
}

int GrpcServer::port() const { return impl_->port; }

}  // namespace racewatch::base
