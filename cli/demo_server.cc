#include "cli/demo_server.h"

#include <httplib.h>

#include <algorithm>
#include <optional>
#include <thread>

#include "base/http_server.h"
#include "cli/demo_render.h"
#include "cli/demo_week.h"
#include "racewatch/v1/config.pb.h"

namespace racewatch::cli {
namespace {

using base::Status;

// FNV-1a, 64 bit: enough to tell two versions of one document apart.
uint64_t Fnv1a(std::string_view bytes) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

// Validators in the three spellings met in the wild; a client must send them back byte by byte.
std::string MakeEtag(std::string_view body, std::string_view style) {
  char hex[17];
  std::snprintf(hex, sizeof hex, "%016llx", static_cast<unsigned long long>(Fnv1a(body)));
  if (style == "weak") return std::string("W/\"") + hex + "\"";
  if (style == "bare") return std::string(hex);
  return std::string("\"") + hex + "\"";
}

struct Target {
  std::string host, path;
};

// Which host and path a request means, in any of the three forms of the header comment.
Target TargetOf(const httplib::Request& request, const DemoWeek& week) {
  const auto known = [&](const std::string& host) {
    return std::any_of(week.feeds.begin(), week.feeds.end(), [&](const DemoFeed& f) { return f.host == host; });
  };
  const auto without_port = [](std::string host) { return host.substr(0, host.find(':')); };
  std::string path = request.path;
  const std::string host = without_port(request.get_header_value("Host"));
  if (path.starts_with("http://")) path = "/" + path.substr(7);
  else if (known(host)) return {host, path};
  const auto slash = path.find('/', 1);
  if (slash == std::string::npos) return {without_port(path.substr(1)), "/"};
  return {without_port(path.substr(1, slash - 1)), path.substr(slash)};
}

void ReplaceAll(std::string* text, std::string_view from, std::string_view to) {
  for (size_t at = 0; (at = text->find(from, at)) != std::string::npos; at += to.size()) text->replace(at, from.size(), to);
}

struct Document {
  int status = 200;
  std::string content_type, body;
  std::string etag, last_modified;  // empty: none
};

Document PlainError(int status, std::string text) { return {status, "text/plain; charset=utf-8", std::move(text) + "\n", "", ""}; }

Document FeedDocument(const DemoWeek& week, size_t index, int64_t ms) {
  const DemoFeed& feed = week.feeds[index];
  Document document;
  document.content_type = DemoFeedContentType(feed.format);
  document.body = RenderDemoFeed(week, index, ms);
  for (const DemoFault& fault : feed.faults) {
    if (ms < fault.from_ms || ms >= fault.to_ms) continue;
    if (fault.kind == DemoFault::Kind::kServerError) return PlainError(500, "internal server error");
    document.body.resize(document.body.size() * 2 / 3);
    return document;  // a broken document carries no validators
  }
  document.etag = MakeEtag(document.body, feed.etag_style);
  document.last_modified = FormatRfc822(week.start_ms + DemoFeedChangedMs(week, index, ms), 0);
  return document;
}

Document Answer(const DemoWeek& week, const Target& target, int64_t ms) {
  const auto feed = std::find_if(week.feeds.begin(), week.feeds.end(),
                                 [&](const DemoFeed& f) { return f.host == target.host; });
  if (feed == week.feeds.end()) return PlainError(404, "no such host in the demo week: " + target.host);
  const size_t index = static_cast<size_t>(feed - week.feeds.begin());
  if (target.path == feed->path) return FeedDocument(week, index, ms);
  if (target.path == "/robots.txt") return {200, "text/plain", "User-agent: *\nDisallow:\n", "", ""};
  if (target.path == "/") return {200, "text/html; charset=utf-8", RenderDemoFrontPage(week, index, ms), "", ""};
  const std::string link = "http://" + target.host + target.path;
  for (const DemoArticle& article : week.articles) {
    if (article.link != link || !article.At(ms)) continue;
    Document page = {200, "text/html; charset=utf-8", RenderDemoPage(week, article, ms), "", ""};
    page.last_modified = FormatRfc822(week.start_ms + article.At(ms)->at_ms, 0);
    return page;
  }
  return PlainError(404, "not found");
}

bool NotModified(const httplib::Request& request, const Document& document) {
  if (request.has_header("If-None-Match")) return !document.etag.empty() && request.get_header_value("If-None-Match") == document.etag;
  return !document.last_modified.empty() && request.get_header_value("If-Modified-Since") == document.last_modified;
}

void Send(const httplib::Request& request, Document document, httplib::Response& response) {
  if (!document.etag.empty()) response.set_header("ETag", document.etag);
  if (!document.last_modified.empty()) response.set_header("Last-Modified", document.last_modified);
  if (document.status == 200 && NotModified(request, document)) {
    response.status = 304;
    return;
  }
  response.status = document.status;
  response.set_content(std::move(document.body), document.content_type.c_str());
}

}  // namespace

struct DemoServer::Impl {
  Impl(const base::Clock& c, std::string d) : clock(c), dir(std::move(d)) {}

