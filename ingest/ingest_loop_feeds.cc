// Feeds that come and go while the loop runs: added and removed by request, taken over from and left to the other
// processes of a shared list.
#include <algorithm>

#include "ingest/ingest_loop.h"
#include "ingest/url.h"

namespace racewatch::ingest {
namespace {

FeedSpec ToSpec(const v1::ListedFeed& listed, bool fetch_pages) {
  FeedSpec spec;
  spec.id = spec.url = listed.url();
  spec.title = listed.title();
  spec.folder = listed.folder();
  spec.group = listed.publisher_group();
  spec.language = listed.language();
  spec.interval_s = listed.interval_s();
  spec.fetch_pages = fetch_pages && !spec.is_file();
  return spec;
}

}  // namespace

FeedReply IngestLoop::ChangeList(const FeedChange& change) {
  if (shared_ && shared_->PartitionOf(0) < 0) return {503, R"({"error":"the shared feed list is not reached yet"})"};
  if (change.import) return ImportFeeds(change.feeds);
  const v1::ListedFeed& feed = change.feeds.front();
  const bool listed = IsListed(feed.url());
  if (feed.removed() && !listed) return {404, R"({"error":"no such feed"})"};
  if (!feed.removed() && listed) return {409, R"({"error":"the feed is in the list already"})"};
  const std::string shown = feed.removed() ? feeds_.Json(feed.url()) : std::string();
  List(feed);
  if (fatal_.ok()) fatal_ = seen_->Sync();  // durable before it is answered
  if (!fatal_.ok()) return {500, R"({"error":"the state folder cannot be written"})"};
  log_.Info(feed.removed() ? "feed_removed" : "feed_added", {{"feed", feed.url()}});
  return {200, feed.removed() ? shown : feeds_.Json(feed.url())};
}

FeedReply IngestLoop::ImportFeeds(const std::vector<v1::ListedFeed>& feeds) {
  size_t added = 0;
  for (const v1::ListedFeed& feed : feeds) {
    if (IsListed(feed.url())) continue;
    List(feed);
    ++added;
  }
  if (fatal_.ok()) fatal_ = seen_->Sync();  // once for all of them
  if (!fatal_.ok()) return {500, R"({"error":"the state folder cannot be written"})"};
  const size_t present = feeds.size() - added;
  log_.Info("feeds_imported", {{"added", static_cast<uint64_t>(added)}, {"present", static_cast<uint64_t>(present)}});
  return {200, "{\"added\":" + std::to_string(added) + ",\"present\":" + std::to_string(present) + "}"};
}

bool IngestLoop::IsListed(const std::string& url) const {
  const auto number = feeds_.Find(url);
  return number && !feeds_.Get(*number).removed;
}

void IngestLoop::List(v1::ListedFeed change) {
  const auto number = feeds_.Find(change.url());
  // Of two changes the later wins everywhere, also of two in one millisecond.
  change.set_changed_ms(std::max(clock_.NowMs(), number ? feeds_.Get(*number).listed_ms + 1 : 0));
  ApplyListed(change);
  SeenUpdate update;
  update.listed = &change;
  Commit(*feeds_.Find(change.url()), update);
}

// What was asked for here, in an earlier life, or of another process.
void IngestLoop::ApplyListed(const v1::ListedFeed& listed) {
  const auto number = feeds_.Find(listed.url());
  if (number) {
    SetRemoved(*number, listed.removed());
    feeds_.Change(*number, [&listed](FeedRow* feed) { feed->listed_ms = listed.changed_ms(); });
    return;
  }
  if (listed.removed()) return;
  AddFeed(ToSpec(listed, options_.fetch_pages));
  feeds_.Change(*feeds_.Find(listed.url()), [&listed](FeedRow* feed) { feed->listed_ms = listed.changed_ms(); });
  if (shared_) OnAssignment();
}

void IngestLoop::SetRemoved(uint64_t number, bool removed) {
  if (feeds_.Get(number).removed == removed) return;
  feeds_.Change(number, [removed](FeedRow* feed) { feed->removed = removed; });
  if (removed) {
    hubs_.Forget(feeds_.Get(number).state.hub().token());
    DropChildren(number, [](const FeedRow&) { return true; });
  } else if (feeds_.Get(number).owned && !fetching_.contains(number)) {
    Enqueue(number, feeds_.Get(number).state.next_fetch_ms());
  }
}

// Ours, or about to be handed over: what is on its way may be written.
bool IngestLoop::MayWrite(uint64_t number) const {
  return !shared_ || shared_->MayWrite(shared_->PartitionOf(feeds_.Get(number).share_key));
}

// A claim without a fetch after it: whoever made it may have asked the server just before it died, as late as a claim holds.
base::UnixMs IngestLoop::DueTime(const FeedRow& feed) const {
  const v1::FeedState& state = feed.state;
  if (state.claimed_ms() <= state.last_fetch_ms()) return state.next_fetch_ms();
  const auto interval_s = static_cast<double>(feed.limits.fixed_s > 0 ? feed.limits.fixed_s : feed.limits.min_s);
  const double wait_s = feed.limits.fixed_s > 0 ? interval_s : std::max(interval_s, state.interval_s());
  return std::max(state.next_fetch_ms(), state.claimed_ms() + kClaimMs + static_cast<int64_t>(1000 * wait_s));
}

void IngestLoop::OnAssignment() {
  if (stopping_) return;
  for (uint64_t number = 0; number < feeds_.size(); ++number) {
    const FeedRow& feed = feeds_.Get(number);
    const int32_t partition = shared_->PartitionOf(feed.share_key);
    const bool owned = shared_->Owns(partition);
    if (feed.owned == owned) continue;
    feeds_.Change(number, [owned](FeedRow* f) { f->owned = owned; });
    if (!owned) {
      if (!shared_->MayWrite(partition)) hubs_.Forget(feed.state.hub().token());
      continue;
    }
    if (feed.state.interval_reason() == "retry_after") gate_.Hold(feed.host, feed.state.next_fetch_ms());
    if (!feed.removed && !fetching_.contains(number)) Enqueue(number, DueTime(feed));
    hubs_.Expect(number, feed.state.hub());
    ScheduleHub(number);
  }
}

// Another process has learned something about a feed. Of what is ours we know more, unless it was theirs a moment ago.
void IngestLoop::OnForeignState(const v1::FeedState& state) {
  const auto number = feeds_.Find(state.feed_id());
  if (!number) {
    stored_[state.feed_id()] = state;  // of a feed that is added later
    return;
  }
  if (fetching_.contains(*number) || feeds_.Get(*number).state.version() >= state.version()) return;
  feeds_.Change(*number, [&state](FeedRow* feed) {
    feed->state = state;
    if (!state.moved_to().empty()) feed->host = UrlHost(state.moved_to());
  });
}

bool IngestLoop::InUse(int32_t partition) const {
  const auto lies_there = [&](uint64_t number) { return shared_->PartitionOf(feeds_.Get(number).share_key) == partition; };
  return std::any_of(fetching_.begin(), fetching_.end(), lies_there) ||
         std::any_of(answers_.begin(), answers_.end(), [&](const auto& answer) { return lies_there(answer.first); });
}

}  // namespace racewatch::ingest
