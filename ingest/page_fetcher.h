// Gets the pages behind feed items: robots.txt first (once a day per site, RFC 9309), then the page when its
// host's turn has come, then the extraction. Owned by the loop thread. Every page wanted is answered exactly
// once, with nothing when it cannot be had. The further pages of an article are fetched in turn and joined to it, and an
// aggregator's page is followed to the publisher. A site whose robots.txt cannot be reached counts as forbidden for an hour.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "ingest/fetcher.h"
#include "ingest/ingest_metrics.h"
#include "ingest/page/page.h"
#include "ingest/robots.h"
#include "ingest/schedule.h"

namespace racewatch::ingest {

class PageFetcher {
 public:
  // `page` is null when there is none; `final_url` is the address that answered.
  using Answer = std::function<void(uint64_t number, const Page* page, const std::string& final_url)>;
  // Marks a piece of work in the schedule as a page.
  static constexpr uint64_t kPageBit = uint64_t{1} << 63;

  struct Options {
    int article_pages_max = 8;         // of one article, joined
    bool resolve_aggregators = true;  // go on to the publisher where an aggregator's page leads there
  };

  // All references outlive the page fetcher.
  PageFetcher(Options options, Fetcher& fetcher, Schedule& schedule, HostGate& gate, const base::Clock& clock, IngestMetrics& metrics,
              base::Log& log, Answer answer);

  // Puts the page into the schedule as `number | kPageBit`. The feed's credentials go along to its own site.
  void Want(uint64_t number, const std::string& url, const FeedSpec& feed);
  // Its turn has come.
  void Start(uint64_t number);
  // From here on nothing is answered.
  void Stop() { stopped_ = true; }

 private:
  struct Site {
    RobotsRules rules;
    base::UnixMs valid_until_ms = 0;
    bool asked = false;              // robots.txt is on its way
    std::vector<uint64_t> waiting;  // for it
  };
  // A page on its way, or the pages of one article.
  struct Wanted {
    std::string url;
    std::shared_ptr<const FeedAccess> access;  // may be null
    int hops = 0;                              // from aggregators to publishers
    std::optional<Page> joined;                // the pages before this one
    std::string first_url;                     // where the first of them was found
    int pages = 0;
  };
  void Enqueue(uint64_t number, const std::string& url);
  bool GoOn(uint64_t number, Wanted* wanted, Page* page, const std::string& final_url);
  static bool Join(const Page& next, Page* joined);
  std::optional<Page> Extract(const FetchResult& result, const Wanted& wanted, std::string* detail) const;
  void AskRobots(const std::string& origin, const std::string& url);
  void OnRobots(const std::string& origin, const FetchResult& result);
  void OnPage(uint64_t number, FetchResult result);
  void Forget();

  Fetcher& fetcher_;
  Schedule& schedule_;
  HostGate& gate_;
  const base::Clock& clock_;
  IngestMetrics& metrics_;
  base::Log& log_;
  const Answer answer_;
  const Options options_;
  std::unordered_map<uint64_t, Wanted> wanted_;
  std::unordered_map<std::string, Site> sites_;  // by origin
  bool stopped_ = false;
};

}  // namespace racewatch::ingest
