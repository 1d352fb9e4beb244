#include "cli/model_flags.h"

#include <CLI/CLI.hpp>

#include "classify/model/model.h"
#include "classify/second_tier/language_model_tier.h"
#include "cli/command.h"

namespace racewatch::cli {

void AddSecondTierFlag(CLI::App& app, std::string* path) {
  app.add_option("--second-tier", *path, "Language model (GGUF) that reads relevant and doubtful documents again; seconds a document");
}

base::Result<std::unique_ptr<classify::Model>> LoadModel(const std::string& path, const std::string& second_tier) {
  std::shared_ptr<const classify::SecondTier> second;
  if (!second_tier.empty()) {
    RW_ASSIGN_OR_RETURN(second, classify::LoadSecondTier({second_tier}));
  }
  return classify::Model::Load(path, std::move(second));
}

int FailToLoad(const base::Status& status) {
  return Fail(status.code() == base::Code::kNotFound ? kExitIo : kExitBadData, status.message());
}

}  // namespace racewatch::cli
