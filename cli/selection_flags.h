// What `trends` and `sample` choose articles by, with the same words in both.
#pragma once

#include <string>

#include "cli/store_client.h"

namespace CLI {
class App;
}

namespace racewatch::cli {

struct SelectionFlags {
  std::string server = kDefaultStoreServer;
  std::string theme, target, position, lean, language, query, from, to;
};

void AddSelectionFlags(CLI::App& app, SelectionFlags* flags);

// As the HTTP API names them, with `more` behind them.
Parameters WithSelection(const SelectionFlags& flags, const Parameters& more);

}  // namespace racewatch::cli
