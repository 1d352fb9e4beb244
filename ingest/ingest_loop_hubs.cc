// The loop's side of WebSub (websub.h): subscribes to the hubs that feeds name, takes what they send, and polls once a day
// to see that nothing was missed.
#include <algorithm>

#include "ingest/feed/links.h"
#include "ingest/feed_volume.h"
#include "ingest/ingest_loop.h"
#include "ingest/url.h"

namespace racewatch::ingest {
namespace {

constexpr int64_t kDayMs = 86'400'000;
constexpr size_t kPushesHeldMax = 16;  // of one feed; the daily poll finds what is dropped

// The hub and the topic that the answer's Link headers name, else those of the document.
void FindHub(const FetchResult& result, const Feed& document, std::string* hub, std::string* topic) {
  for (const auto& [name, value] : result.reply.headers) {
    if (name != "link") continue;
    for (const WebLink& link : ParseLinkHeader(value)) {
      if (link.relation == "hub" && hub->empty()) *hub = feed::ResolveUrl(result.reply.url, link.target);
      if (link.relation == "self" && topic->empty()) *topic = feed::ResolveUrl(result.reply.url, link.target);
    }
  }
  if (hub->empty() && !document.hubs.empty()) *hub = document.hubs.front();
  if (topic->empty()) *topic = document.self_link.empty() ? result.reply.url : document.self_link;
  if (UrlHost(*hub).empty() || UrlHost(*topic).empty()) hub->clear();
}

}  // namespace

void IngestLoop::NoteHub(uint64_t number, const FetchResult& result, const Feed& document) {
  if (options_.websub_callback.empty() || feeds_.Get(number).spec.is_file()) return;
  std::string hub, topic;
  FindHub(result, document, &hub, &topic);
  if (hub.empty()) topic.clear();
  const std::string token = feeds_.Get(number).state.hub().token();
  feeds_.Change(number, [&](FeedRow* feed) {
    if (!hub.empty() || feed->state.has_hub()) ingest::NoteHub(hub, topic, feed->state.mutable_hub());
  });
  if (!token.empty() && feeds_.Get(number).state.hub().token().empty()) hubs_.Forget(token);
  ScheduleHub(number);
}

void IngestLoop::ScheduleHub(uint64_t number) {
  const v1::HubState& hub = feeds_.Get(number).state.hub();
  const auto due = NextHubRequest(hub, options_.websub_callback);
  if (!due || feeds_.Get(number).removed || !hub_queued_.insert(number).second) return;
  schedule_.Add(number | kHubBit, UrlHost(hub.url()), *due);
}

void IngestLoop::AskHub(uint64_t number) {
  hub_queued_.erase(number);
  const base::UnixMs now = clock_.NowMs();
  const FeedRow& feed = feeds_.Get(number);
  const auto due = NextHubRequest(feed.state.hub(), options_.websub_callback);
  if (stopping_ || !due || !feed.owned || feed.removed) return;
  if (*due > now) {
    ScheduleHub(number);
    return;
  }
  const std::string before = feed.state.hub().token();
  feeds_.Change(number, [&](FeedRow* f) { PrepareHubRequest(options_.websub_callback, now, f->state.mutable_hub()); });
  if (before != feed.state.hub().token()) hubs_.Forget(before);
  hubs_.Expect(number, feed.state.hub());
  CommitState(number);  // the token must be known before the hub calls, also after a crash
  metrics_.WebSub("requested");
  base::HttpCall call = HubRequest(feed.state.hub(), true, options_.websub_lease_s);
  call.timeout = options_.request_timeout;
  hub_queued_.insert(number);
  client_.Start(std::move(call), [this, number](const base::HttpReply& reply) {
    hub_queued_.erase(number);
    if (stopping_) return;
    if (!reply.status.ok() || reply.http_status / 100 != 2) {
      metrics_.WebSub("request_failed");
      const std::string why = reply.status.ok() ? "HTTP " + std::to_string(reply.http_status) : reply.status.message();
      log_.RateLimited(base::LogLevel::kWarn, "hub_refused", {{"feed", feeds_.Get(number).spec.id}, {"error", why}});
      feeds_.Change(number, [this](FeedRow* f) { ApplyHubFailure(clock_.NowMs(), f->state.mutable_hub()); });
      CommitState(number);
    }
    ScheduleHub(number);
  });
}

void IngestLoop::OnHubEvents() {
  const base::UnixMs now = clock_.NowMs();
  for (HubDesk::Event& event : hubs_.Take()) {
    const FeedRow& feed = feeds_.Get(event.feed);
    if (feed.removed || !feed.owned || stopping_) continue;
    if (event.kind == HubDesk::Event::Kind::kDocument) {
      auto& waiting = pushes_[event.feed];
      if (waiting.size() < kPushesHeldMax) waiting.push_back(std::move(event));
      StartPush(event.feed);
      continue;
    }
    const bool verified = event.kind == HubDesk::Event::Kind::kVerified;
    const int64_t lease_s = event.lease_s > 0 ? event.lease_s : options_.websub_lease_s;
    feeds_.Change(event.feed, [&](FeedRow* f) {
      verified ? ApplyHubVerified(lease_s, now, f->state.mutable_hub()) : ApplyHubDenied(now, f->state.mutable_hub());
    });
    CommitState(event.feed);
    ScheduleHub(event.feed);
  }
}

// One document of a feed at a time: fetches and pushes take turns.
void IngestLoop::StartPush(uint64_t number) {
  const auto it = pushes_.find(number);
  if (it == pushes_.end() || fetching_.contains(number) || answers_.contains(number)) return;
  HubDesk::Event event = std::move(it->second.front());
  it->second.pop_front();
  if (it->second.empty()) pushes_.erase(it);
  FetchResult result;
  result.kind = FetchKind::kDocument;
  result.pushed = true;
  result.reply.url = feeds_.Get(number).state.hub().topic();
  result.reply.headers.emplace_back("content-type", event.content_type);
  result.reply.body = std::move(event.body);
  OnDocument(number, std::move(result));
}

void IngestLoop::OnPushDone(uint64_t number, const DocumentYield& yield, SeenUpdate update) {
  const base::UnixMs now = clock_.NowMs();
  feeds_.Change(number, [&](FeedRow* feed) { ApplyPush(yield, feed->limits, now, &feed->state); });
  update.feed = &feeds_.Get(number).state;
  Commit(number, update);
  StartPush(number);
}

// The daily poll is the test of the hub.
void IngestLoop::JudgeHub(uint64_t number, const FetchYield& yield) {
  if (!HubIsLive(feeds_.Get(number).state.hub(), clock_.NowMs())) return;
  const auto oldest = std::min_element(yield.new_times.begin(), yield.new_times.end());
  const base::UnixMs oldest_ms = oldest == yield.new_times.end() ? 0 : *oldest;
  bool missed = false;
  feeds_.Change(number, [&](FeedRow* feed) {
    missed = HubMissed(yield.new_entries, oldest_ms, clock_.NowMs(), feed->state.mutable_hub());
  });
  if (!missed) return;
  metrics_.WebSub("demoted");
  log_.Warn("hub_demoted", {{"feed", feeds_.Get(number).spec.id}, {"hub", feeds_.Get(number).state.hub().url()},
                            {"missed", static_cast<uint64_t>(yield.new_entries)}});
  ScheduleHub(number);
}

// With a live hub the feed is polled once a day, or when the lease ends.
base::UnixMs IngestLoop::NextPoll(base::UnixMs next_ms, FeedRow* feed) {
  const v1::HubState& hub = feed->state.hub();
  const base::UnixMs now = clock_.NowMs();
  const base::UnixMs daily_ms = std::min(now + kDayMs, hub.lease_until_ms());
  if (!HubIsLive(hub, now) || feed->limits.fixed_s > 0 || daily_ms <= next_ms) return next_ms;
  feed->state.set_interval_reason("websub");
  return daily_ms;
}

}  // namespace racewatch::ingest
