// `racewatch digest`: the digests of a running store's state, to compare two stores or one before and after a replay.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "cli/commands.h"
#include "cli/process.h"
#include "cli/store_client.h"

namespace racewatch::cli {

int RunDigest(int argc, char** argv) {
  CLI::App app("Prints the digests of a running store as one JSON line.\nusage: racewatch digest [--server ADDR]", "racewatch digest");
  std::string server = kDefaultStoreServer;
  AddServerFlag(app, &server);
  if (const int code = ParseFlags(app, argc, argv); code >= 0) return code;
  const auto body = AskStore(server, "digest", {});
  if (!body.ok()) return Fail(ExitCodeFor(body.status()), "digest: " + body.status().message());
  std::fputs(body->c_str(), stdout);
  return kExitOk;
}

}  // namespace racewatch::cli
