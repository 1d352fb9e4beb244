// The one thread of ingest: decides what is due, fetches it, hands documents to the intake, and writes down
// what was learned. Run is called on the role's thread; Idle, counts and FeedTable may be read from any.
// Everything waits on the clock it was given; a clock that does not run at real speed is looked at every 2 ms.
// An error of the state folder's disk is the only one that ends Run.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/bus/sink.h"
#include "base/clock.h"
#include "base/http_client.h"
#include "base/log.h"
#include "ingest/article_builder.h"
#include "ingest/feed_table.h"
#include "ingest/fetcher.h"
#include "ingest/identity.h"
#include "ingest/ingest_metrics.h"
#include "ingest/intake.h"
#include "ingest/outbox.h"
#include "ingest/page_fetcher.h"
#include "ingest/feed_requests.h"
#include "ingest/schedule.h"
#include "ingest/seen_set.h"
#include "ingest/shared_feeds.h"
#include "ingest/websub.h"

namespace racewatch::ingest {

class IngestLoop {
 public:
  struct Options {
    IntervalLimits limits;
    int64_t host_spacing_ms = 1000;
    int64_t loopback_spacing_ms = 0;
    size_t requests_in_flight_max = 64;
    size_t body_bytes_max = 16u << 20;
    std::chrono::milliseconds request_timeout{30'000};
    uint32_t summary_chars_max = 600;
    std::string websub_callback;  // empty: no hubs
    int64_t websub_lease_s = 864'000;
    bool share_feeds = false;
    bool fetch_pages = true;  // of feeds that are added later
    uint32_t untitled_days_max = 3;
    size_t child_feeds_max = 50;
    PageFetcher::Options pages;
    base::HttpClient::Options http;
  };

  // All references outlive the loop.
  IngestLoop(Options options, std::vector<FeedSpec> feeds, std::unique_ptr<SeenSet> seen, const PublisherRegistry& publishers,
             base::Sink& sink, const base::Clock& clock, IngestMetrics& metrics, base::Log& log);
  ~IngestLoop();

  // Loads the feeds' states; before Run.
  base::Status Load();

  // Until `stop`; then waits up to `drain()` for delivery reports and writes the marks of what is delivered.
  base::Status Run(std::stop_token stop, const std::function<std::chrono::milliseconds()>& drain);
  void Wake() { client_.Wake(); }

  bool Idle() const;
  // When something is due next. Any thread.
  base::UnixMs next_due_ms() const;
  IngestCounts counts() const;
  const FeedTable& feeds() const { return feeds_; }
  // Adds and removes feeds while it runs. Any thread.
  FeedRequests& requests() { return requests_; }
  // What WebSub hubs talk to. Any thread.
  HubDesk& hubs() { return hubs_; }
  // Null unless the list is shared; its sources are to be set before Run.
  SharedFeeds* shared() { return shared_.get(); }
  // No version of this article is sent from here on, whatever feed carries it. True when it was known. Any thread.
  base::Result<bool> TakeDown(const std::string& url);

 private:
  // Marks a piece of work in the schedule as a request to a feed's hub.
  static constexpr uint64_t kHubBit = uint64_t{1} << 62;
  // A fetch starts this long after its claim at most, so that others know from the claim when it may have been. A broker that
  // takes longer to acknowledge holds everything up.
  static constexpr int64_t kClaimMs = 30'000;
  void AddFeed(FeedSpec spec);
  base::Status Step();
  void Drain(std::chrono::milliseconds timeout);
  void StartDue();
  bool HasRoom() const;
  std::chrono::milliseconds WaitTime() const;
  void PublishState(bool busy);
  void Tick();

