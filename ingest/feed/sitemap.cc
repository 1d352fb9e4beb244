#include "ingest/feed/sitemap.h"

#include <algorithm>
#include <utility>

#include "ingest/feed/ascii.h"
#include "ingest/feed/dates.h"
#include "ingest/feed/html_text.h"
#include "ingest/feed/links.h"
#include "ingest/feed/text_type.h"
#include "ingest/feed/xml_walk.h"

namespace racewatch::ingest::feed {
namespace {

bool Is(std::string_view name, std::string_view what) { return EqualsIgnoreCase(name, what); }

class SitemapReader {
 public:
  SitemapReader(std::string_view text, std::string_view base) : walk_(text), base_(base) {}

  Feed Read() {
    for (XmlWalk::Step step; (step = walk_.Next()) != XmlWalk::Step::kDone;) {
      if (step == XmlWalk::Step::kStart)
        OnStart(walk_.name());
      else if (Is(walk_.name(), "url") || Is(walk_.name(), "sitemap"))
        Close();
    }
    if (feed_.format == FeedFormat::kUnknown) feed_.format = FeedFormat::kSitemap;
    feed_.truncated = walk_.truncated();
    if (feed_.truncated && feed_.entries.empty() && feed_.children.empty()) Close();
    return std::move(feed_);
  }

 private:
  void OnStart(std::string_view name) {
    if (Is(name, "urlset")) feed_.format = FeedFormat::kSitemap;
    if (Is(name, "sitemapindex")) feed_.format = FeedFormat::kSitemapIndex;
    if (Is(name, "url") || Is(name, "sitemap")) {
      Close();  // the one before lacks its end tag
    } else if (Is(walk_.parent(), "url") || Is(walk_.parent(), "sitemap")) {
      if (Is(name, "loc")) entry_.link = ResolveUrl(base_, walk_.Plain());
      if (Is(name, "lastmod")) entry_.updated = ParseDate(walk_.Plain());
    } else if (Is(walk_.parent(), "news")) {
      News(name);
    } else if (Is(walk_.parent(), "publication")) {
      if (Is(name, "name")) entry_.source.title = HtmlToLine(walk_.Plain());
      if (Is(name, "language")) entry_.language = walk_.Plain();
    }
  }

  void News(std::string_view name) {
    if (Is(name, "title")) entry_.title = HtmlToLine(walk_.Plain());
    if (Is(name, "publication_date")) entry_.published = ParseDate(walk_.Plain());
    if (!Is(name, "keywords") && !Is(name, "genres")) return;
    const std::string list(walk_.Plain());
    for (std::string_view rest = list; !rest.empty();) {
      const size_t comma = std::min(rest.find(','), rest.size());
      if (std::string word = Collapse(rest.substr(0, comma)); !word.empty())
        entry_.categories.push_back(std::move(word));
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
  }

  // A sitemap's own address says whose it is; its entries carry the publisher's name.
  void Close() {
    FeedEntry entry = std::exchange(entry_, {});
    if (entry.link.empty()) return;
    if (feed_.format == FeedFormat::kSitemapIndex) {
      feed_.children.push_back({std::move(entry.link), entry.updated});
      return;
    }
    if (feed_.title.empty()) feed_.title = entry.source.title;
    entry.source = {};  // the publication is the site itself, not another feed
    feed_.entries.push_back(std::move(entry));
  }

  XmlWalk walk_;
  const std::string_view base_;
  Feed feed_;
  FeedEntry entry_;
};

}  // namespace

bool IsSitemapRoot(std::string_view root) { return Is(root, "urlset") || Is(root, "sitemapindex"); }

base::Result<Feed> ReadSitemap(std::string_view text, std::string_view base) {
  return SitemapReader(text, base).Read();
}

}  // namespace racewatch::ingest::feed
