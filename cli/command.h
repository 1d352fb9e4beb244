// What a subcommand is, and the exit codes every one keeps to. One file per subcommand in this folder;
// main.cc holds the table.
#pragma once

#include <string_view>

#include "base/status.h"

namespace racewatch::cli {

enum ExitCode : int {
  kExitOk = 0,
  kExitUsage = 64,
  kExitBadData = 65,
  kExitUnavailable = 69,  // service unreachable, or port taken at start
  kExitInternal = 70,     // internal, or fenced by another instance
  kExitIo = 74,           // missing file, locked state
  kExitConfig = 78,
};

struct Command {
  std::string_view name;
  std::string_view summary;  // one line for `racewatch --help`
  // argv[0] is the subcommand's name. Returns the process's exit code.
  int (*run)(int argc, char** argv);
};

// Prints `racewatch: MESSAGE` on stderr, one line, and returns `code`.
int Fail(ExitCode code, std::string_view message);

// The exit code for an error met while running: UNAVAILABLE and DEADLINE_EXCEEDED 69, NOT_FOUND and
// PERMISSION_DENIED 74, INVALID_ARGUMENT 65, the rest 70.
ExitCode ExitCodeFor(const base::Status& status);

}  // namespace racewatch::cli
