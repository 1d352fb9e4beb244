#include "classify/classifier_role.h"

#include <algorithm>
#include <thread>

#include "base/config.h"
#include "classify/classifier_client.h"
#include "classify/classifier_service.h"
#include "classify/model/model.h"
#include "classify/second_tier/language_model_tier.h"
#include "classify/served_models.h"

namespace racewatch::classify {
namespace {

constexpr double kCanaryPercent = 5;
constexpr uint32_t kSecondTierBudgetMs = 5000;

}  // namespace

v1::ClassifierConfig WithDefaults(v1::ClassifierConfig config) {
  if (config.http().listen().empty()) config.mutable_http()->set_listen("127.0.0.1:8472");
  if (config.grpc_listen().empty()) config.set_grpc_listen("127.0.0.1:9472");
  if (config.model().empty()) config.set_model(DefaultModelPath());
  if (config.threads() == 0) config.set_threads(std::max(1u, std::thread::hardware_concurrency()));
  if (config.queue_documents_max() == 0) config.set_queue_documents_max(1024);
  if (!config.canary_model().empty() && config.canary_percent() == 0) config.set_canary_percent(kCanaryPercent);
  if (v1::SecondTierConfig* second = config.mutable_second_tier(); second->budget_ms() == 0) second->set_budget_ms(kSecondTierBudgetMs);
  return config;
}

void ValidateClassifierConfig(const v1::ClassifierConfig& config, base::Problems* problems) {
  base::CheckListen("http.listen", config.http().listen(), problems);
  base::CheckListen("grpc_listen", config.grpc_listen(), problems);
  base::CheckRange("threads", config.threads(), 1, 256, problems);
  base::CheckRange("queue_documents_max", config.queue_documents_max(), kBatchDocumentsMax, 1 << 20, problems);
  base::CheckRange("canary_percent", config.canary_percent(), 0, 100, problems);
  base::CheckRange("second_tier.budget_ms", config.second_tier().budget_ms(), 1, 3600 * 1000, problems);
  base::CheckRange("second_tier.threads", config.second_tier().threads(), 0, 256, problems);
  if (config.second_tier().model().empty() && !config.second_tier().adapter().empty()) problems->Add("second_tier.adapter", "needs second_tier.model");
  if (config.canary_model().empty() && config.canary_percent() != 0) problems->Add("canary_percent", "needs canary_model");
}

ClassifierRole::ClassifierRole(const v1::ClassifierConfig& config, prometheus::Registry& registry, base::Log& log)
    : config_(config), registry_(registry), log_(log) {}
ClassifierRole::~ClassifierRole() = default;

base::Status ClassifierRole::Load() {
  const v1::SecondTierConfig& second = config_.second_tier();
  std::shared_ptr<const SecondTier> second_tier;
  if (!second.model().empty()) {
    RW_ASSIGN_OR_RETURN(second_tier, LoadSecondTier({second.model(), second.adapter(), second.threads()}));
    log_.Info("second_tier_loaded", {{"path", second.model()}, {"version", second_tier->version()}});
  }
  RW_ASSIGN_OR_RETURN(models_, ServedModels::Load({config_.model(), config_.canary_model(), config_.canary_percent(), second_tier}, log_));
  const ClassifierService::Options options{config_.threads(), config_.queue_documents_max(), std::chrono::milliseconds(second.budget_ms())};
  service_ = std::make_unique<ClassifierService>(options, *models_, registry_);
  const ServedModels::Serving serving = models_->Now();
  const auto log_loaded = [this](const char* event, const std::string& path, const Model& model) {
    log_.Info(event, {{"path", path}, {"version", model.version()}, {"features", static_cast<uint64_t>(model.features())}, {"sha256", model.sha256()}});
  };
  log_loaded("model_loaded", config_.model(), *serving.model);
  if (serving.canary) log_loaded("canary_loaded", config_.canary_model(), *serving.canary->model());
  return {};
}

grpc::Service& ClassifierRole::service() { return service_->service(); }
std::unique_ptr<ClassifierClient> ClassifierRole::LocalClient() { return service_->LocalClient(); }

base::Status ClassifierRole::Reload() { return models_->Reload().status(); }
base::Status ClassifierRole::Serve(const std::string& path, std::shared_ptr<const SecondTier> second_tier) {
  return models_->Serve(path, std::move(second_tier)).status();
}
std::shared_ptr<const SecondTier> ClassifierRole::second_tier() const { return models_->second_tier(); }

base::Status ClassifierRole::Start() {
  return service_ ? base::Status() : base::FailedPrecondition("classifier: no model loaded");
}

base::Status ClassifierRole::Stop(std::chrono::milliseconds timeout) {
  return service_ ? service_->Drain(timeout) : base::Status();
}

bool ClassifierRole::Idle() const { return !service_ || service_->Idle(); }

}  // namespace racewatch::classify
