// Reads the date forms of news pages: ISO 8601 and its misspellings, RFC 822, month names of ten languages,
// Chinese and Japanese forms, epoch numbers, and dates in URL paths. Pure functions, safe on any thread.
#pragma once

#include <optional>
#include <string_view>

#include "ingest/page/page.h"

namespace racewatch::ingest::page {

// The first date in `text`, nothing when there is none, when it does not exist in the calendar or lies outside
// 1990–2099. `1/2/2026` is read as month/day (US), `1.2.2026` as day.month.
std::optional<PageTime> ParseDate(std::string_view text);

// A full date in the path of `url`: /2026/03/14/, /2026-03-14-title, /20260314/, /2026/mar/14/.
std::optional<PageTime> DateFromUrl(std::string_view url);

}  // namespace racewatch::ingest::page
