// IPTC NewsML-G2 (newsMessage, newsItem, packageItem) as a Feed: one entry per news item with its
// headline, byline, times, subjects and inline content (XHTML or NITF); a cancelled item becomes a
// deletion. Stateless, linear, any thread.
#pragma once

#include <string_view>

#include "base/status.h"
#include "ingest/feed/feed.h"

namespace racewatch::ingest::feed {

bool IsNewsMlRoot(std::string_view root);

// `text` is clean UTF-8; `base` resolves relative links.
base::Result<Feed> ReadNewsMl(std::string_view text, std::string_view base);

}  // namespace racewatch::ingest::feed
