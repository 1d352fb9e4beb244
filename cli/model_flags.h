// The model of a command, with the second tier that --second-tier asks for.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"

namespace CLI {
class App;
}
namespace racewatch::classify {
class Model;
}

namespace racewatch::cli {

void AddSecondTierFlag(CLI::App& app, std::string* path);

// `second_tier` may be empty. Errors as Model::Load and LoadSecondTier.
base::Result<std::unique_ptr<classify::Model>> LoadModel(const std::string& path, const std::string& second_tier);

// Prints why LoadModel failed: a file that is missing is an exit code of its own, any other is bad data.
int FailToLoad(const base::Status& status);

}  // namespace racewatch::cli
