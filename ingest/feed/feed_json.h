// A Feed as one JSON object: the output contract of `racewatch parse` (design.md, section 7) and
// the form of the golden files. Absent fields are left out; times are RFC 3339 in UTC.
#pragma once

#include <string>
#include <string_view>

#include "ingest/feed/feed.h"

namespace racewatch::ingest {

// Appends the object without a line break. `file`, when not empty, becomes its first member.
void AppendFeedJson(const Feed& feed, std::string_view file, std::string* out);

// Appends `text` (UTF-8) as a JSON string with its quotes.
void AppendJsonString(std::string_view text, std::string* out);

}  // namespace racewatch::ingest