  const base::Clock& clock;
  const std::string dir;
  DemoWeek week;
  std::vector<int64_t> changes;  // milliseconds since the start, ascending
  int port = 0;
  httplib::Server server;
  std::thread thread;
};

DemoServer::DemoServer(const base::Clock& clock, std::string data_dir)
    : impl_(std::make_unique<Impl>(clock, std::move(data_dir))) {}

DemoServer::~DemoServer() { Stop(); }

Status DemoServer::Load() {
  if (!impl_->week.feeds.empty()) return Status::Ok();
  RW_ASSIGN_OR_RETURN(impl_->week, LoadDemoWeek(impl_->dir));
  std::vector<int64_t>& changes = impl_->changes;
  for (const DemoArticle& article : impl_->week.articles)
    for (const DemoVersion& version : article.versions) changes.push_back(version.at_ms);
  for (const DemoFeed& feed : impl_->week.feeds)
    for (const DemoFault& fault : feed.faults) changes.insert(changes.end(), {fault.from_ms, fault.to_ms});
  std::sort(changes.begin(), changes.end());
  return Status::Ok();
}

Status DemoServer::Start() {
  RW_RETURN_IF_ERROR(Load());
  Impl& impl = *impl_;
  impl.server.set_keep_alive_max_count(100'000);
  impl.server.set_tcp_nodelay(true);
  impl.server.set_pre_routing_handler([&impl](const httplib::Request& request, httplib::Response& response) {
    const int64_t ms = impl.clock.NowMs() - impl.week.start_ms;
    if (request.method != "GET" && request.method != "HEAD") Send(request, PlainError(405, "GET only"), response);
    else Send(request, Answer(impl.week, TargetOf(request, impl.week), ms), response);
    return httplib::Server::HandlerResponse::Handled;
  });
  impl.port = impl.server.bind_to_any_port("127.0.0.1");
  if (impl.port <= 0) return base::Unavailable("demo server: cannot bind a port on 127.0.0.1");
  impl.thread = std::thread([&impl] { impl.server.listen_after_bind(); });
  // A stop() before the accept loop runs would be lost.
  while (!impl.server.is_running()) std::this_thread::yield();
  return Status::Ok();
}

void DemoServer::Stop() {
  impl_->server.stop();
  if (impl_->thread.joinable()) impl_->thread.join();
}

void DemoServer::ServePagesOn(base::HttpServer& http) {
  http.Handle("GET", "/demo/([a-z.]+)(/.*)", [impl = impl_.get()](const base::HttpRequest& request) {
    const int64_t ms = impl->clock.NowMs() - impl->week.start_ms;
    Document document = Answer(impl->week, {request.captures[0], request.captures[1]}, ms);
    base::HttpResponse response;
    response.status = document.status;
    response.content_type = std::move(document.content_type);
    response.body = document.body;
    if (response.content_type.starts_with("text/html")) {  // links stay inside /demo
      ReplaceAll(&response.body, "<a href=\"http://", "<a href=\"/demo/");
      ReplaceAll(&response.body, "<a href=\"/\"", "<a href=\"/demo/" + request.captures[0] + "/\"");
    }
    return response;
  });
}

int DemoServer::port() const { return impl_->port; }
std::string DemoServer::address() const { return "127.0.0.1:" + std::to_string(impl_->port); }
base::UnixMs DemoServer::start_ms() const { return impl_->week.start_ms; }
base::UnixMs DemoServer::end_ms() const { return impl_->week.start_ms + impl_->week.length_ms; }

base::UnixMs DemoServer::NextChangeMs(base::UnixMs after) const {
  const auto next = std::upper_bound(impl_->changes.begin(), impl_->changes.end(), after - impl_->week.start_ms);
  return next == impl_->changes.end() ? end_ms() : impl_->week.start_ms + *next;
}

std::vector<v1::FeedConfig> DemoServer::Feeds() const {
  std::vector<v1::FeedConfig> feeds;
  for (const DemoFeed& feed : impl_->week.feeds) {
    v1::FeedConfig config;
    config.set_url("http://" + feed.host + feed.path);
    config.set_title(feed.title);
    config.set_publisher_group(feed.publisher_group);
    config.set_interval_s(600);
    feeds.push_back(std::move(config));
  }
  return feeds;
}

}  // namespace racewatch::cli
