#include "ingest/ingest_loop.h"

#include <sys/stat.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "ingest/feed_volume.h"
#include "ingest/page/page_extractor.h"
#include "ingest/url.h"

namespace racewatch::ingest {
namespace {

using std::chrono::milliseconds;

constexpr int64_t kFileIntervalS = 10;
constexpr size_t kDocumentsMax = 1024;

// Feeds served as a page: what a person would see in the browser instead.
bool LooksLikeHtml(std::string_view bytes) {
  std::string head(bytes.substr(0, 2048));
  for (char& c : head) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return head.find("<html") != std::string::npos || head.find("<!doctype html") != std::string::npos;
}

struct FileStamp {
  int64_t mtime_ns = 0;
  uint64_t bytes = 0;
  bool directory = false;
};

base::Result<FileStamp> StatFile(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return base::NotFound("file " + path + ": " + std::strerror(errno));
  return FileStamp{info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec, static_cast<uint64_t>(info.st_size),
                   S_ISDIR(info.st_mode)};
}

}  // namespace

IngestLoop::IngestLoop(Options options, std::vector<FeedSpec> feeds, std::unique_ptr<SeenSet> seen,
                       const PublisherRegistry& publishers, base::Sink& sink, const base::Clock& clock,
                       IngestMetrics& metrics, base::Log& log)
    : options_(std::move(options)),
      clock_(clock),
      metrics_(metrics),
      log_(log),
      seen_(std::move(seen)),
      specs_(std::move(feeds)),
      gate_(options_.host_spacing_ms, options_.loopback_spacing_ms),
      schedule_(gate_),
      client_(options_.http),
      fetcher_(client_, clock, {options_.request_timeout, options_.body_bytes_max}),
      pages_(options_.pages, fetcher_, schedule_, gate_, clock, metrics, log,
             [this](uint64_t number, const Page* page, const std::string& final_url) { OnPage(number, page, final_url); }),
      builder_(publishers, {options_.summary_chars_max, options_.untitled_days_max}),
      identity_(*seen_),
      outbox_(sink, metrics.stage(), log, [this] { client_.Wake(); }),
      intake_(builder_, identity_, *seen_, outbox_, clock,
              {[this](uint64_t page, const std::string& url, const FeedSpec& feed) { pages_.Want(page, url, feed); },
               [this](uint64_t feed, const DocumentYield& yield, SeenUpdate update) {
                 OnDocumentDone(feed, yield, std::move(update));
               },
               [this](const std::string& outcome, const std::string& reason) {
                 if (outcome == "dropped") metrics_.stage().Dropped(reason);
                 if (outcome == "sent" || outcome == "revision") metrics_.stage().Sent();
                 if (outcome == "revision") metrics_.Revision();
                 if (outcome == "dead_lettered") metrics_.DeadLettered();
               }}),
      requests_([this] { client_.Wake(); }) {
  if (!options_.share_feeds) return;
  shared_ = std::make_unique<SharedFeeds>(
      *seen_, sink, clock, metrics, log, [this] { client_.Wake(); },
      SharedFeeds::Hooks{[this](uint64_t feed) { OnClaimed(feed); }, [this] { OnAssignment(); },
                         [this](int32_t partition) { return InUse(partition); },
                         [this](const v1::FeedState& state) { OnForeignState(state); },
                         [this](const v1::ListedFeed& listed) { ApplyListed(listed); }});
}

IngestLoop::~IngestLoop() = default;

base::Status IngestLoop::Load() {
  RW_ASSIGN_OR_RETURN(std::vector<v1::FeedState> states, seen_->Feeds());
  for (v1::FeedState& state : states) stored_.emplace(state.feed_id(), std::move(state));
  for (FeedSpec& spec : specs_) AddFeed(std::move(spec));
  specs_.clear();
  RW_ASSIGN_OR_RETURN(const std::vector<v1::ListedFeed> listed, seen_->Listed());
  for (const v1::ListedFeed& feed : listed) ApplyListed(feed);
  return {};
}

void IngestLoop::AddFeed(FeedSpec spec) {
  FeedRow feed;
  if (const auto it = stored_.find(spec.id); it != stored_.end()) {
    feed.state = std::move(it->second);
    stored_.erase(it);
  }
  feed.state.set_feed_id(spec.id);
  feed.limits = options_.limits;
  const bool local = spec.is_file() || base::IsLoopbackUrl(spec.url);
  if (!local) feed.limits.min_s = std::max<int64_t>(feed.limits.min_s, 600);
  feed.limits.max_s = std::max(feed.limits.max_s, feed.limits.min_s);
  feed.limits.fixed_s = spec.interval_s;
  if (spec.is_file()) {
    if (feed.limits.fixed_s == 0) feed.limits.fixed_s = kFileIntervalS;
    feed.state.set_next_fetch_ms(0);  // read once per start
  } else {
    feed.host = UrlHost(feed.state.moved_to().empty() ? spec.url : feed.state.moved_to());
  }
  feed.share_key = SharedFeeds::KeyOf(spec);
  feed.owned = shared_ == nullptr;
  feed.spec = std::move(spec);
  // A time far ahead can only come from a clock that was wrong, or simulated.
  const base::UnixMs now = clock_.NowMs();
  if (feed.state.next_fetch_ms() > now + 31LL * 86'400'000) feed.state.set_next_fetch_ms(0);
  // What a host asked for before the restart holds for all its feeds.
  if (feed.state.interval_reason() == "retry_after" && feed.state.next_fetch_ms() > now) gate_.Hold(feed.host, feed.state.next_fetch_ms());
  const base::UnixMs due = feed.state.next_fetch_ms();
  const bool owned = feed.owned;
  const v1::HubState hub = feed.state.hub();
  const uint64_t number = feeds_.Add(std::move(feed));
  if (!owned) return;
  Enqueue(number, due);
  hubs_.Expect(number, hub);
  ScheduleHub(number);
}

base::Status IngestLoop::Run(std::stop_token stop, const std::function<milliseconds()>& drain) {
  if (shared_) RW_RETURN_IF_ERROR(shared_->Start());
  while (!stop.stop_requested() && fatal_.ok()) {
    if (base::Status status = Step(); !status.ok()) fatal_ = std::move(status);
  }
  stopping_ = true;
  if (fatal_.ok()) Drain(drain());
  requests_.Close();
  if (shared_) shared_->Stop();
  (void)seen_->Sync();
  PublishState(false);
  return fatal_;
}

base::Status IngestLoop::Step() {
  if (shared_) RW_RETURN_IF_ERROR(shared_->Step());
  if (!held_.empty() && shared_->MayFetch())
    for (const uint64_t number : std::exchange(held_, {})) Enqueue(number, clock_.NowMs());
  requests_.Serve([this](const FeedChange& change) { return ChangeList(change); });
  OnHubEvents();
  for (const Outbox::Finished& finished : outbox_.Poll()) RW_RETURN_IF_ERROR(intake_.OnFinished(finished));
  RW_RETURN_IF_ERROR(intake_.Advance());
  StartDue();
  Tick();
  const bool busy = client_.in_flight() > 0 || outbox_.in_flight() > 0 || intake_.CanAdvance() || !held_.empty() ||
                    (shared_ && shared_->busy());
  PublishState(busy);
  client_.Poll(WaitTime());
  return {};
}

// What is with the sink gets its report; what is not yet sent will be found again at the next start.
void IngestLoop::Drain(milliseconds timeout) {
  pages_.Stop();
  client_.CancelAll();
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (outbox_.in_flight() > 0 && std::chrono::steady_clock::now() < deadline) {
    for (const Outbox::Finished& finished : outbox_.Poll()) {
      if (base::Status status = intake_.OnFinished(finished); !status.ok()) fatal_ = std::move(status);
    }
    if (outbox_.in_flight() > 0) client_.Poll(milliseconds(5));
  }
  intake_.Abandon();
  // The marks of what was delivered are for the other processes too.
  while (shared_ && shared_->busy() && fatal_.ok() && std::chrono::steady_clock::now() < deadline) {
    fatal_ = shared_->Step();
    client_.Poll(milliseconds(5));
  }
}

bool IngestLoop::HasRoom() const {
  const size_t claims = shared_ ? shared_->claims() : 0;
  return client_.in_flight() + claims < options_.requests_in_flight_max && !outbox_.blocked() && !(shared_ && shared_->blocked());
}

void IngestLoop::StartDue() {
  while (fatal_.ok() && HasRoom()) {
    if (intake_.has_waiting() && outbox_.in_flight() > 0) return;  // the next reports make room
    const base::UnixMs now = clock_.NowMs();
    const auto work = schedule_.Pop(now);
    if (!work) return;
    if (*work & PageFetcher::kPageBit) {
      pages_.Start(*work & ~PageFetcher::kPageBit);
      continue;
    }
    if (*work & kHubBit) {
      AskHub(*work & ~kHubBit);
      continue;
    }
    queued_.erase(*work);
    if (intake_.documents() >= kDocumentsMax || intake_.has_waiting()) {
      Enqueue(*work, now + 1000);  // pages come first
    } else {
      StartFeed(*work);
    }
  }
}

milliseconds IngestLoop::WaitTime() const {
  constexpr milliseconds kLongest(1000);
  if (outbox_.blocked()) return milliseconds(5);
  if (intake_.CanAdvance()) return milliseconds(0);
  // A reply or a report makes room and wakes us.
  if (!held_.empty()) return milliseconds(50);
  if (!HasRoom() || (intake_.has_waiting() && outbox_.in_flight() > 0)) return kLongest;
  // A clock that does not run at real speed may jump at any moment.
  const milliseconds longest = clock_.RealDuration(1000) == milliseconds(1000) ? kLongest : milliseconds(2);
  if (schedule_.next_ms() == Schedule::kNever) return longest;
  const int64_t left = schedule_.next_ms() - clock_.NowMs();
  if (left <= 0) return milliseconds(0);
  return std::clamp(clock_.RealDuration(std::min<int64_t>(left, 86'400'000)), milliseconds(1), longest);
}

void IngestLoop::PublishState(bool busy) {
  const std::lock_guard lock(state_mutex_);
  busy_ = busy;
  next_due_ms_ = stopping_ ? Schedule::kNever : schedule_.next_ms();
  published_counts_ = intake_.counts();
}

bool IngestLoop::Idle() const {
  const std::lock_guard lock(state_mutex_);
  return !busy_ && next_due_ms_ > clock_.NowMs();
}

base::UnixMs IngestLoop::next_due_ms() const {
  const std::lock_guard lock(state_mutex_);
  return next_due_ms_;
}

IngestCounts IngestLoop::counts() const {
  const std::lock_guard lock(state_mutex_);
  return published_counts_;
}

void IngestLoop::Tick() {
  const auto now = std::chrono::steady_clock::now();
  if (now < next_tick_) return;
  next_tick_ = now + std::chrono::seconds(1);
  metrics_.stage().Heartbeat();
  metrics_.InFlight(intake_.counts().in_flight, outbox_.in_flight_bytes());
  const FeedTable::Counts counts = feeds_.Count(clock_.NowMs());
  metrics_.Feeds(counts.by_health);
  metrics_.FeedsOwned(counts.owned, counts.low_yield, counts.pushed);
  if (std::exchange(unsynced_, false))
    if (base::Status status = seen_->Sync(); !status.ok()) fatal_ = std::move(status);
}

void IngestLoop::StartFeed(uint64_t number) {
  const FeedRow& feed = feeds_.Get(number);
  if (feed.removed || !feed.owned || fetching_.contains(number)) return;  // whoever changed that puts it back
  const base::UnixMs now = clock_.NowMs();
  if (answers_.contains(number)) {  // its hub's document is on its way
    Enqueue(number, now + 1000);
    return;
  }
  if (!shared_) {
    fetching_.insert(number);
    Fetch(number);
    return;
  }
  if (DueTime(feed) > now) {
    Enqueue(number, DueTime(feed));
    return;
  }
  if (!shared_->MayFetch()) {
    held_.push_back(number);
    return;
  }
  fetching_.insert(number);
  feeds_.Change(number, [now](FeedRow* f) {
    f->state.set_claimed_ms(now);
    f->state.set_version(f->state.version() + 1);
  });
  shared_->Claim(number, shared_->PartitionOf(feed.share_key), feed.state);
}

// Everybody knows, unless the acknowledgement took so long that it says nothing any more.
void IngestLoop::OnClaimed(uint64_t number) {
  if (clock_.NowMs() - feeds_.Get(number).state.claimed_ms() <= kClaimMs) {
    Fetch(number);
    return;
  }
  fetching_.erase(number);
  if (MayWrite(number)) Enqueue(number, DueTime(feeds_.Get(number)));
}

void IngestLoop::Fetch(uint64_t number) {
  const FeedRow& feed = feeds_.Get(number);
  if (stopping_ || !MayWrite(number)) {
    fetching_.erase(number);
    return;
  }
  if (feed.spec.is_file()) {
    ReadFile(number);
    return;
  }
  const std::string& url = feed.state.moved_to().empty() ? feed.spec.url : feed.state.moved_to();
  const bool conditional = !WantsUnconditional(feed.state, clock_.NowMs());
  fetcher_.FetchFeed(url, feed.state, conditional,
                     [this, number](FetchResult result) { OnFeedResult(number, std::move(result)); }, feed.spec.access.get());
}

void IngestLoop::OnFeedResult(uint64_t number, FetchResult result) {
  if (stopping_) return;
  if (!MayWrite(number)) {  // somebody else fetches it by now
    fetching_.erase(number);
    return;
  }
  const base::UnixMs now = clock_.NowMs();
  // Hosts that a redirect led to have been asked too: the next request waits its distance.
  if (!result.reply.hops.empty() && UrlHost(result.reply.url) != feeds_.Get(number).host) gate_.Reserve(UrlHost(result.reply.url), now);
  if (result.kind == FetchKind::kDocument) {
    const uint64_t hash = XXH3_64bits(result.reply.body.data(), result.reply.body.size());
    const v1::FeedState& state = feeds_.Get(number).state;
    // The same bytes again: a 304 that the server did not think of. A probe reads them all the same.
    const bool probe = ProbeIsDue(state, now);
    if (probe || state.body_hash() == 0 || state.body_hash() != hash) {
      OnDocument(number, std::move(result));
      return;
    }
    metrics_.Fetch("unchanged");
  } else if (result.kind == FetchKind::kNotModified) {
    metrics_.Fetch("not_modified");
  } else {
    Fail(number, result.reason, result.detail, &result);
    return;
  }
  const bool was_silent = feeds_.Get(number).state.health() == v1::FEED_HEALTH_SILENT;
  feeds_.Change(number, [&](FeedRow* feed) {
    ApplyUnchanged(result, feed->limits, now, &feed->state);
    AdaptInterval({}, feed->limits, now, &feed->state);
    feed->state.set_next_fetch_ms(NextPoll(NextAfterSuccess(result.cache, feed->limits, now, &feed->state), feed));
  });
  NoteAlarms(number, was_silent, true);
  CommitState(number);
  Reschedule(number);
}

void IngestLoop::OnDocument(uint64_t number, FetchResult result) {
  const auto started = std::chrono::steady_clock::now();
  const FeedRow& feed = feeds_.Get(number);
  auto document = ParseDocument(feed.spec, result);
  if (!document.ok()) {
    NotAFeed(number, result, document.status());
    return;
  }
  metrics_.Fetch("document");
  metrics_.stage().Received(static_cast<double>(document->entries.size()));
  if (document->truncated) {
    metrics_.stage().Error("truncated");
    log_.RateLimited(base::LogLevel::kWarn, "feed_truncated",
                     {{"feed", feed.spec.id}, {"entries", static_cast<uint64_t>(document->entries.size())}});
  }
  if (!result.pushed) {
    feeds_.Change(number, [&](FeedRow* f) {
      f->state.set_ttl_s(document->ttl_s.value_or(0));
      f->state.set_update_period_s(document->update_period_s.value_or(0));
      f->state.set_skip_hours(document->skip_hours);
      f->state.set_skip_days(document->skip_days);
    });
    NoteHub(number, result, *document);
  }
  // Only the hash of the body is needed from here on.
  uint64_t hash = XXH3_64bits(result.reply.body.data(), result.reply.body.size());
  if (!document->children.empty()) {
    // An index is read at each fetch, so that its sitemaps are known again after a restart.
    hash = 0;
    result.reply.headers.clear();
    AddChildren(number, std::move(document->children), !document->truncated);
  }
  result.reply.body = std::string(reinterpret_cast<const char*>(&hash), sizeof hash);
  answers_[number] = std::move(result);
  if (base::Status status = intake_.Take(number, std::move(*document), feed.spec); !status.ok()) fatal_ = std::move(status);
  metrics_.stage().Duration(std::chrono::steady_clock::now() - started);
}

void IngestLoop::NotAFeed(uint64_t number, const FetchResult& result, const base::Status& status) {
  if (result.pushed) {  // the feed itself is as good as it was
    metrics_.WebSub("not_a_feed");
    log_.RateLimited(base::LogLevel::kWarn, "push_unreadable", {{"feed", feeds_.Get(number).spec.id}, {"error", status.message()}});
    StartPush(number);  // the next one may be better
    return;
  }
  std::string reason = "not_a_feed", found;
  if (status.code() == base::Code::kResourceExhausted) {
    reason = "too_large";
  } else if (LooksLikeHtml(result.reply.body)) {
    reason = "html";
    const auto page = ExtractPage(result.reply.body, {});
    if (page.ok() && (page->consent_wall || page->captcha)) reason = "consent";
    else found = DiscoverFeeds(number, result);
  }
  Fail(number, reason, "feed " + feeds_.Get(number).spec.id + ": " + status.message() + found, &result);
}

void IngestLoop::ReadFile(uint64_t number) {
  const FeedRow& feed = feeds_.Get(number);
  const std::string path = FilePath(feed.spec.url).value_or(feed.spec.url);
  const auto stamp = StatFile(path);
  if (!stamp.ok()) {
    Fail(number, "file", stamp.status().message(), nullptr);
    return;
  }
  if (stamp->directory) {
    ScanFolder(number);
    return;
  }
  const bool same = feed.state.file_mtime_ns() == stamp->mtime_ns && feed.state.file_bytes() == stamp->bytes;
  if (feed.read && same) {
    NoteLook(number);
    return;
  }
  feeds_.Change(number, [&](FeedRow* f) {
    f->read = true;
    f->state.set_file_mtime_ns(stamp->mtime_ns);
    f->state.set_file_bytes(stamp->bytes);
  });
  if (stamp->bytes > options_.body_bytes_max) {
    Fail(number, "too_large", "file " + path + ": larger than " + std::to_string(options_.body_bytes_max) + " bytes", nullptr);
    return;
  }
  std::ifstream in(path, std::ios::binary);
  FetchResult result;
  result.kind = FetchKind::kDocument;
  result.reply.body.assign(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  if (!in) {
    Fail(number, "file", "file " + path + ": cannot be read", nullptr);
    return;
  }
  OnDocument(number, std::move(result));
}

// Each document of the folder becomes a feed of its own, known by its path.
void IngestLoop::ScanFolder(uint64_t number) {
  const FeedSpec folder = feeds_.Get(number).spec;
  std::vector<std::string> paths;
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator it(*FilePath(folder.url), error), end; !error && it != end; it.increment(error)) {
    if (it->is_regular_file(error) && !it->path().filename().string().starts_with('.')) paths.push_back(it->path().string());
  }
  if (error) {
    Fail(number, "file", "folder " + folder.url + ": " + error.message(), nullptr);
    return;
  }
  std::sort(paths.begin(), paths.end());
  for (const std::string& path : paths) {
    FeedSpec document = folder;
    document.id = document.url = "file:" + path;
    document.title.clear();
    document.found_in = folder.id;
    if (!feeds_.Has(document.id)) AddFeed(std::move(document));
  }
  if (shared_) OnAssignment();
  feeds_.Change(number, [](FeedRow* f) { f->folder = true; });
  NoteLook(number);
}

// At a file or folder where there was nothing to do.
void IngestLoop::NoteLook(uint64_t number) {
  const base::UnixMs now = clock_.NowMs();
  feeds_.Change(number, [now](FeedRow* f) {
    f->state.set_last_fetch_ms(now);  // the claim has been used
    f->state.set_next_fetch_ms(now + 1000 * f->limits.fixed_s);
  });
  Reschedule(number);
}

void IngestLoop::OnDocumentDone(uint64_t number, const DocumentYield& yield, SeenUpdate update) {
  const auto node = answers_.extract(number);
  if (stopping_ || !MayWrite(number)) {  // only what was delivered is written; the feed's validators stay as they were
    fetching_.erase(number);
    Commit(number, update);
    return;
  }
  const FetchResult& result = node.mapped();
  if (result.pushed) {
    OnPushDone(number, yield, std::move(update));
    return;
  }
  uint64_t hash = 0;
  std::memcpy(&hash, result.reply.body.data(), sizeof hash);
  const base::UnixMs now = clock_.NowMs();
  const bool lied = feeds_.Get(number).state.validators_lie();
  const bool was_silent = feeds_.Get(number).state.health() == v1::FEED_HEALTH_SILENT;
  JudgeHub(number, yield.fetch);
  feeds_.Change(number, [&](FeedRow* feed) {
    AdaptInterval(yield.fetch, feed->limits, now, &feed->state);  // before last_new_ms moves
    ApplyDocument(result, yield, hash, feed->limits, now, &feed->state);
    feed->state.set_next_fetch_ms(NextPoll(NextAfterSuccess(result.cache, feed->limits, now, &feed->state), feed));
  });
  NoteAlarms(number, was_silent, true);
  const FeedRow& feed = feeds_.Get(number);
  if (!lied && feed.state.validators_lie()) {
    metrics_.LyingValidators();
    log_.Warn("feed_lying", {{"feed", feed.spec.id}, {"detail", feed.state.detail()}});
  }
  update.feed = &feed.state;
  Commit(number, update);
  Reschedule(number);
}

void IngestLoop::Fail(uint64_t number, std::string_view reason, const std::string& detail, const FetchResult* result) {
  const base::UnixMs now = clock_.NowMs();
  const bool news = feeds_.Get(number).state.reason() != reason;
  const int status = result != nullptr ? result->reply.http_status : 0;
  metrics_.Fetch(reason);
  metrics_.stage().Error(reason);
  feeds_.Change(number, [&](FeedRow* feed) {
    ApplyFailure(reason, detail, status, now, &feed->state);
    const auto retry_after = result != nullptr ? result->retry_after_ms : std::nullopt;
    const base::UnixMs next = NextAfterFailure(retry_after, feed->limits, now, &feed->state);
    // A file is looked at as often as ever.
    feed->state.set_next_fetch_ms(feed->spec.is_file() ? now + 1000 * feed->limits.fixed_s : next);
  });
  const FeedRow& feed = feeds_.Get(number);
  if (result != nullptr && result->hold_host) gate_.Hold(UrlHost(result->reply.url), feed.state.next_fetch_ms());
  // The first time, and again when the reason changes; the rest is in the counters and on the feeds page.
  log_.Write(news ? base::LogLevel::kWarn : base::LogLevel::kDebug, "feed_failed",
             {{"feed", feed.spec.id}, {"reason", reason}, {"detail", detail}, {"failures", feed.state.failures()}});
  CommitState(number);
  Reschedule(number);
}

// A fetch has come to its end, whatever it was.
void IngestLoop::Reschedule(uint64_t number) {
  fetching_.erase(number);
  if (stopping_) return;
  const FeedRow& feed = feeds_.Get(number);
  if (!feed.state.moved_to().empty() && feed.host != UrlHost(feed.state.moved_to()))
    feeds_.Change(number, [](FeedRow* f) { f->host = UrlHost(f->state.moved_to()); });
  if (!feed.removed && feed.owned) Enqueue(number, feed.state.next_fetch_ms());
  StartPush(number);
}

void IngestLoop::Enqueue(uint64_t number, base::UnixMs due_ms) {
  if (queued_.insert(number).second) schedule_.Add(number, feeds_.Get(number).host, due_ms);
}

void IngestLoop::CommitState(uint64_t number) {
  SeenUpdate update;
  update.feed = &feeds_.Get(number).state;
  Commit(number, update);
}

void IngestLoop::Commit(uint64_t number, const SeenUpdate& update) {
  unsynced_ = true;
  if (update.feed != nullptr)
    feeds_.Change(number, [](FeedRow* feed) { feed->state.set_version(feed->state.version() + 1); });
  if (base::Status status = seen_->Commit(update, DayOf(clock_.NowMs())); !status.ok()) fatal_ = std::move(status);
  if (shared_) shared_->Publish(shared_->PartitionOf(feeds_.Get(number).share_key), update);
}

// Says once, when it begins, that a feed falls short.
void IngestLoop::NoteAlarms(uint64_t number, bool was_silent, bool was_low) {
  const FeedRow& feed = feeds_.Get(number);
  if (!was_silent && feed.state.health() == v1::FEED_HEALTH_SILENT) {
    metrics_.Alarm("silent");
    log_.Warn("feed_silent", {{"feed", feed.spec.id}, {"detail", feed.state.detail()}});
  }
  if (!was_low && YieldIsLow(feed.state)) {
    metrics_.Alarm("low_yield");
    log_.Warn("feed_low_yield",
              {{"feed", feed.spec.id}, {"page_yield", feed.state.page_yield()}, {"usual", feed.state.page_yield_usual()}});
  }
}

void IngestLoop::OnPage(uint64_t number, const Page* page, const std::string& final_url) {
  if (const auto feed = intake_.FeedOfPage(number)) {
    const bool has_text = page != nullptr && !page->text.empty() && !page->consent_wall && !page->captcha && !page->empty_shell;
    const bool was_low = YieldIsLow(feeds_.Get(*feed).state);
    feeds_.Change(*feed, [&](FeedRow* f) { LearnPageYield(has_text, &f->state); });
    NoteAlarms(*feed, true, was_low);
  }
  if (base::Status status = intake_.OnPage(number, page, final_url); !status.ok()) fatal_ = std::move(status);
}

}  // namespace racewatch::ingest
