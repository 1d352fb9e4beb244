// The second tier: a language model that the user supplies (README says which and where from) reads the beginning of a
// document and answers one question about each target and one about the lean; its answers are mixed with those of the first
// tier. Seconds a document on two cores, so it is for relevant and doubtful ones. Holds the weights, some two gigabytes.
// Never changes after Load; any thread, one document at a time.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "classify/model/second_tier.h"

namespace racewatch::classify {

struct SecondTierOptions {
  std::string model;         // GGUF file of the language model
  std::string adapter = {};  // empty: the one that ships with this build
  uint32_t threads = 0;      // of one reading; 0: one per core
};

// NOT_FOUND, DATA_LOSS: a file that is missing or broken. FAILED_PRECONDITION: the adapter belongs to another model file.
base::Result<std::shared_ptr<const SecondTier>> LoadSecondTier(const SecondTierOptions& options);

// What version() of the second tier of `options` will be, from its adapter alone.
base::Result<std::string> SecondTierVersion(const SecondTierOptions& options);

// $RACEWATCH_ADAPTER, racewatch-1.adapter (ShippedFile).
std::string DefaultAdapterPath();

}  // namespace racewatch::classify
