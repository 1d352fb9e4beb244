// The table of subcommands, in the order of `racewatch --help`.
#pragma once

#include <array>

#include "cli/command.h"

namespace racewatch::cli {

// Each is defined in the file of its name, X_command.cc.

inline constexpr std::array<Command, 0> kCommands = {};

}  // namespace racewatch::cli
