// IPTC ninjs 1.x to 3.x (News in JSON) as a Feed: one item, an array of items, or an object that
// holds such an array. A cancelled item becomes a deletion. Stateless, any thread. Separate from
// JSON Feed, which shares nothing with it but JSON.
#pragma once

#include <optional>
#include <string_view>

#include "ingest/feed/feed.h"

namespace simdjson::dom {
class element;
}

namespace racewatch::ingest::feed {

// Nothing when `root` holds no ninjs item. `base` resolves relative links.
std::optional<Feed> ReadNinjs(const simdjson::dom::element& root, std::string_view base);

}  // namespace racewatch::ingest::feed
