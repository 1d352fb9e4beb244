// `racewatch config check`: what each role's own --check says, for several files in one run.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/process.h"

namespace racewatch::cli {
namespace {

constexpr std::string_view kRoles[] = {"up", "ingest", "classifier", "tagger", "store"};

// The exit code of `racewatch ROLE --config FILE --check`.
int CheckOne(const std::string& role, const std::string& file) {
  const auto command = std::find_if(kCommands.begin(), kCommands.end(), [&](const Command& c) { return c.name == role; });
  std::vector<std::string> words{role, "--config", file, "--check"};
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  return command->run(static_cast<int>(argv.size()), argv.data());
}

}  // namespace

int RunConfig(int argc, char** argv) {
  CLI::App app("Prints the effective configuration of each file, or every mistake in it.\n"
               "usage: racewatch config check ROLE FILE [ROLE FILE...]   ROLE: up, ingest, classifier, tagger, store",
               "racewatch config");
  app.require_subcommand(1);
  auto* check = app.add_subcommand("check", "Check configurations; nothing is started");
  std::vector<std::string> words;
  check->add_option("ROLE FILE", words, "Pairs of a role and its file")->required();
  if (const int code = ParseFlags(app, argc, argv); code >= 0) return code;
  if (words.size() % 2 != 0) return Fail(kExitUsage, "config check: each ROLE needs a FILE");
  int worst = kExitOk;
  for (size_t i = 0; i < words.size(); i += 2) {
    if (std::find(std::begin(kRoles), std::end(kRoles), words[i]) == std::end(kRoles))
      return Fail(kExitUsage, "config check: no role '" + words[i] + "'");
    if (words.size() > 2) std::printf("# %s %s\n", words[i].c_str(), words[i + 1].c_str());
    std::fflush(stdout);
    worst = std::max(worst, CheckOne(words[i], words[i + 1]));
  }
  return worst;
}

}  // namespace racewatch::cli
