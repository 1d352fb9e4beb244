// Reads the date forms of news pages: ISO 8601 and its misspellings, RFC 822, month names of ten languages,
// Chinese and Japanese forms, epoch numbers, and dates in URL paths. Pure functions, safe on any thread.
#pragma once

#include <optional>
#include <string_view>

#include "ingest/page/page.h"

namespace racewatch::ingest::page {

// The first date in `text`, nothing when there is none, when it does not exist in the calendar or lies outside
// 1990–2099. A clock time without a zone comes as if in UTC, zone_s unset: see SettleZone. `1.2.2026` and `1-2-2026` are day, month; `1/2/2026` is month/day unless `day_first` or the numbers say otherwise.
std::optional<PageTime> ParseDate(std::string_view text, bool day_first = false);

// True when a page in `language` ("de", "en-gb") writes 1/2/2026 for the first of February.
bool WritesDayFirst(std::string_view language);

// The zone of a country that has one for the whole year and land, by the country domain of `url`.
std::optional<int32_t> ZoneOfDomain(std::string_view url);

// Gives a clock time without a zone the page's; a day of the page's calendar is left when that is not known.
void SettleZone(std::optional<int32_t> zone_s, PageTime* time);

// A full date in the path of `url`: /2026/03/14/, /2026-03-14-title, /20260314/, /2026/mar/14/.
std::optional<PageTime> DateFromUrl(std::string_view url);

}  // namespace racewatch::ingest::page
