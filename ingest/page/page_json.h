// A Page as the JSON line of `racewatch extract` (design: "Command line", a public contract). Pure.
#pragma once

#include <string>
#include <string_view>

#include "ingest/page/page.h"

namespace racewatch::ingest {

// Appends one object, absent fields left out, no line break. `file` goes first as "file" unless empty.
void AppendPageJson(const Page& page, std::string_view file, std::string* out);

}  // namespace racewatch::ingest