  void StartFeed(uint64_t number);
  void OnFeedResult(uint64_t number, FetchResult result);
  void OnDocument(uint64_t number, FetchResult result);
  base::Result<Feed> ParseDocument(const FeedSpec& spec, const FetchResult& result) const;
  void AddChildren(uint64_t number, std::vector<FeedChild> children, bool whole);
  size_t CountChildren(const std::string& root) const;
  void DropChildren(uint64_t number, const std::function<bool(const FeedRow&)>& drops);
  std::string DiscoverFeeds(uint64_t number, const FetchResult& result);
  void ReadFile(uint64_t number);
  void ScanFolder(uint64_t number);
  void NoteLook(uint64_t number);
  void OnDocumentDone(uint64_t number, const DocumentYield& yield, SeenUpdate update);
  void Fail(uint64_t number, std::string_view reason, const std::string& detail, const FetchResult* result);
  void NotAFeed(uint64_t number, const FetchResult& result, const base::Status& status);
  void Reschedule(uint64_t number);
  void Enqueue(uint64_t number, base::UnixMs due_ms);
  void Commit(uint64_t number, const SeenUpdate& update);
  void CommitState(uint64_t number);
  void NoteAlarms(uint64_t number, bool was_silent, bool was_low);
  base::UnixMs DueTime(const FeedRow& feed) const;

  // Feeds that come and go (ingest_loop_feeds.cc).
  FeedReply ChangeList(const FeedChange& change);
  FeedReply ImportFeeds(const std::vector<v1::ListedFeed>& feeds);
  void List(v1::ListedFeed change);
  bool IsListed(const std::string& url) const;
  void ApplyListed(const v1::ListedFeed& listed);
  void SetRemoved(uint64_t number, bool removed);

  // A shared list (ingest_loop_feeds.cc).
  void OnClaimed(uint64_t number);
  void Fetch(uint64_t number);
  bool MayWrite(uint64_t number) const;
  void OnAssignment();
  void OnForeignState(const v1::FeedState& state);
  bool InUse(int32_t partition) const;

  // WebSub (ingest_loop_hubs.cc).
  void NoteHub(uint64_t number, const FetchResult& result, const Feed& document);
  void AskHub(uint64_t number);
  void ScheduleHub(uint64_t number);
  void OnHubEvents();
  void StartPush(uint64_t number);
  void OnPushDone(uint64_t number, const DocumentYield& yield, SeenUpdate update);
  void JudgeHub(uint64_t number, const FetchYield& yield);
  base::UnixMs NextPoll(base::UnixMs next_ms, FeedRow* feed);

  void OnPage(uint64_t number, const Page* page, const std::string& final_url);

  const Options options_;
  const base::Clock& clock_;
  IngestMetrics& metrics_;
  base::Log& log_;
  std::unique_ptr<SeenSet> seen_;
  std::vector<FeedSpec> specs_;
  FeedTable feeds_;
  HostGate gate_;
  Schedule schedule_;
  base::HttpClient client_;
  Fetcher fetcher_;
  PageFetcher pages_;
  ArticleBuilder builder_;
  Identity identity_;
  Outbox outbox_;
  Intake intake_;

  FeedRequests requests_;
  HubDesk hubs_;
  std::unique_ptr<SharedFeeds> shared_;
  std::unordered_set<uint64_t> queued_;    // feeds in the schedule
  std::vector<uint64_t> held_;             // feeds that wait until the membership has been checked again
  std::unordered_set<uint64_t> fetching_;  // feeds between claim and commit
  std::unordered_set<uint64_t> hub_queued_;  // feeds whose hub is in the schedule, or being asked
  std::unordered_map<uint64_t, std::deque<HubDesk::Event>> pushes_;  // documents that wait for their feed to be free

  std::unordered_map<uint64_t, FetchResult> answers_;  // of documents whose entries are on their way, by feed
  std::unordered_map<uint64_t, std::vector<uint64_t>> named_;  // feeds that a sitemap index or home page led to, by its number
  std::unordered_map<std::string, v1::FeedState> stored_;  // states of files not yet scanned
  base::Status fatal_;
  bool stopping_ = false;
  bool unsynced_ = false;
  std::chrono::steady_clock::time_point next_tick_{};

  mutable std::mutex state_mutex_;
  bool busy_ = true;
  base::UnixMs next_due_ms_ = 0;
  IngestCounts published_counts_;
};

}  // namespace racewatch::ingest
