// Sitemaps (sitemaps.org 0.9) with Google's news extension, and sitemap indexes, as a Feed: each
// address an entry, its title and date from the news extension, its change time from <lastmod>;
// a plain sitemap's entries have no title. Stateless, linear, any thread.
#pragma once

#include <string_view>

#include "base/status.h"
#include "ingest/feed/feed.h"

namespace racewatch::ingest::feed {

// True for the root element of a sitemap or of an index.
bool IsSitemapRoot(std::string_view root);

// `text` is clean UTF-8; `base` resolves addresses that are relative against the rules.
base::Result<Feed> ReadSitemap(std::string_view text, std::string_view base);

}  // namespace racewatch::ingest::feed
