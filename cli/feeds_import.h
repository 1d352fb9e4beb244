// `racewatch feeds import`: the feeds of an OPML file into a running ingest (and by way of it into a shared list), or into an
// OPML list that a configuration names.
#pragma once

#include <string>

namespace racewatch::cli {

// Prints {"added","present","refused"} (`json`) or a sentence; each refused feed is a line on standard error. `into` names a
// list and wins over `server`; it is replaced whole or not at all. Returns the exit code: 65 when a feed was refused.
int ImportFeeds(const std::string& file, const std::string& server, const std::string& into, bool json);

}  // namespace racewatch::cli
