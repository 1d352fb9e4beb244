// The demo week as data: who publishes what and when, read from deploy/demo (format: its README).
// Everything in it is invented. Plain values, loaded once, then shared read-only between threads.
// The demo server renders them; tests check that they are sound.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace racewatch::cli {

// A stretch of the week in which a feed misbehaves. Milliseconds since the start of the week.
struct DemoFault {
  enum class Kind { kServerError, kTruncated };
  Kind kind = Kind::kServerError;
  int64_t from_ms = 0;  // inclusive
  int64_t to_ms = 0;    // exclusive
};

enum class DemoFormat { kRss2, kRdf, kAtom, kJsonFeed };

struct DemoFeed {
  std::string id;     // [a-z]+
  std::string title;
  std::string host;   // *.example
  std::string path;   // of the feed document
  std::string description;
  std::string language;         // as the feed declares it, for example "zh-CN"
  std::string publisher_group;  // us, china, europe or other
  std::string desk;             // technology, policy or general
  DemoFormat format = DemoFormat::kRss2;
  bool summary_only = false;    // the feed carries the first paragraph, the page the rest
  bool cdata = false;           // RSS: HTML in CDATA instead of escaped
  std::string guid_style;       // url, tag or number
  std::string link_pattern;     // with {y} {m} {d} {slug}
  std::string etag_style;       // strong, weak or bare
  int utc_offset_min = 0;       // the zone in which it writes dates
  std::vector<DemoFault> faults;
};

// What a careful reader would tag; empty themes and `relevant` false for other news.
struct DemoLabels {
  bool relevant = false;
  std::vector<std::string> themes;
  std::map<std::string, std::string> stance;  // target → favor, against or neutral
  std::string lean;
};

// One version of one article. A later version of the same (feed, slug) replaces the earlier one.
struct DemoVersion {
  int64_t at_ms = 0;  // since the start of the week
  std::string author;
  std::vector<std::string> categories;
  std::string title;
  std::vector<std::string> paragraphs;
  DemoLabels labels;
};

struct DemoArticle {
  size_t feed = 0;  // index into DemoWeek::feeds
  std::string slug;
  std::string link;  // absolute
  std::string guid;
  std::vector<DemoVersion> versions;  // by time, at least one

  int64_t published_ms() const { return versions.front().at_ms; }
  // The version shown at `ms` since the start of the week; null before the first.
  const DemoVersion* At(int64_t ms) const;
};

struct DemoWeek {
  int64_t start_ms = 0;  // Unix milliseconds
  int64_t length_ms = 0;
  std::vector<DemoFeed> feeds;
  std::vector<DemoArticle> articles;  // by time of publication, then feed
};

// Where the data lie: `demo` beside the binary, `../share/racewatch/demo` from it, else the source tree
// this binary was built from. Empty when none of them exists.
std::string DemoDataDir();

// Reads DIR/feeds.json and DIR/week/*.txt. NOT_FOUND: a file is missing. INVALID_ARGUMENT: `FILE:LINE: what`.
base::Result<DemoWeek> LoadDemoWeek(const std::string& dir);

// Articles of one text file into `week`, whose feeds are known; for tests.
base::Status ParseDemoArticles(std::string_view text, const std::string& file_name, DemoWeek* week);

}  // namespace racewatch::cli
