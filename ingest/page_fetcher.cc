#include "ingest/page_fetcher.h"

#include <algorithm>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "ingest/aggregator.h"
#include "ingest/page/page_extractor.h"
#include "ingest/url.h"

namespace racewatch::ingest {
namespace {

constexpr char kProduct[] = "racewatch";
constexpr int64_t kRobotsMs = 86'400'000;         // RFC 9309 §2.4
constexpr int64_t kRobotsFailedMs = 3'600'000;
constexpr size_t kSitesKept = 20'000;

// "https://a.example:8443" and "/path?query" of an http(s) address.
std::pair<std::string, std::string> SplitOrigin(const std::string& url) {
  const size_t host = url.find("://");
  const size_t path = host == std::string::npos ? host : url.find_first_of("/?#", host + 3);
  if (path == std::string::npos) return {url, "/"};
  std::string rest = url.substr(path, url.find('#', path) - path);
  if (!rest.starts_with('/')) rest.insert(0, 1, '/');
  return {url.substr(0, path), rest};
}

std::string HeaderOrEmpty(const base::HttpReply& reply, std::string_view name) {
  const std::string* value = reply.Header(name);
  return value != nullptr ? *value : std::string();
}

}  // namespace

PageFetcher::PageFetcher(Options options, Fetcher& fetcher, Schedule& schedule, HostGate& gate, const base::Clock& clock,
                         IngestMetrics& metrics, base::Log& log, Answer answer)
    : fetcher_(fetcher), schedule_(schedule), gate_(gate), clock_(clock), metrics_(metrics), log_(log), answer_(std::move(answer)), options_(options) {}

void PageFetcher::Want(uint64_t number, const std::string& url, const FeedSpec& feed) {
  Wanted& wanted = wanted_[number];
  wanted.url = url;
  if (feed.access && RegistrableDomain(UrlHost(url)) == RegistrableDomain(UrlHost(feed.url))) wanted.access = feed.access;
  Enqueue(number, url);
}

void PageFetcher::Enqueue(uint64_t number, const std::string& url) { schedule_.Add(number | kPageBit, UrlHost(url), clock_.NowMs()); }

void PageFetcher::Start(uint64_t number) {
  const auto it = wanted_.find(number);
  if (it == wanted_.end()) return;
  const auto [origin, path] = SplitOrigin(it->second.url);
  Site& site = sites_[origin];
  if (site.valid_until_ms <= clock_.NowMs()) {
    site.waiting.push_back(number);
    if (!site.asked) AskRobots(origin, it->second.url);
    return;
  }
  if (!site.rules.Allows(path)) {
    metrics_.Page("robots");
    const auto node = wanted_.extract(it);
    const Wanted& wanted = node.mapped();
    answer_(number, wanted.joined ? &*wanted.joined : nullptr, wanted.joined ? wanted.first_url : wanted.url);
    return;
  }
  fetcher_.FetchPage(it->second.url, [this, number](FetchResult result) { OnPage(number, std::move(result)); }, it->second.access.get());
}

void PageFetcher::AskRobots(const std::string& origin, const std::string& url) {
  if (sites_.size() > kSitesKept) Forget();
  sites_[origin].asked = true;
  fetcher_.FetchPage(SplitOrigin(url).first + "/robots.txt", [this, origin](const FetchResult& result) { OnRobots(origin, result); });
}

void PageFetcher::OnRobots(const std::string& origin, const FetchResult& result) {
  if (stopped_) return;
  Site& site = sites_[origin];
  const int status = result.reply.http_status;
  site.asked = false;
  site.valid_until_ms = clock_.NowMs() + kRobotsMs;
  if (result.kind == FetchKind::kDocument) {
    site.rules = RobotsRules::Parse(result.reply.body, kProduct);
  } else if (result.reply.status.ok() && status >= 400 && status < 500 && status != 429) {
    site.rules = RobotsRules::AllowAll();  // unavailable (§2.3.1.3)
  } else {
    site.rules = RobotsRules::DisallowAll();  // unreachable (§2.3.1.4)
    site.valid_until_ms = clock_.NowMs() + kRobotsFailedMs;
    if (result.hold_host) gate_.Hold(UrlHost(origin), *result.retry_after_ms);
  }
  // This request took the slot of the page that asked for it: each page waits for one of its own.
  for (const uint64_t number : std::exchange(site.waiting, {}))
    if (const auto it = wanted_.find(number); it != wanted_.end()) Enqueue(number, it->second.url);
}

void PageFetcher::Forget() {
  std::erase_if(sites_, [now = clock_.NowMs()](const auto& e) { return e.second.valid_until_ms <= now && e.second.waiting.empty(); });
}

std::optional<Page> PageFetcher::Extract(const FetchResult& result, const Wanted& wanted, std::string* detail) const {
  ExtractOptions options;
  const std::string content_type = HeaderOrEmpty(result.reply, "content-type");
  options.url = result.reply.url;
  options.content_type = content_type;
  options.page_number = wanted.pages + 1;
  options.first_url = wanted.first_url;
  options.find_next = options_.article_pages_max > 1;
  auto found = ExtractPage(result.reply.body, options);
  if (found.ok()) return std::move(*found);
  *detail = found.status().message();
  return std::nullopt;
}

// Appends the paragraphs that are new; false when there are none: then it was no further page but the same again.
bool PageFetcher::Join(const Page& next, Page* joined) {
  std::unordered_set<std::string_view> known;
  const std::string before = joined->text;
  const auto for_each = [](std::string_view text, const auto& on_paragraph) {
    while (!text.empty()) {
      const size_t end = std::min(text.find("\n\n"), text.size());
      on_paragraph(text.substr(0, end));
      text.remove_prefix(std::min(end + 2, text.size()));
    }
  };
  for_each(before, [&](std::string_view paragraph) { known.insert(paragraph); });
  bool grew = false;
  for_each(next.text, [&](std::string_view paragraph) {
    if (!known.insert(paragraph).second) return;
    joined->text.append("\n\n").append(paragraph);
    grew = true;
  });
  return grew;
}

// True when another request has to come before the answer: to the publisher behind an aggregator, or for the next page.
bool PageFetcher::GoOn(uint64_t number, Wanted* wanted, Page* page, const std::string& final_url) {
  constexpr int kHopsMax = 2;
  const auto follow = [&](const std::string& url) {
    wanted->url = url;
    Enqueue(number, url);
    return true;
  };
  if (!wanted->joined && options_.resolve_aggregators && wanted->hops < kHopsMax) {
    const std::string here = RegistrableDomain(UrlHost(final_url));
    const bool leads_on = page->text.empty() || IsAggregatorHost(UrlHost(final_url));
    for (const std::string* there : {&page->refresh_url, &page->canonical_url}) {
      const std::string host = UrlHost(*there);
      if (!leads_on || host.empty() || RegistrableDomain(host) == here) continue;
      ++wanted->hops;
      wanted->access.reset();  // credentials are for the feed's own site
      return follow(*there);
    }
  }
  if (page->text.empty() || page->consent_wall || page->captcha || page->paywalled) return false;
  if (page->next_url.empty() || ++wanted->pages >= options_.article_pages_max) return false;
  const std::string next = page->next_url;
  if (!wanted->joined) {
    wanted->first_url = final_url;
    wanted->joined = std::move(*page);
  }
  return follow(next);
}

void PageFetcher::OnPage(uint64_t number, FetchResult result) {
  if (stopped_) return;
  const auto it = wanted_.find(number);
  if (it == wanted_.end()) return;
  Wanted& wanted = it->second;
  std::optional<Page> page;
  std::string detail = result.detail;
  if (result.kind != FetchKind::kDocument) {
    metrics_.Page(result.reason.empty() ? "no_page" : result.reason);
    if (result.hold_host) gate_.Hold(UrlHost(result.reply.url), *result.retry_after_ms);
  } else {
    page = Extract(result, wanted, &detail);
    const bool walled = page && (page->consent_wall || page->captcha || page->empty_shell || page->paywalled);
    metrics_.Page(!page ? "no_page" : walled ? "walled" : page->text.empty() ? "no_text" : "full");
  }
  if (!page) log_.RateLimited(base::LogLevel::kInfo, "page_failed", {{"url", result.reply.url}, {"detail", detail}});
  if (wanted.joined) {
    const bool grew = page && Join(*page, &*wanted.joined);
    if (grew && GoOn(number, &wanted, &*page, result.reply.url)) return;
  } else if (page && GoOn(number, &wanted, &*page, result.reply.url)) {
    return;
  }
  const auto node = wanted_.extract(it);
  Wanted& done = node.mapped();
  if (done.joined) page = std::move(done.joined);
  answer_(number, page ? &*page : nullptr, done.first_url.empty() ? result.reply.url : done.first_url);
}

}  // namespace racewatch::ingest
