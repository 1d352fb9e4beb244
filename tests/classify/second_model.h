// A model that is not the shipped one, for tests of exchanging models: trained within seconds on our own passages.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "classify/model/training.h"

namespace racewatch::classify {

inline base::Status TrainSecondModel(const std::string& path, const std::string& version) {
  TrainingInputs inputs;
  inputs.corpus = {RACEWATCH_SOURCE_DIR "/classify/model/data/own_passages.jsonl"};
  inputs.version = version;
  TrainOptions options;
  options.rows_max = 800;
  options.gate_rows_max = 200;
  options.folds = 2;
  return TrainModelFile(inputs, options, path, [](std::string_view) {});
}

}  // namespace racewatch::classify
