// The documents of IngestLoop: bytes to a Feed by the kind of source, and the feeds that a document names.
#include <algorithm>
#include <utility>

#include "ingest/aggregator.h"
#include "ingest/feed/feed_parser.h"
#include "ingest/ingest_loop.h"
#include "ingest/page/page_extractor.h"
#include "ingest/page_source.h"
#include "ingest/url.h"

namespace racewatch::ingest {
namespace {

// Sitemaps that nobody touched for so long hold no news.
constexpr int64_t kSitemapStaleMs = 30LL * 86'400'000;
constexpr size_t kDiscoveredMax = 5;

std::string HeaderOrEmpty(const base::HttpReply& reply, std::string_view name) {
  const std::string* value = reply.Header(name);
  return value != nullptr ? *value : std::string();
}

}  // namespace

base::Result<Feed> IngestLoop::ParseDocument(const FeedSpec& spec, const FetchResult& result) const {
  const std::string content_type = HeaderOrEmpty(result.reply, "content-type");
  if (!spec.link_selector.empty()) return ReadPageSource(result.reply.body, result.reply.url, content_type, spec.link_selector);
  ParseOptions options;
  options.content_type = content_type;
  options.content_location = HeaderOrEmpty(result.reply, "content-location");
  options.base_url = result.reply.url;
  auto feed = ParseFeed(result.reply.body, options);
  if (feed.ok() && options_.pages.resolve_aggregators) UnwrapLinks(&*feed);
  return feed;
}

// Each becomes a feed of its own, newest first, with the settings of the feed that named it. All that one listed feed
// leads to, over whatever indexes, is bounded together.
void IngestLoop::AddChildren(uint64_t number, std::vector<FeedChild> children) {
  const FeedSpec parent = feeds_.Get(number).spec;
  const std::string root = parent.found_in.empty() ? parent.id : parent.found_in;
  const base::UnixMs now = clock_.NowMs();
  const auto changed = [now](const FeedChild& child) { return child.updated ? child.updated->unix_ms : now; };
  std::stable_sort(children.begin(), children.end(), [&](const FeedChild& a, const FeedChild& b) { return changed(a) > changed(b); });
  size_t& count = children_[root];
  for (const FeedChild& child : children) {
    const std::string host = UrlHost(child.link);
    if (host.empty() || changed(child) < now - kSitemapStaleMs || feeds_.Has(child.link)) continue;  // a file: is not for others to name
    if (count >= options_.child_feeds_max) {
      metrics_.stage().Error("too_many_children");
      log_.RateLimited(base::LogLevel::kWarn, "too_many_children", {{"feed", root}, {"child_feeds_max", static_cast<uint64_t>(count)}});
      break;
    }
    FeedSpec spec = parent;
    spec.id = spec.url = child.link;
    spec.title.clear();
    spec.link_selector.clear();
    spec.found_in = root;
    if (RegistrableDomain(host) != RegistrableDomain(UrlHost(parent.url))) spec.access.reset();
    ++count;
    AddFeed(std::move(spec));
  }
  if (shared_) OnAssignment();
}

// What to add to the feed's detail. A page that was found itself leads no further.
std::string IngestLoop::DiscoverFeeds(uint64_t number, const FetchResult& result) {
  if (!feeds_.Get(number).spec.found_in.empty()) return {};
  const auto page = ExtractPage(result.reply.body, {.url = result.reply.url});
  if (!page.ok()) return {};
  std::vector<FeedChild> found;
  for (std::string& url : DiscoveredFeeds(*page, kDiscoveredMax)) found.push_back({std::move(url), {}});
  if (found.empty()) return {};
  const std::string named = "; it names " + found.front().link + (found.size() > 1 ? " and others" : "") + ", now followed";
  AddChildren(number, std::move(found));
  return named;
}

base::Result<bool> IngestLoop::TakeDown(const std::string& url) {
  const auto canonical = Canonicalize(url);
  if (!canonical) return base::InvalidArgument("'" + url + "' is not an http(s) address");
  const ArticleId key = UrlKey(canonical->key);
  RW_ASSIGN_OR_RETURN(const std::optional<ArticleId> known, seen_->FindAlias(key));
  RW_RETURN_IF_ERROR(seen_->TakeDown(known.value_or(key)));
  return known.has_value();
}

}  // namespace racewatch::ingest
