// Links of news aggregators and redirect services, resolved to the publisher's own address as far as the link itself
// tells: the address in a query parameter, or in the encoded name of a Google News article. What the link does not tell,
// the page behind it may (PageFetcher follows it). Pure, any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "ingest/feed/feed.h"

namespace racewatch::ingest {

// The publisher's address inside `url`; nullopt when there is none.
std::optional<std::string> UnwrapUrl(std::string_view url);

// Puts the publisher's address in place of each wrapped link of a feed.
void UnwrapLinks(Feed* feed);

// True for hosts whose pages are about articles that lie elsewhere.
bool IsAggregatorHost(std::string_view host);

}  // namespace racewatch::ingest
