// Author and date as the reader sees them: short lines around the headline ("By Jane Doe", "March 14, 2026").
// The last resort when the markup names neither. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "ingest/page/blocks.h"
#include "ingest/page/page.h"

namespace racewatch::ingest::page {

struct Byline {
  std::string author;
  std::optional<PageTime> published;
  std::optional<PageTime> first_published;  // "Originally published on 26 Sep 2019", anywhere on the page
};

// Looks at the lines next to the headline `title`, first those below it. Without the headline only
// `first_published` is looked for.
// `day_first` as in ParseDate.
Byline ReadByline(const Blocks& blocks, std::string_view title, bool day_first);

// A short line that holds nothing but an author or a date.
bool IsByline(std::string_view line);

}  // namespace racewatch::ingest::page
