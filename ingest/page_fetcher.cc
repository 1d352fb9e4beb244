#include "ingest/page_fetcher.h"

#include <optional>
#include <utility>

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

PageFetcher::PageFetcher(Fetcher& fetcher, Schedule& schedule, HostGate& gate, const base::Clock& clock, IngestMetrics& metrics,
                         base::Log& log, Answer answer)
    : fetcher_(fetcher), schedule_(schedule), gate_(gate), clock_(clock), metrics_(metrics), log_(log), answer_(std::move(answer)) {}

void PageFetcher::Want(uint64_t number, const std::string& url) {
  urls_[number] = url;
  schedule_.Add(number | kPageBit, UrlHost(url), clock_.NowMs());
}

void PageFetcher::Start(uint64_t number) {
  const auto it = urls_.find(number);
  if (it == urls_.end()) return;
  const auto [origin, path] = SplitOrigin(it->second);
  Site& site = sites_[origin];
  if (site.valid_until_ms <= clock_.NowMs()) {
    site.waiting.push_back(number);
    if (!site.asked) AskRobots(origin, it->second);
    return;
  }
  const auto node = urls_.extract(it);
  if (!site.rules.Allows(path)) {
    metrics_.Page("robots");
    answer_(number, nullptr, node.mapped());
    return;
  }
  fetcher_.FetchPage(node.mapped(), [this, number](FetchResult result) { OnPage(number, std::move(result)); });
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
  for (const uint64_t number : std::exchange(site.waiting, {})) Want(number, std::string(urls_[number]));
}

void PageFetcher::Forget() {
  std::erase_if(sites_, [now = clock_.NowMs()](const auto& e) { return e.second.valid_until_ms <= now && e.second.waiting.empty(); });
}

void PageFetcher::OnPage(uint64_t number, FetchResult result) {
  if (stopped_) return;
  std::optional<Page> page;
  std::string detail = result.detail;
  if (result.kind != FetchKind::kDocument) {
    metrics_.Page(result.reason.empty() ? "no_page" : result.reason);
    if (result.hold_host) gate_.Hold(UrlHost(result.reply.url), *result.retry_after_ms);
  } else {
    ExtractOptions options;
    const std::string content_type = HeaderOrEmpty(result.reply, "content-type");
    options.url = result.reply.url;
    options.content_type = content_type;
    auto found = ExtractPage(result.reply.body, options);
    if (found.ok())
      page = std::move(*found);
    else
      detail = found.status().message();
    const bool walled = page && (page->consent_wall || page->captcha || page->empty_shell || page->paywalled);
    metrics_.Page(!page ? "no_page" : walled ? "walled" : page->text.empty() ? "no_text" : "full");
  }
  if (!page) log_.RateLimited(base::LogLevel::kInfo, "page_failed", {{"url", result.reply.url}, {"detail", detail}});
  answer_(number, page ? &*page : nullptr, result.reply.url);
}

}  // namespace racewatch::ingest
