#include "cli/store_reload.h"

#include "base/config.h"
#include "cli/error_rates.h"
#include "store/store_config.h"

namespace racewatch::cli {

void ReloadStore(const v1::StoreConfig& config, store::StoreRole& role, base::Log& log) {
  base::Problems problems;
  store::ValidateStoreConfig(config, &problems);
  if (const base::Status status = problems.ToStatus("configuration"); !status.ok()) {
    log.Error("config_not_reloaded", {{"why", status.message()}});
    return;
  }
  if (const base::Status status = GiveErrorRates(config.model(), role, log); !status.ok()) {
    log.Error("config_not_reloaded", {{"why", status.message()}});
    return;
  }
  role.Reload(config);
}

}  // namespace racewatch::cli
