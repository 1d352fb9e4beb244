// JSON Feed 1.0 and 1.1 (jsonfeed.org), and the door to ninjs. A cut document keeps its complete items. Any thread;
// linear.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "ingest/feed/feed.h"

namespace racewatch::ingest::feed {

// True when `text` begins like a JSON object or array.
bool IsJson(std::string_view text);

// `text` is clean UTF-8. INVALID_ARGUMENT when it is neither a JSON Feed nor ninjs.
base::Result<Feed> ReadJsonFeed(std::string_view text, std::string_view base);

}  // namespace racewatch::ingest::feed
