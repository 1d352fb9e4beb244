#include "ingest/page_source.h"

#include <algorithm>
#include <utility>

#include "ingest/page/link_selector.h"
#include "ingest/url.h"

namespace racewatch::ingest {
namespace {

bool SaysComments(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return text.find("comment") != std::string::npos || text.find("kommentar") != std::string::npos || text.find("评论") != std::string::npos;
}

}  // namespace

base::Result<Feed> ReadPageSource(std::string_view bytes, std::string_view url, std::string_view content_type, std::string_view selector) {
  RW_ASSIGN_OR_RETURN(const LinkSelector links, LinkSelector::Parse(selector));
  RW_ASSIGN_OR_RETURN(LinkSelector::Found found, links.Select(bytes, {.url = url, .content_type = content_type}));
  if (found.links.empty()) return base::InvalidArgument("no link on the page is selected by '" + std::string(selector) + "'");
  Feed feed;
  feed.format = FeedFormat::kPage;
  feed.title = std::move(found.title);
  feed.language = std::move(found.language);
  feed.link = url;
  feed.encoding = "utf-8";
  for (PageLink& link : found.links) {
    FeedEntry entry;
    entry.link = std::move(link.url);
    entry.title = std::move(link.text);
    feed.entries.push_back(std::move(entry));
  }
  return feed;
}

std::vector<std::string> DiscoveredFeeds(const Page& page, size_t feeds_max) {
  std::vector<std::string> urls, titles;
  for (const PageFeedLink& link : page.feeds) {
    if (urls.size() >= feeds_max) break;
    if (UrlHost(link.url).empty() || SaysComments(link.title) || SaysComments(link.url)) continue;
    if (std::find(urls.begin(), urls.end(), link.url) != urls.end()) continue;
    // The same feed in several formats: the first is as good as any.
    if (!link.title.empty() && std::find(titles.begin(), titles.end(), link.title) != titles.end()) continue;
    urls.push_back(link.url);
    titles.push_back(link.title);
  }
  return urls;
}

}  // namespace racewatch::ingest
