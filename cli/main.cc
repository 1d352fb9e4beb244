#include <cstdio>
#include <string>
#include <string_view>

#include "cli/command.h"
#include "cli/commands.h"

namespace racewatch::cli {

namespace {

void PrintHelp(std::FILE* out) {
  std::fputs("usage: racewatch COMMAND [OPTION...]\n\n"
             "Monitors news on the US-China AI race: themes, stance, trends, alerts.\n\ncommands:\n", out);
  for (const Command& command : kCommands)
    std::fprintf(out, "  %-12.*s %.*s\n", static_cast<int>(command.name.size()), command.name.data(),
                 static_cast<int>(command.summary.size()), command.summary.data());
  std::fputs("\n`racewatch COMMAND --help` explains one.\n", out);
}

int Main(int argc, char** argv) {
  if (argc < 2) {
    PrintHelp(stderr);
    return kExitUsage;
  }
  const std::string_view name = argv[1];
  if (name == "--help" || name == "-h" || name == "help") {
    PrintHelp(stdout);
    return kExitOk;
  }
  if (name == "--version") {
    std::puts("racewatch " RACEWATCH_VERSION);
    return kExitOk;
  }
  for (const Command& command : kCommands)
    if (command.name == name) return command.run(argc - 1, argv + 1);
  return Fail(kExitUsage, "unknown command '" + std::string(name) + "' (see racewatch --help)");
}

}  // namespace
}  // namespace racewatch::cli

int main(int argc, char** argv) { return racewatch::cli::Main(argc, argv); }
