// Which feeds to read: from the configuration and from OPML files (folders nest; their names are kept).
// Read once at start. A FeedSpec is a plain value; nothing here touches the network.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"

namespace racewatch::base {
class Problems;
}
namespace racewatch::v1 {
class IngestConfig;
}

namespace racewatch::ingest {

class EntryFilter;

// What goes along with every request for a feed and its pages.
struct FeedAccess {
  std::vector<std::pair<std::string, std::string>> headers;  // Authorization and Cookie among them
  std::string proxy;
};

struct FeedSpec {
  std::string id;        // the key everywhere: the address as given
  std::string url;       // http(s)://… or file:PATH
  std::string title;     // empty: as the feed calls itself
  std::string folder;    // OPML folders, joined by "/"
  std::string group;     // us, china, europe, other; empty: from the publisher registry
  std::string language;  // used when the feed does not say
  int64_t interval_s = 0;  // 0: adaptive
  bool fetch_pages = false;
  std::string link_selector;  // not empty: the document is an HTML page, its selected links are the entries
  std::string found_in;       // the id of the listed sitemap index, home page or folder that led here; empty: listed itself
  std::shared_ptr<const FeedAccess> access;   // may be null
  std::shared_ptr<const EntryFilter> filter;  // may be null: every entry is taken

  bool is_file() const;
};

// Every outline with an xmlUrl, in document order. INVALID_ARGUMENT when it is no OPML.
base::Result<std::vector<FeedSpec>> ParseOpml(std::string_view bytes);

// The feeds of an OPML document as OPML 2.0.
std::string WriteOpml(const std::vector<FeedSpec>& feeds, std::string_view title);

// `list` with the feeds it does not name yet at its end, everything else in it as it was. An empty list is begun.
// INVALID_ARGUMENT when it is no OPML, or cut: what is not understood is not written back.
base::Result<std::string> AddToOpml(std::string_view list, const std::vector<FeedSpec>& feeds, size_t* added);

// Feeds of the configuration, then of its OPML files; an address listed twice counts once, the first
// listing wins. Errors: NOT_FOUND (no such OPML file), INVALID_ARGUMENT (no OPML).
base::Result<std::vector<FeedSpec>> ReadFeedList(const v1::IngestConfig& config);

}  // namespace racewatch::ingest
