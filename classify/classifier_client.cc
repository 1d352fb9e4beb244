#include "classify/classifier_client.h"

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <mutex>
#include <set>
#include <string>

#include "racewatch/v1/classifier_service.grpc.pb.h"

namespace racewatch::classify {
namespace {

class GrpcClassifierClient final : public ClassifierClient {
 public:
  explicit GrpcClassifierClient(std::shared_ptr<grpc::Channel> channel)
      : channel_(std::move(channel)), stub_(v1::ClassifierService::NewStub(channel_)) {}

  ~GrpcClassifierClient() override {
    std::unique_lock lock(mutex_);
    for (Call* call : calls_) call->context.TryCancel();
    none_left_.wait(lock, [this] { return calls_.empty(); });
  }

  void ClassifyBatch(v1::ClassifyBatchRequest request, std::chrono::milliseconds deadline,
                     Callback callback) override {
    auto* call = new Call;
    call->request = std::move(request);
    call->callback = std::move(callback);
    call->was_connected = channel_->GetState(false) == GRPC_CHANNEL_READY;
    call->context.set_deadline(std::chrono::system_clock::now() + deadline);
    {
      const std::scoped_lock lock(mutex_);
      calls_.insert(call);
    }
    stub_->async()->ClassifyBatch(&call->context, &call->request, &call->response,
                                  [this, call](grpc::Status status) { Finish(call, status); });
  }

 private:
  struct Call {
    grpc::ClientContext context;
    v1::ClassifyBatchRequest request;
    v1::ClassifyBatchResponse response;
    Callback callback;
    bool was_connected = false;
  };

  void Finish(Call* call, const grpc::Status& status) {
    Reply reply;
    reply.was_connected = call->was_connected;
    if (status.ok()) {
      reply.response = std::move(call->response);
    } else {
      reply.status = base::Status(static_cast<base::Code>(status.error_code()), "classifier: " + status.error_message());
      const auto& trailers = call->context.GetServerTrailingMetadata();
      if (const auto it = trailers.find("grpc-retry-pushback-ms"); it != trailers.end())
        reply.pushback = std::chrono::milliseconds(std::atoi(std::string(it->second.data(), it->second.size()).c_str()));
    }
    call->callback(std::move(reply));
    const std::scoped_lock lock(mutex_);
    calls_.erase(call);
    delete call;
    none_left_.notify_all();
  }

  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::ClassifierService::Stub> stub_;
  std::mutex mutex_;
  std::condition_variable none_left_;
  std::set<Call*> calls_;
};

}  // namespace

std::unique_ptr<ClassifierClient> MakeGrpcClassifierClient(std::shared_ptr<grpc::Channel> channel) {
  return std::make_unique<GrpcClassifierClient>(std::move(channel));
}

std::shared_ptr<grpc::Channel> MakeClassifierChannel(const std::string& target) {
  grpc::ChannelArguments args;
  args.SetLoadBalancingPolicyName("round_robin");
  args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 100);
  args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000);
  args.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), args);
}

}  // namespace racewatch::classify
