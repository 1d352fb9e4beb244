#include "ingest/ingest_role.h"

#include <atomic>
#include <fstream>
#include <mutex>
#include <thread>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/bus/topics.h"
#include "base/config.h"
#include "base/http_server.h"
#include "ingest/backfill_door.h"
#include "ingest/entry_filter.h"
#include "ingest/feed_access.h"
#include "ingest/feed_list.h"
#include "ingest/ingest_loop.h"
#include "ingest/ingest_metrics.h"
#include "ingest/page/link_selector.h"
#include "ingest/publisher_registry.h"
#include "ingest/url.h"
#include "racewatch/v1/config.pb.h"

#ifndef RACEWATCH_VERSION
#define RACEWATCH_VERSION "dev"
#endif

namespace racewatch::ingest {
namespace {

using std::chrono::milliseconds;

bool IsGroup(const std::string& group) {
  return group.empty() || group == "us" || group == "china" || group == "europe" || group == "other";
}

void ValidateFeed(const v1::FeedConfig& feed, const std::string& field, base::Problems* problems) {
  const bool file = FilePath(feed.url()).has_value();
  if (!file && UrlHost(feed.url()).empty())
    problems->Add(field + ".url", "'" + feed.url() + "' is not an http(s) or file address");
  if (!IsGroup(feed.publisher_group()))
    problems->Add(field + ".publisher_group", "'" + feed.publisher_group() + "' is not us, china, europe or other");
  if (!feed.link_selector().empty()) {
    const auto selector = LinkSelector::Parse(feed.link_selector());
    if (!selector.ok()) problems->Add(field + ".link_selector", selector.status().message());
  }
  if (const auto status = CheckFeedAccess(feed.access()); !status.ok()) problems->Add(field + ".access", status.message());
  if (const auto filter = EntryFilter::Compile(feed.include(), feed.exclude()); !filter.ok()) {
    const std::string& message = filter.status().message();
    problems->Add(field + "." + message.substr(0, message.find(": ")), message.substr(message.find(": ") + 2));
  }
  if (feed.interval_s() > 0 && feed.interval_s() < 600 && !file && !base::IsLoopbackUrl(feed.url()))
    problems->Add(field + ".interval_s", "below 600 s is for file: and loopback feeds only");
}

IngestLoop::Options ToOptions(const v1::IngestConfig& config) {
  IngestLoop::Options options;
  options.limits.min_s = config.interval_s_min();
  options.limits.max_s = config.interval_s_max();
  // Loopback servers are our own: spaced only when the operator says so.
  options.loopback_spacing_ms = config.host_spacing_ms();
  const int64_t spacing = config.connect_to().empty() ? 1000 : 0;
  options.host_spacing_ms = config.host_spacing_ms() > 0 ? config.host_spacing_ms() : spacing;
  options.requests_in_flight_max = config.requests_in_flight_max();
  options.body_bytes_max = config.body_bytes_max();
  options.request_timeout = std::chrono::seconds(config.request_timeout_s());
  options.summary_chars_max = config.summary_chars_max();
  options.untitled_days_max = config.sitemap_days_max();
  options.child_feeds_max = config.child_feeds_max();
  options.pages.article_pages_max = static_cast<int>(config.article_pages_max());
  options.pages.resolve_aggregators = config.resolve_aggregators();
  options.http.user_agent = config.user_agent();
  options.http.allow_private_addresses = config.allow_private_addresses();
  options.http.connect_to = config.connect_to();
  options.http.ca_file = config.ca_file();
  options.websub_callback = config.websub_callback();
  options.websub_lease_s = config.websub_lease_s();
  options.share_feeds = config.share_feeds();
  options.fetch_pages = config.fetch_pages();
  return options;
}

}  // namespace

v1::IngestConfig WithDefaults(v1::IngestConfig config) {
  if (config.http().listen().empty()) config.mutable_http()->set_listen("127.0.0.1:8471");
  if (config.interval_s_min() == 0) config.set_interval_s_min(600);
  if (config.interval_s_max() == 0) config.set_interval_s_max(86'400);
  if (config.requests_in_flight_max() == 0) config.set_requests_in_flight_max(64);
  if (config.body_bytes_max() == 0) config.set_body_bytes_max(16u << 20);
  if (config.request_timeout_s() == 0) config.set_request_timeout_s(30);
  if (!config.has_fetch_pages()) config.set_fetch_pages(true);
  if (config.summary_chars_max() == 0) config.set_summary_chars_max(600);
  if (config.user_agent().empty())
    config.set_user_agent("racewatch/" RACEWATCH_VERSION + (config.contact().empty() ? "" : " (+" + config.contact() + ")"));
  if (config.seen_days() == 0) config.set_seen_days(90);
  if (config.websub_lease_s() == 0) config.set_websub_lease_s(864'000);
  if (config.article_pages_max() == 0) config.set_article_pages_max(8);
  if (!config.has_resolve_aggregators()) config.set_resolve_aggregators(true);
  if (config.child_feeds_max() == 0) config.set_child_feeds_max(50);
  if (config.sitemap_days_max() == 0) config.set_sitemap_days_max(3);
  if (config.backfill_per_s_max() == 0) config.set_backfill_per_s_max(2000);
  return config;
}

void ValidateIngestConfig(const v1::IngestConfig& given, base::Problems* problems) {
  const v1::IngestConfig config = WithDefaults(given);
  for (int i = 0; i < config.feeds_size(); ++i)
    ValidateFeed(config.feeds(i), "feeds[" + std::to_string(i) + "]", problems);
  if (config.feeds_size() == 0 && config.opml_size() == 0) problems->Add("feeds", "no feed and no opml file is given");
  base::CheckRange("interval_s_min", config.interval_s_min(), 1, 86'400, problems);
  base::CheckRange("interval_s_max", config.interval_s_max(), config.interval_s_min(), 2'592'000, problems);
  base::CheckRange("host_spacing_ms", config.host_spacing_ms(), 0, 3'600'000, problems);
  base::CheckRange("requests_in_flight_max", config.requests_in_flight_max(), 1, 10'000, problems);
  base::CheckRange("body_bytes_max", static_cast<double>(config.body_bytes_max()), 1024, 1u << 30, problems);
  base::CheckRange("request_timeout_s", config.request_timeout_s(), 1, 600, problems);
  base::CheckRange("seen_days", config.seen_days(), 1, 3650, problems);
  base::CheckRange("websub_lease_s", config.websub_lease_s(), 3600, 31'536'000, problems);
  const std::string& callback = config.websub_callback();
  if (!callback.empty() && (UrlHost(callback).empty() || callback.ends_with('/') || callback.find_first_of("?#") != std::string::npos))
    problems->Add("websub_callback", "'" + callback + "' is not an http(s) address without query and final slash");
  if (!config.ca_file().empty() && !std::ifstream(config.ca_file())) problems->Add("ca_file", "'" + config.ca_file() + "' cannot be read");
  base::CheckRange("article_pages_max", config.article_pages_max(), 1, 100, problems);
  base::CheckRange("child_feeds_max", config.child_feeds_max(), 1, 10'000, problems);
  base::CheckRange("sitemap_days_max", config.sitemap_days_max(), 1, 3650, problems);
  base::CheckRange("backfill_per_s_max", config.backfill_per_s_max(), 1, 1'000'000, problems);
  const std::string& to = config.connect_to();
  if (!to.empty() && (to.find(':') == std::string::npos || to.find_first_of("/ ") != std::string::npos))
    problems->Add("connect_to", "'" + to + "' is not host:port");
  if (config.user_agent().find_first_of("\r\n") != std::string::npos) problems->Add("user_agent", "holds a line break");
}

struct IngestRole::Impl {
  Impl(const v1::IngestConfig& c, base::Sink& s, base::Clock& k, prometheus::Registry& registry, base::Log& l, std::string dir)
      : config(WithDefaults(c)), sink(s), clock(k), log(l), state_dir(std::move(dir)), metrics(registry),
        backfill(sink, metrics, config.backfill_per_s_max()) {}

  const v1::IngestConfig config;
  base::Sink& sink;
  base::Clock& clock;
  base::Log& log;
  const std::string state_dir;
  IngestMetrics metrics;
  BackfillDoor backfill;
  PublisherRegistry publishers;
  std::function<void(base::Status)> on_fatal;
  MakeSource make_source;
  std::unique_ptr<base::Source> membership, rows;  // outlive the loop
  mutable std::mutex mutex;          // guards `loop` against the HTTP threads
  std::unique_ptr<IngestLoop> loop;  // from Start on
  std::atomic<int64_t> drain_ms{30'000};
  base::Status result;
  std::jthread thread;  // last: joined first

  base::HttpResponse FeedsPage(const base::HttpRequest& request) const;
  base::HttpResponse ChangeFeeds(const base::HttpRequest& request);
  base::HttpResponse ImportFeeds(const base::HttpRequest& request);
  IngestLoop* Running();
  base::HttpResponse WebSub(const base::HttpRequest& request);
  base::Status OpenSources();
  base::HttpResponse TakeDown(const base::HttpRequest& request) const;
};

namespace {

base::HttpResponse JsonReply(int status, std::string body) {
  base::HttpResponse response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

base::HttpResponse NotStarted() { return JsonReply(503, R"({"error":"ingest is not started"})"); }

std::string Dump(const nlohmann::json& json) { return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace); }

// Empty when the feed may be listed at run time.
std::string WhyRefused(const v1::ListedFeed& feed) {
  if (feed.url().size() > kFeedUrlBytesMax) return "feed.url: longer than " + std::to_string(kFeedUrlBytesMax) + " bytes";
  v1::FeedConfig as_config;
  as_config.set_url(feed.url());
  as_config.set_publisher_group(feed.publisher_group());
  as_config.set_interval_s(feed.interval_s());
  base::Problems problems;
  ValidateFeed(as_config, "feed", &problems);
  return problems.empty() ? std::string() : problems.lines().front();
}

}  // namespace

// From Start on it stays; null before.
IngestLoop* IngestRole::Impl::Running() {
  const std::lock_guard lock(mutex);
  return loop.get();
}

// POST: {"url", …} adds a feed. DELETE ?id=…: takes it out.
base::HttpResponse IngestRole::Impl::ChangeFeeds(const base::HttpRequest& request) {
  const auto bad = [](const std::string& why) { return JsonReply(400, Dump({{"error", why}})); };
  v1::ListedFeed change;
  if (request.method == "DELETE") {
    change.set_url(request.Query("id"));
    change.set_removed(true);
    if (change.url().empty()) return bad("id: is missing");
  } else {
    auto parsed = ParseListedFeed(request.body);
    if (!parsed.ok()) return bad(parsed.status().message());
    change = std::move(*parsed);
    if (const std::string why = WhyRefused(change); !why.empty()) return bad(why);
  }
  IngestLoop* running = Running();
  if (running == nullptr) return NotStarted();
  const FeedReply reply = running->requests().Ask({{std::move(change)}, false});
  return JsonReply(reply.http_status, reply.body);
}

// POST of an OPML document: {"added","present","refused":[{"url","error"}]}.
base::HttpResponse IngestRole::Impl::ImportFeeds(const base::HttpRequest& request) {
  const auto feeds = ParseOpml(request.body);
  if (!feeds.ok()) return JsonReply(400, Dump({{"error", "not OPML: " + feeds.status().message()}}));
  FeedChange change;
  change.import = true;
  nlohmann::json refused = nlohmann::json::array();
  for (const FeedSpec& feed : *feeds) {
    v1::ListedFeed listed;
    listed.set_url(feed.url);
    listed.set_title(feed.title);
    listed.set_folder(feed.folder);
    listed.set_language(feed.language);
    if (IsGroup(feed.group)) listed.set_publisher_group(feed.group);  // of another reader's making
    if (const std::string why = WhyRefused(listed); !why.empty())
      refused.push_back({{"url", feed.url.substr(0, 200)}, {"error", why.substr(0, 400)}});
    else
      change.feeds.push_back(std::move(listed));
  }
  IngestLoop* running = Running();
  if (running == nullptr) return NotStarted();
  const FeedReply reply = running->requests().Ask(std::move(change));
  if (reply.http_status != 200) return JsonReply(reply.http_status, reply.body);
  nlohmann::json answer = nlohmann::json::parse(reply.body);
  answer["refused"] = std::move(refused);
  return JsonReply(200, Dump(answer));
}

base::HttpResponse IngestRole::Impl::WebSub(const base::HttpRequest& request) {
  IngestLoop* running = Running();
  if (running == nullptr || request.captures.empty()) return NotStarted();
  std::string_view outcome = "not_ours";
  base::HttpResponse response = running->hubs().Handle(request.captures.front(), request, &outcome);
  metrics.WebSub(outcome);
  running->Wake();
  return response;
}

base::Status IngestRole::Impl::OpenSources() {
  SharedFeeds* shared = loop->shared();
  if (shared == nullptr) return {};
  if (!make_source) return base::InvalidArgument("share_feeds: needs Kafka");
  base::SourceOptions options;
  options.topics = {std::string(base::kFeedsTopic)};
  options.listener = &shared->share().RowsListener();
  RW_ASSIGN_OR_RETURN(rows, make_source(options));
  options.group = "ingest";
  options.listener = &shared->share();
  RW_ASSIGN_OR_RETURN(membership, make_source(options));
  shared->share().SetSources(*membership, *rows);
  return {};
}

base::HttpResponse IngestRole::Impl::TakeDown(const base::HttpRequest& request) const {
  const std::lock_guard lock(mutex);
  base::HttpResponse response;
  const auto known = loop ? loop->TakeDown(request.Query("url")) : base::Result<bool>(base::Unavailable("ingest is not started"));
  if (known.ok()) {
    response.body = *known ? R"({"known":true})" : R"({"known":false})";
    log.Info("taken_down", {{"url", request.Query("url")}, {"known", *known}});
    return response;
  }
  response.status = known.status().code() == base::Code::kInvalidArgument ? 400 : 503;
  response.body = R"({"message":"the address is none, or the state cannot be written"})";
  return response;
}

base::HttpResponse IngestRole::Impl::FeedsPage(const base::HttpRequest& request) const {
  const std::lock_guard lock(mutex);
  base::HttpResponse response;
  if (!loop) return NotStarted();
  const std::string id = request.Query("id");
  response.body = id.empty() ? loop->feeds().Json() : loop->feeds().Json(id);
  if (response.body.empty()) {
    response.status = 404;
    response.body = R"({"error":"no such feed"})";
  }
  return response;
}

IngestRole::IngestRole(const v1::IngestConfig& config, base::Sink& sink, base::Clock& clock, prometheus::Registry& registry,
                       base::Log& log, base::HttpServer& http, std::string state_dir)
    : impl_(std::make_unique<Impl>(config, sink, clock, registry, log, std::move(state_dir))) {
  http.Handle("POST", "/api/v1/backfill", [impl = impl_.get()](const base::HttpRequest& request) { return impl->backfill.Handle(request); });
  http.Handle("POST", "/api/v1/takedown/seen", [impl = impl_.get()](const base::HttpRequest& request) { return impl->TakeDown(request); });
  http.Handle("GET", "/api/v1/feeds", [impl = impl_.get()](const base::HttpRequest& request) { return impl->FeedsPage(request); });
  for (const char* method : {"POST", "DELETE"})
    http.Handle(method, "/api/v1/feeds", [impl = impl_.get()](const base::HttpRequest& request) { return impl->ChangeFeeds(request); });
  http.Handle("POST", "/api/v1/feeds/import", [impl = impl_.get()](const base::HttpRequest& request) { return impl->ImportFeeds(request); });
  for (const char* method : {"GET", "POST"})
    http.Handle(method, "/websub/([0-9a-f]+)", [impl = impl_.get()](const base::HttpRequest& request) { return impl->WebSub(request); });
}

IngestRole::~IngestRole() { (void)Stop(milliseconds(1000)); }

void IngestRole::ShareThrough(MakeSource make_source) { impl_->make_source = std::move(make_source); }

void IngestRole::OnFatal(std::function<void(base::Status)> on_fatal) { impl_->on_fatal = std::move(on_fatal); }

base::Status IngestRole::Start() {
  if (!impl_->config.publishers_file().empty())
    RW_RETURN_IF_ERROR(impl_->publishers.LoadOverride(impl_->config.publishers_file()));
  RW_ASSIGN_OR_RETURN(std::vector<FeedSpec> feeds, ReadFeedList(impl_->config));
  if (!impl_->config.fetch_pages())
    for (FeedSpec& feed : feeds) feed.fetch_pages = false;
  RW_ASSIGN_OR_RETURN(std::unique_ptr<SeenSet> seen,
                      SeenSet::Open(impl_->state_dir + "/ingest", static_cast<int32_t>(impl_->config.seen_days())));
  const size_t count = feeds.size();
  auto loop = std::make_unique<IngestLoop>(ToOptions(impl_->config), std::move(feeds), std::move(seen), impl_->publishers,
                                           impl_->sink, impl_->clock, impl_->metrics, impl_->log);
  RW_RETURN_IF_ERROR(loop->Load());
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->loop = std::move(loop);
  }
  RW_RETURN_IF_ERROR(impl_->OpenSources());
  impl_->log.Info("ingest_started", {{"feeds", static_cast<uint64_t>(count)}, {"publishers", static_cast<uint64_t>(impl_->publishers.size())}});
  impl_->thread = std::jthread([impl = impl_.get()](std::stop_token stop) {
    impl->result = impl->loop->Run(stop, [impl] { return milliseconds(impl->drain_ms.load()); });
    if (!impl->result.ok()) {
      impl->log.Error("ingest_failed", {{"error", impl->result.ToString()}});
      if (impl->on_fatal) impl->on_fatal(impl->result);
    }
  });
  return {};
}

base::Status IngestRole::Stop(milliseconds timeout) {
  if (!impl_->thread.joinable()) return {};
  impl_->drain_ms = timeout.count();
  impl_->thread.request_stop();
  impl_->loop->Wake();
  impl_->thread.join();
  const IngestCounts counts = impl_->loop->counts();
  impl_->log.Info("ingest_stopped", {{"entries", counts.entries}, {"sent", counts.sent}, {"revisions", counts.revisions},
                                     {"dead_lettered", counts.dead_lettered}});
  return impl_->result;
}

bool IngestRole::Idle() const { return !impl_->loop || impl_->loop->Idle(); }

base::UnixMs IngestRole::next_due_ms() const { return impl_->loop ? impl_->loop->next_due_ms() : Schedule::kNever; }

void IngestRole::Wake() {
  if (impl_->loop) impl_->loop->Wake();
}

IngestCounts IngestRole::counts() const { return impl_->loop ? impl_->loop->counts() : IngestCounts(); }

}  // namespace racewatch::ingest
