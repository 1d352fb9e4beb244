// The door of the feed room: bytes as they came from the network in, a Feed out. Called by ingest's
// parse step and by `racewatch parse`. Stateless and safe from any thread; nothing is fetched, no
// entity or DTD is expanded. Work is linear in the input and memory at most about three times its
// size; limits below cut what is hostile. The only errors are INVALID_ARGUMENT (this is no feed)
// and RESOURCE_EXHAUSTED (too large).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/status.h"
#include "ingest/feed/feed.h"

namespace racewatch::ingest {

struct ParseOptions {
  // HTTP Content-Type of the answer, for its charset. Default: none; the document decides.
  std::string content_type;
  // Final address of the document: relative links are resolved against it. Default: links stay as
  // they are.
  std::string base_url;
  // HTTP Content-Location; when given (it may be relative to base_url) it is the base. Default:
  // none.
  std::string content_location;
  // Larger documents are refused. The fetcher has its own cap; this one guards files.
  size_t document_bytes_max = size_t{256} << 20;
};

// Errors name what was found instead of a feed ("an HTML page", "nothing", …).
base::Result<Feed> ParseFeed(std::string_view bytes, const ParseOptions& options = {});

}  // namespace racewatch::ingest
