// What SIGHUP does to a store: its rules, subscribers and silences and the errors of its model are read again. Used by the commands that run one.
#pragma once

#include "base/log.h"
#include "racewatch/v1/config.pb.h"
#include "store/store_role.h"

namespace racewatch::cli {

// Hands `config` to the role when it is valid; else everything stays as it was and the log says why.
void ReloadStore(const v1::StoreConfig& config, store::StoreRole& role, base::Log& log);

}  // namespace racewatch::cli
