// `racewatch feeds export`: the feed list as OPML 2.0, of a running ingest or of a configuration.
#pragma once

#include <string>

namespace racewatch::cli {

// Prints the list; `config` names a file and wins over `server`. Returns the exit code. Feeds that a sitemap index or a
// home page named are left out: they come back by themselves.
int ExportFeeds(const std::string& server, const std::string& config);

}  // namespace racewatch::cli
