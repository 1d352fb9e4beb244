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

// Those that `drops` holds for are followed no more, and make room.
void IngestLoop::DropChildren(uint64_t number, const std::function<bool(const FeedRow&)>& drops) {
  const auto named = named_.find(number);
  if (named == named_.end()) return;
  for (const uint64_t child : std::vector(named->second)) {
    const FeedRow& feed = feeds_.Get(child);
    if (!feed.removed && drops(feed)) SetRemoved(child, true);
  }
}

size_t IngestLoop::CountChildren(const std::string& root) const {
  size_t count = 0;
  for (const auto& [parent, children] : named_)
    count += static_cast<size_t>(std::count_if(children.begin(), children.end(), [&](uint64_t child) {
      return !feeds_.Get(child).removed && feeds_.Get(child).spec.found_in == root;
    }));
  return count;
}

// Each becomes a feed of its own, newest first, with the settings of the feed that named it. All that one listed feed
// leads to, over whatever indexes, is bounded together. Many an index names a new sitemap every day: what a `whole` one
// names no more is dropped.
void IngestLoop::AddChildren(uint64_t number, std::vector<FeedChild> children, bool whole) {
  const FeedSpec parent = feeds_.Get(number).spec;
  const std::string root = parent.found_in.empty() ? parent.id : parent.found_in;
  const base::UnixMs now = clock_.NowMs();
  const auto changed = [now](const FeedChild& child) { return child.updated ? child.updated->unix_ms : now; };
  std::stable_sort(children.begin(), children.end(), [&](const FeedChild& a, const FeedChild& b) { return changed(a) > changed(b); });
  std::unordered_set<std::string> usable;
  for (const FeedChild& child : children)  // a file: is not for others to name
    if (changed(child) >= now - kSitemapStaleMs && !UrlHost(child.link).empty()) usable.insert(child.link);
  if (whole) DropChildren(number, [&usable](const FeedRow& feed) { return !usable.contains(feed.spec.id); });
  std::vector<uint64_t>& named = named_[number];
  size_t count = CountChildren(root);
  for (const FeedChild& child : children) {
    const auto known = feeds_.Find(child.link);
    // What the operator took out stays out.
    const bool dropped = known && feeds_.Get(*known).removed && feeds_.Get(*known).listed_ms == 0 &&
                         std::find(named.begin(), named.end(), *known) != named.end();
    if (!usable.contains(child.link) || (known && !dropped)) continue;
    if (count >= options_.child_feeds_max) {
      metrics_.stage().Error("too_many_children");
      log_.RateLimited(base::LogLevel::kWarn, "too_many_children", {{"feed", root}, {"child_feeds_max", static_cast<uint64_t>(count)}});
      break;
    }
    ++count;
    if (dropped) {
      SetRemoved(*known, false);
      continue;
    }
    FeedSpec spec = parent;
    spec.id = spec.url = child.link;
    spec.title.clear();
    spec.link_selector.clear();
    spec.found_in = root;
    if (RegistrableDomain(UrlHost(child.link)) != RegistrableDomain(UrlHost(parent.url))) spec.access.reset();
    named.push_back(feeds_.size());
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
  AddChildren(number, std::move(found), true);
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
