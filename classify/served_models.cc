#include "classify/served_models.h"

#include <cmath>
#include <filesystem>
#include <utility>

namespace racewatch::classify {

void Comparison::Add(const AnswerLabels& given, const AnswerLabels& canary) {
  ++documents_;
  for (size_t i = 0; i < kAnswerLabels; ++i) {
    if (given[i] && canary[i]) ++cells_[i].both;
    else if (given[i]) ++cells_[i].only_active;
    else if (canary[i]) ++cells_[i].only_canary;
  }
}

Comparison::Counts Comparison::Of(size_t label) const {
  const Cells& cells = cells_[label];
  return {cells.both.load(), cells.only_active.load(), cells.only_canary.load()};
}

base::Result<std::unique_ptr<ServedModels>> ServedModels::Load(Options options, base::Log& log) {
  std::unique_ptr<ServedModels> out(new ServedModels(std::move(options), log));
  out->second_tier_ = out->options_.second_tier;
  RW_ASSIGN_OR_RETURN(out->serving_.model, Model::Load(out->options_.path, out->second_tier_));
  out->path_ = out->options_.path;
  if (out->options_.canary_path.empty()) return out;
  auto canary = Model::Load(out->options_.canary_path, out->second_tier_);
  if (!canary.ok()) return canary.status().Annotate("canary");
  out->serving_.canary = std::make_shared<Comparison>(std::move(canary).value());
  return out;
}

ServedModels::Serving ServedModels::Now() const {
  const std::scoped_lock lock(mutex_);
  return serving_;
}

std::string ServedModels::previous_version() const {
  const std::scoped_lock lock(mutex_);
  return previous_ ? previous_->version() : "";
}

bool ServedModels::TakesSample() {
  const double share = options_.canary_percent / 100;
  const auto n = static_cast<double>(calls_++);
  return std::floor((n + 1) * share) > std::floor(n * share);
}

base::Result<ServedModels::Change> ServedModels::Reload() {
  const std::scoped_lock changing(change_mutex_);
  ReloadCanary();
  return Take(path_);
}

base::Result<ServedModels::Change> ServedModels::ReloadFile(const std::string& name) {
  if (name.find_first_of(std::string_view("/\0", 2)) != std::string::npos || name.find("..") != std::string::npos || name == ".")
    return base::InvalidArgument("reload model '" + name.substr(0, 80) + "': a file name without slash and .. is needed");
  const std::scoped_lock changing(change_mutex_);
  auto change = Take(name.empty() ? path_ : (std::filesystem::path(options_.path).parent_path() / name).string());
  if (!change.ok()) return base::FailedPrecondition(change.status().message());
  return change;
}

base::Result<ServedModels::Change> ServedModels::Serve(const std::string& path, std::shared_ptr<const SecondTier> second_tier) {
  const std::scoped_lock changing(change_mutex_);
  {
    const std::scoped_lock lock(mutex_);
    std::swap(second_tier_, second_tier);
  }
  auto change = Take(path);
  if (change.ok()) return change;
  const std::scoped_lock lock(mutex_);
  second_tier_ = std::move(second_tier);
  return change;
}

std::shared_ptr<const SecondTier> ServedModels::second_tier() const {
  const std::scoped_lock lock(mutex_);
  return second_tier_;
}

base::Result<ServedModels::Change> ServedModels::Take(const std::string& path) {
  auto loaded = Model::Load(path, second_tier());
  if (!loaded.ok()) {
    log_.Error("model_reload_failed", {{"path", path}, {"error", loaded.status().message()}});
    return loaded.status();
  }
  std::shared_ptr<const Model> model = std::move(loaded).value();
  log_.Info("model_reloaded", {{"path", path}, {"version", model->version()}, {"sha256", model->sha256()}});
  const std::scoped_lock lock(mutex_);
  if (model->sha256() != serving_.model->sha256() || model->version() != serving_.model->version()) return PutInService(std::move(model), path);
  path_ = path;
  return Change{serving_.model, previous_ ? previous_->version() : ""};
}

base::Result<ServedModels::Change> ServedModels::Rollback() {
  const std::scoped_lock changing(change_mutex_);
  const std::scoped_lock lock(mutex_);
  if (!previous_) return base::FailedPrecondition("roll back the model: no other has been in service");
  log_.Info("model_rolled_back", {{"path", previous_path_}, {"version", previous_->version()}, {"sha256", previous_->sha256()}});
  second_tier_ = previous_->second_tier();
  return PutInService(previous_, previous_path_);
}

// With `mutex_` held. What was compared with the former model says nothing of this one.
ServedModels::Change ServedModels::PutInService(std::shared_ptr<const Model> model, std::string path) {
  previous_ = std::exchange(serving_.model, std::move(model));
  previous_path_ = std::exchange(path_, std::move(path));
  if (serving_.canary) serving_.canary = std::make_shared<Comparison>(serving_.canary->model());
  return {serving_.model, previous_->version()};
}

void ServedModels::ReloadCanary() {
  if (options_.canary_path.empty()) return;
  auto loaded = Model::Load(options_.canary_path, second_tier());
  if (!loaded.ok()) {
    log_.Error("canary_reload_failed", {{"path", options_.canary_path}, {"error", loaded.status().message()}});
    return;
  }
  const std::scoped_lock lock(mutex_);
  if ((*loaded)->sha256() != serving_.canary->model()->sha256()) serving_.canary = std::make_shared<Comparison>(std::move(loaded).value());
}

}  // namespace racewatch::classify
