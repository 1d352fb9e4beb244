// Month names by language, for ParseDate.
#pragma once

#include <string_view>

namespace racewatch::ingest::feed {

// 1–12 for a month's name or abbreviation in any language we know; 0 otherwise. `word` is lower
// case (ASCII letters; other scripts in the case usual inside a date), without a closing dot.
int MonthOf(std::string_view word);

}  // namespace racewatch::ingest::feed
