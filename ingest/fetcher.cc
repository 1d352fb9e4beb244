#include "ingest/fetcher.h"

#include <algorithm>
#include <utility>

#include "ingest/dates.h"

namespace racewatch::ingest {
namespace {

constexpr char kAcceptFeed[] =
    "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml;q=0.9, "
    "application/xml;q=0.8, text/xml;q=0.8, application/json;q=0.7, */*;q=0.1";
constexpr char kAcceptPage[] = "text/html, application/xhtml+xml, */*;q=0.1";

void AddAccess(const FeedAccess* access, base::HttpCall* call) {
  if (access == nullptr) return;
  call->own_headers = access->headers;
  call->proxy = access->proxy;
}

}  // namespace

std::string HttpStatusReason(int status) {
  switch (status) {
    case 401:
    case 403:
    case 404:
    case 410:
    case 429:
    case 451:
    case 500:
    case 502:
    case 503: return "http_" + std::to_string(status);
    default: break;
  }
  if (status >= 100 && status < 600) return "http_" + std::string(1, static_cast<char>('0' + status / 100)) + "xx";
  return "http_other";
}

std::string FetchResult::moved_to() const {
  const bool permanent = !reply.hops.empty() && std::all_of(reply.hops.begin(), reply.hops.end(), [](const base::HttpHop& hop) {
    return hop.status == 301 || hop.status == 308;
  });
  return permanent ? reply.url : std::string();
}

Fetcher::Fetcher(base::HttpClient& client, const base::Clock& clock, Options options)
    : client_(client), clock_(clock), options_(options) {}

FetchResult Fetcher::Classify(base::HttpReply reply) const {
  FetchResult result;
  result.reply = std::move(reply);
  const base::HttpReply& r = result.reply;
  if (!r.status.ok()) {
    result.reason = base::HttpFailureName(r.failure);
    result.detail = r.status.message();
    return result;
  }
  if (const std::string* value = r.Header("cache-control")) result.cache.max_age_s = ParseMaxAge(*value);
  if (const std::string* value = r.Header("expires")) result.cache.expires_ms = ParseHttpDate(*value);
  if (r.http_status == 304) {
    result.kind = FetchKind::kNotModified;
  } else if (r.http_status >= 200 && r.http_status < 300) {
    result.kind = FetchKind::kDocument;
  } else {
    result.reason = HttpStatusReason(r.http_status);
    result.detail = "GET " + r.url + ": HTTP " + std::to_string(r.http_status);
    if (const std::string* value = r.Header("retry-after")) result.retry_after_ms = ParseRetryAfter(*value, clock_.NowMs());
    result.hold_host = result.retry_after_ms && (r.http_status == 429 || r.http_status == 503);
  }
  return result;
}

void Fetcher::FetchFeed(const std::string& url, const v1::FeedState& state, bool conditional, FetchCallback on_result,
                        const FeedAccess* access) {
  base::HttpCall call;
  call.url = url;
  call.timeout = options_.timeout;
  call.body_bytes_max = options_.body_bytes_max;
  AddAccess(access, &call);
  call.headers.emplace_back("Accept", kAcceptFeed);
  bool sent = false;
  if (conditional && !state.etag().empty()) {
    call.headers.emplace_back("If-None-Match", state.etag());
    sent = true;
  }
  if (conditional && !state.last_modified().empty()) {
    call.headers.emplace_back("If-Modified-Since", state.last_modified());
    sent = true;
  }
  client_.Start(std::move(call), [this, sent, on_result = std::move(on_result)](base::HttpReply reply) {
    FetchResult result = Classify(std::move(reply));
    result.conditional = sent;
    on_result(std::move(result));
  });
}

void Fetcher::FetchPage(const std::string& url, FetchCallback on_result, const FeedAccess* access) {
  base::HttpCall call;
  call.url = url;
  call.timeout = options_.timeout;
  call.body_bytes_max = options_.body_bytes_max;
  AddAccess(access, &call);
  call.headers.emplace_back("Accept", kAcceptPage);
  client_.Start(std::move(call), [this, on_result = std::move(on_result)](base::HttpReply reply) {
    on_result(Classify(std::move(reply)));
  });
}

}  // namespace racewatch::ingest
