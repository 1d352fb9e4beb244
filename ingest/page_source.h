// An HTML page as a source: the links that a selector chooses become the entries of a Feed, titles from what the links
// say. And the feeds that a home page names, best first. Pure, any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "ingest/feed/feed.h"
#include "ingest/page/page.h"

namespace racewatch::ingest {

// INVALID_ARGUMENT: no page, or a selector that finds nothing on it (then the page has changed its form).
base::Result<Feed> ReadPageSource(std::string_view bytes, std::string_view url, std::string_view content_type, std::string_view selector);

// Addresses of the feeds of `page`, at most `feeds_max`: those of comments left out, one per title, the first first.
std::vector<std::string> DiscoveredFeeds(const Page& page, size_t feeds_max);

}  // namespace racewatch::ingest
