// Hands the measured errors of a model file to a store: the store knows no models, the model no series.
#pragma once

#include <string>

#include "base/log.h"
#include "base/status.h"
#include "store/store_role.h"

namespace racewatch::cli {

// `configured`: store.model; empty: the file that ships with this build, without which shares are not corrected. An error,
// as Model::Load, leaves the rates that the store has.
base::Status GiveErrorRates(const std::string& configured, store::StoreRole& role, base::Log& log);

}  // namespace racewatch::cli
