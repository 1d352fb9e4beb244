// Chooses links on an HTML page, for pages that are sources without a feed: a selector of the CSS kind (tags, .class,
// #id, [attribute], [attribute=value], ^= and *=, descendants by space, alternatives by comma). A link is chosen when
// the selector names it or something it lies in. Constant after Parse, any thread; linear in page times selector.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "ingest/page/html_names.h"
#include "ingest/page/page.h"

namespace racewatch::ingest {

namespace page {
struct Tree;
}

struct PageLink {
  std::string url;    // absolute where a base is known, without fragment
  std::string text;   // what the link says; the longest where several lead to one address
};

class LinkSelector {
 public:
  // INVALID_ARGUMENT says what is wrong and where.
  static base::Result<LinkSelector> Parse(std::string_view text);

  // The page's title and its chosen links in document order, each address once.
  struct Found {
    std::string title;
    std::string language;
    std::vector<PageLink> links;
  };
  static constexpr size_t kLinksMax = 2000;
  // INVALID_ARGUMENT when the bytes are no HTML page.
  base::Result<Found> Select(std::string_view bytes, const ExtractOptions& options) const;

 private:
  enum class Test { kHas, kEquals, kBegins, kContains, kWord };
  struct Attribute {
    page::Attr name;
    Test test;
    std::string value;
  };
  struct Compound {
    std::optional<page::Tag> tag;
    std::vector<Attribute> attributes;
  };
  static base::Result<Compound> ParseCompound(std::string_view* rest);
  static base::Status ParseAttribute(std::string_view* rest, Compound* compound);
  static bool Matches(const page::Tree& tree, uint32_t node, const Compound& compound);
  bool Names(const page::Tree& tree, uint32_t node) const;

  std::vector<std::vector<Compound>> alternatives_;  // outermost first
};

}  // namespace racewatch::ingest
