#include "cli/error_rates.h"

#include <memory>
#include <utility>

#include "classify/model/model.h"
#include "store/error_rates.h"

namespace racewatch::cli {

base::Status GiveErrorRates(const std::string& configured, store::StoreRole& role, base::Log& log) {
  const std::string path = configured.empty() ? classify::DefaultModelPath() : configured;
  const auto model = classify::Model::Load(path);
  if (!model.ok()) {
    if (!configured.empty()) return model.status();
    log.Warn("shares_not_corrected", {{"why", model.status().message()}});
    role.SetErrorRates(nullptr);
    return {};
  }
  auto rates = std::make_shared<store::ErrorRates>((*model)->version());
  int64_t series = 0;
  for (const classify::LabelRates& one : (*model)->rates()) series += rates->Add(one.label, {one.true_positive, one.false_positive});
  log.Info("error_rates", {{"model", path}, {"version", (*model)->version()}, {"series", series}});
  role.SetErrorRates(std::move(rates));
  return {};
}

}  // namespace racewatch::cli
