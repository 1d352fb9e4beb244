#include "cli/retag_service.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "classify/classifier_role.h"
#include "classify/second_tier/language_model_tier.h"
#include "store/http_params.h"
#include "store/retag_status.h"
#include "store/store_role.h"

namespace racewatch::cli {
namespace {

using Json = nlohmann::ordered_json;

base::HttpResponse Answer(const base::Result<std::string>& json) {
  base::HttpResponse out;
  out.status = json.status().code() == base::Code::kFailedPrecondition ? 409 : store::HttpStatusFor(json.status());
  out.body = json.ok() ? *json + "\n" : store::ErrorJson(json.status());
  return out;
}

bool IsJson(const base::HttpRequest& request) {
  const auto type = request.headers.find("content-type");
  return type != request.headers.end() && type->second.starts_with("application/json");
}

}  // namespace

RetagService::RetagService(base::HttpServer& server, Bus& bus, store::StoreRole& store, classify::ClassifierRole& classifier,
                           base::Clock& clock, base::Log& log)
    : bus_(bus), store_(store), classifier_(classifier), clock_(clock), log_(log) {
  const auto refused = [] { return Answer(base::InvalidArgument("retag: Content-Type must be application/json")); };
  server.Handle("POST", "/api/v1/retag/run", [this, refused](const base::HttpRequest& request) {
    return IsJson(request) ? Answer(Run(request.body)) : refused();
  });
  server.Handle("POST", "/api/v1/retag/serve", [this, refused](const base::HttpRequest& request) {
    return IsJson(request) ? Answer(Serve()) : refused();
  });
  server.Handle("GET", "/api/v1/retag/worker", [this](const base::HttpRequest&) { return Answer(Worker()); });
}

base::Status RetagService::Stop(std::chrono::milliseconds) {
  const std::scoped_lock lock(mutex_);
  stopped_ = true;
  if (worker_) worker_->Stop();
  return {};
}

base::Result<RetagWorker::Held> RetagService::Held(uint32_t generation) const {
  RW_ASSIGN_OR_RETURN(store::RetagStatus status, store_.retag());
  const store::Generation* building = status.generations.Building();
  if (building == nullptr || building->number != generation) return base::FailedPrecondition("the generation is not being built any more");
  return RetagWorker::Held{std::move(status.covered), std::move(status.queries)};
}

base::Result<std::string> RetagService::Run(const std::string& body) {
  const Json request = Json::parse(body, nullptr, false);
  if (!request.is_object() || !request.contains("model") || !request["model"].is_string())
    return base::InvalidArgument("retag: {\"model\":\"FILE\"} is needed");
  const std::string path = request["model"].get<std::string>();
  const std::string second_tier_path = request.contains("second_tier") && request["second_tier"].is_string() ? request["second_tier"].get<std::string>() : "";
  const double rate = request.contains("rate") && request["rate"].is_number() ? request["rate"].get<double>() : 0;
  std::shared_ptr<const classify::SecondTier> second_tier;
  if (!second_tier_path.empty()) {
    second_tier = classifier_.second_tier();
    if (!second_tier) {
      auto read = classify::LoadSecondTier({second_tier_path});
      if (!read.ok()) return base::InvalidArgument(read.status().message());
      second_tier = std::move(read).value();
    }
  }
  auto loaded = classify::Model::Load(path, second_tier);
  if (!loaded.ok()) return base::InvalidArgument(loaded.status().message());
  const std::shared_ptr<const classify::Model> model = std::move(loaded).value();
  const std::scoped_lock lock(mutex_);
  if (stopped_) return base::Unavailable("retag: the process is stopping");
  RW_ASSIGN_OR_RETURN(const uint32_t generation, store_.BeginRetag(model->version()));
  if (worker_ && worker_->options().generation != generation) worker_.reset();
  if (!worker_) {
    worker_ = std::make_unique<RetagWorker>(RetagWorker::Options{generation, rate}, bus_, model, [this, generation] { return Held(generation); }, clock_, log_);
    worker_->Start();
    model_path_ = path;
    second_tier_ = second_tier;
    log_.Info("retag_started", {{"generation", generation}, {"model", path}, {"version", model->version()}});
  }
  return Json{{"generation", generation}, {"model_version", model->version()}}.dump();
}

base::Result<std::string> RetagService::Serve() {
  const std::scoped_lock lock(mutex_);
  if (!worker_) return base::FailedPrecondition("retag: none runs in this process");
  RW_RETURN_IF_ERROR(classifier_.Serve(model_path_, second_tier_));
  return Json{{"model", model_path_}, {"model_version", worker_->model().version()}}.dump();
}

base::Result<std::string> RetagService::Worker() const {
  const std::scoped_lock lock(mutex_);
  if (!worker_) return base::NotFound("retag: none runs in this process");
  const RetagWorker::Progress progress = worker_->progress();
  const classify::RetagCounts& counts = progress.counts;
  return Json{{"generation", worker_->options().generation}, {"read", counts.read}, {"tagged", counts.tagged}, {"copied", counts.copied},
              {"kept", counts.kept}, {"skipped", counts.skipped}, {"quiet_s", progress.quiet_s}, {"trouble", progress.trouble}}
      .dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace racewatch::cli
