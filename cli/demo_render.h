// Feed documents and article pages of the demo week, as text. Pure functions of the data and a time;
// the demo server puts them on HTTP. Thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cli/demo_week.h"

namespace racewatch::cli {

// A feed shows at most this many items, newest first.
inline constexpr size_t kDemoFeedItemsMax = 30;

// `unix_ms` in the zone `offset_min` east of UTC: "2026-03-02T08:00:00+08:00", "…Z" for 0.
std::string FormatRfc3339(int64_t unix_ms, int offset_min);
// "Mon, 02 Mar 2026 08:00:00 +0800", "… GMT" for 0 (RFC 822 with four-digit years).
std::string FormatRfc822(int64_t unix_ms, int offset_min);

// For element text and attribute values, XML and HTML alike.
std::string EscapeXml(std::string_view text);
// As one or more CDATA sections, safe for any content.
std::string CdataSection(std::string_view text);

// The feed document as it looks `ms` after the start of the week.
std::string RenderDemoFeed(const DemoWeek& week, size_t feed, int64_t ms);
std::string DemoFeedContentType(DemoFormat format);
// When what RenderDemoFeed shows at `ms` last changed, milliseconds since the start; 0 if nothing yet.
int64_t DemoFeedChangedMs(const DemoWeek& week, size_t feed, int64_t ms);

// The article's HTML page with the site's own furniture around the text.
std::string RenderDemoPage(const DemoWeek& week, const DemoArticle& article, int64_t ms);
// The publisher's front page: a list of links.
std::string RenderDemoFrontPage(const DemoWeek& week, size_t feed, int64_t ms);

}  // namespace racewatch::cli
