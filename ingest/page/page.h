// One news page as ExtractPage found it: what the ingest role adds to a feed item that carries only a
// summary, and what `racewatch extract` prints. Plain values, all strings are valid UTF-8 and owned.
// An absent value is an empty string or an empty optional. One gap is filled: `published` falls back to the visible
// byline, a date in the address and at last the date of the last change (README.md, "Dates").
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace racewatch::ingest {

enum class PagePrecision { kDay, kMinute, kSecond };

// A point in time a page claims. With kDay, `time_ms` is 00:00 UTC of that calendar day in the page's own
// zone, and only the day may be used. A clock time whose zone neither it nor the page tells is a day.
struct PageTime {
  int64_t time_ms = 0;  // Unix epoch, milliseconds
  PagePrecision precision = PagePrecision::kSecond;
  bool from_url = false;  // read from a path such as /2026/03/14/, the weakest source
  std::optional<int32_t> zone_s;  // seconds east of UTC, where the date itself said so

  // `2026-03-14T09:26:53Z`, or `2026-03-14` with day precision.
  std::string ToString() const;
};

// A feed that the page names with <link rel="alternate">.
struct PageFeedLink {
  std::string url;    // absolute where a base is known
  std::string type;   // media type, for example application/rss+xml
  std::string title;
};

struct ExtractOptions {
  // Address the bytes came from, after redirects. Makes links absolute and may give a date. Optional.
  std::string_view url;
  // The Content-Type header as received; only its charset is used. Optional.
  std::string_view content_type;
  // Of an article over several pages: which one `url` is, and the address of the first. With `find_next`, next_url is
  // looked for. Default: a first page whose successors do not matter.
  int page_number = 1;
  std::string_view first_url;
  bool find_next = false;
  // Bytes after this are not read. Cost: about 12 bytes of memory per byte of markup.
  size_t bytes_max = 10u << 20;
};

struct Page {
  std::string title;          // the article's, without the site's name
  std::string text;           // paragraphs separated by a blank line; empty when there is no article text
  std::optional<PageTime> published;
  std::optional<PageTime> modified;
  std::string author;         // several are joined with ", "
  std::string language;       // as declared, lower-case primary subtag with region: "en", "zh-tw"
  std::string site;           // the publisher's name
  std::string canonical_url;  // absolute where a base is known
  std::string section;
  std::string description;    // the page's own summary
  std::vector<PageFeedLink> feeds;
  std::string next_url;     // the article's next page, absolute; only with ExtractOptions::find_next
  std::string refresh_url;  // where the page sends its reader at once (meta refresh), absolute where a base is known

  // What stands between the reader and the text. All four may come with a piece of text; keep the feed's
  // summary when one is set and the text is short.
  bool paywalled = false;     // the page says that the full text needs a subscription
  bool consent_wall = false;  // a cookie or privacy dialogue instead of the article
  bool captcha = false;       // a robot check instead of the article
  bool empty_shell = false;   // markup that only a script would fill
};

}  // namespace racewatch::ingest
