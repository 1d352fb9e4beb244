// A stream of entries as feed readers take it: Atom (RFC 4287, pages linked as in RFC 5005) and JSON Feed 1.1; and a list of
// streams as OPML 2.0. Pure functions, any thread. Texts may be any UTF-8: what XML cannot hold is left out.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace racewatch::store {

struct SyndicationEntry {
  std::string id;        // a URI; the same for ever
  std::string title;     // plain text
  std::string url;       // where to read on; may be empty
  std::string summary;   // plain text
  std::string html;      // the whole entry, already escaped; may be empty
  std::string author;
  std::string language;  // empty: unknown
  std::optional<base::UnixMs> published;
  base::UnixMs updated = 0;
  std::vector<std::string> tags;
};

struct SyndicationFeed {
  std::string id;        // a URI; the same for every page and format
  std::string title;
  std::string description;
  std::string home_url, self_url, first_url;  // absolute
  std::string next_url;  // the page with older entries; empty: this is the last
  std::vector<SyndicationEntry> entries;  // newest first
};

std::string ToAtom(const SyndicationFeed& feed);
std::string ToJsonFeed(const SyndicationFeed& feed);

struct StreamLink {
  std::string title;
  std::string url;  // of the Atom document
};
std::string ToOpml(std::string_view title, const std::vector<StreamLink>& streams);

// `urn:uuid:…` of 32 hexadecimal digits, or of a hash of any text.
std::string UrnOfHex(std::string_view hex);
std::string UrnOfText(std::string_view text);

// Text for an element's content or attribute.
std::string EscapeHtml(std::string_view text);

}  // namespace racewatch::store
