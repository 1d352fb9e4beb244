// What a slower reader does for the Model: it improves the probabilities of single documents before labels are made of them
// (second_tier/language_model_tier.h). The Model owns a share of it; any thread may call it.
#pragma once

#include <chrono>
#include <string>

#include "classify/model/model.h"

namespace racewatch::classify {

class SecondTier {
 public:
  virtual ~SecondTier() = default;
  // Improves `scores`, what the first tier says of `document`. False: left as they are, because there is nothing for it to
  // say of this document, because it would not be done by `until`, or because it failed.
  virtual bool Revise(const DocumentView& document, std::chrono::steady_clock::time_point until, Scores* scores) const = 0;
  // Stands behind a plus in the model version of tags: "1+s3".
  virtual const std::string& version() const = 0;
};

}  // namespace racewatch::classify
