// Defaults and checks of the store's configuration. Pure functions.
#pragma once

namespace racewatch::base {
class Problems;
}
namespace racewatch::v1 {
class StoreConfig;
}

namespace racewatch::store {

// Every unset field replaced by the default named in config.proto; no rules: DefaultRules().
v1::StoreConfig WithDefaults(v1::StoreConfig config);

// Every mistake at once; `config` may come without defaults.
void ValidateStoreConfig(const v1::StoreConfig& config, base::Problems* problems);

}  // namespace racewatch::store
