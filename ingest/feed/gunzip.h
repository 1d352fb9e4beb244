// Gzip in memory (RFC 1952), bounded: for sitemaps that are served as .xml.gz and for archives read
// by backfill. Any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/status.h"

namespace racewatch::ingest::feed {

inline bool IsGzip(std::string_view bytes) { return bytes.starts_with("\x1F\x8B"); }

// All members of `bytes`, unpacked. RESOURCE_EXHAUSTED when they hold more than `bytes_max`,
// INVALID_ARGUMENT when nothing can be unpacked. A damaged or cut tail sets `*cut` and leaves what
// came before it.
base::Result<std::string> Gunzip(std::string_view bytes, size_t bytes_max, bool* cut);

}  // namespace racewatch::ingest::feed
