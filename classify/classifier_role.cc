#include "classify/classifier_role.h"

#include <algorithm>
#include <thread>

#include "base/config.h"
#include "classify/classifier_client.h"
#include "classify/classifier_service.h"
#include "classify/model/model.h"

namespace racewatch::classify {

v1::ClassifierConfig WithDefaults(v1::ClassifierConfig config) {
  if (config.http().listen().empty()) config.mutable_http()->set_listen("127.0.0.1:8472");
  if (config.grpc_listen().empty()) config.set_grpc_listen("127.0.0.1:9472");
  if (config.model().empty()) config.set_model(DefaultModelPath());
  if (config.threads() == 0) config.set_threads(std::max(1u, std::thread::hardware_concurrency()));
  if (config.queue_documents_max() == 0) config.set_queue_documents_max(1024);
  return config;
}

void ValidateClassifierConfig(const v1::ClassifierConfig& config, base::Problems* problems) {
  base::CheckListen("http.listen", config.http().listen(), problems);
  base::CheckListen("grpc_listen", config.grpc_listen(), problems);
  base::CheckRange("threads", config.threads(), 1, 256, problems);
  base::CheckRange("queue_documents_max", config.queue_documents_max(), kBatchDocumentsMax, 1 << 20, problems);
}

ClassifierRole::ClassifierRole(const v1::ClassifierConfig& config, prometheus::Registry& registry, base::Log& log)
    : config_(config), registry_(registry), log_(log), model_path_(config.model()) {}
ClassifierRole::~ClassifierRole() = default;

base::Status ClassifierRole::Load() {
  RW_ASSIGN_OR_RETURN(std::shared_ptr<const Model> model, Model::Load(config_.model()));
  service_ = std::make_unique<ClassifierService>(
      ClassifierService::Options{config_.threads(), config_.queue_documents_max()}, model, registry_);
  log_.Info("model_loaded", {{"path", config_.model()},
                             {"version", model->version()},
                             {"features", static_cast<uint64_t>(model->features())},
                             {"sha256", model->sha256()}});
  return {};
}

grpc::Service& ClassifierRole::service() { return service_->service(); }
std::unique_ptr<ClassifierClient> ClassifierRole::LocalClient() { return service_->LocalClient(); }

base::Status ClassifierRole::Reload() {
  std::string path;
  {
    const std::scoped_lock lock(mutex_);
    path = model_path_;
  }
  return Serve(path);
}

base::Status ClassifierRole::Serve(const std::string& path) {
  const std::scoped_lock lock(mutex_);
  auto loaded = Model::Load(path);
  if (!loaded.ok()) {
    log_.Error("model_reload_failed", {{"path", path}, {"error", loaded.status().message()}});
    return loaded.status();
  }
  std::shared_ptr<const Model> model = std::move(*loaded);
  log_.Info("model_reloaded", {{"path", path}, {"version", model->version()}, {"sha256", model->sha256()}});
  service_->SetModel(std::move(model));
  model_path_ = path;
  return {};
}

base::Status ClassifierRole::Start() {
  return service_ ? base::Status() : base::FailedPrecondition("classifier: no model loaded");
}

base::Status ClassifierRole::Stop(std::chrono::milliseconds timeout) {
  return service_ ? service_->Drain(timeout) : base::Status();
}

bool ClassifierRole::Idle() const { return !service_ || service_->Idle(); }

}  // namespace racewatch::classify
