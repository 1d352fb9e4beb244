// Readers' corrections as training records, in the form that `racewatch train --own` reads. One record for each article: of
// each reader the last word counts, and a label on which readers differ is listed under `unscored`, so that training passes
// it over. Pure function.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

namespace racewatch::cli {

struct ExportedCorrections {
  std::vector<nlohmann::ordered_json> records;  // in the order of each article's first correction
  size_t without_text = 0;                      // articles whose text has been taken out meanwhile
};

// `corrections`: objects as the API gives them, oldest first.
ExportedCorrections ExportCorrections(const std::vector<nlohmann::ordered_json>& corrections);

}  // namespace racewatch::cli
