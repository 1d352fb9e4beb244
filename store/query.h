// The answers of StoreService, whatever the transport: gRPC (store_service.h) and HTTP/JSON (http_api.h) both call
// these. Each answer is read from one snapshot. Any thread; the engine and the clock outlive it. Errors:
// INVALID_ARGUMENT says which field and what would be right, NOT_FOUND names what is missing.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "store/article_filter.h"
#include "store/engine.h"
#include "store/error_rates.h"

namespace racewatch::v1 {
class ArticleFilter;
class CompareTrendsRequest;
class CompareTrendsResponse;
class GetCoverageRequest;
class GetCoverageResponse;
class GetStoryRequest;
class GetStoryResponse;
class GetTrendsRequest;
class GetTrendsResponse;
class ListAlertsRequest;
class ListAlertsResponse;
class ListCorrectionsRequest;
class ListCorrectionsResponse;
class ListQueriesRequest;
class ListQueriesResponse;
class ListStoriesRequest;
class ListStoriesResponse;
class SampleArticlesRequest;
class SampleArticlesResponse;
class Story;
class TaggedArticle;
class WatchAlertsResponse;
class WatchArticlesResponse;
class WhereIsRequest;
class WhereIsResponse;
}  // namespace racewatch::v1

namespace racewatch::store {

// Wakes those who watch when the store has committed something new. Any thread.
class Changes {
 public:
  void Notify();
  void Close();  // ends every wait, now and later
  // Returns the current count once it differs from `seen`, after `timeout`, or when closed.
  uint64_t Wait(uint64_t seen, std::chrono::milliseconds timeout);
  bool closed() const;

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t count_ = 1;
  bool closed_ = false;
};

struct ArticleRow;

class Query {
 public:
  Query(const Engine& engine, const base::Clock& clock) : engine_(engine), clock_(clock) {}

  // Shares of what this model tagged are given corrected as well from now on; nullptr: none. Any thread.
  void SetErrorRates(std::shared_ptr<const ErrorRates> rates);

  base::Status GetTrends(const v1::GetTrendsRequest& request, v1::GetTrendsResponse* response) const;
  base::Status CompareTrends(const v1::CompareTrendsRequest& request, v1::CompareTrendsResponse* response) const;
  base::Status GetCoverage(const v1::GetCoverageRequest& request, v1::GetCoverageResponse* response) const;
  base::Status ListStories(const v1::ListStoriesRequest& request, v1::ListStoriesResponse* response) const;
  base::Status GetStory(const v1::GetStoryRequest& request, v1::GetStoryResponse* response) const;
  base::Status ListAlerts(const v1::ListAlertsRequest& request, v1::ListAlertsResponse* response) const;
  base::Status WhereIs(const v1::WhereIsRequest& request, v1::WhereIsResponse* response) const;
  base::Status ListCorrections(const v1::ListCorrectionsRequest& request, v1::ListCorrectionsResponse* response) const;
  // Reads the rows of all articles that the store knows by id, or of the hours asked for: some 100,000 or more a second.
  base::Status SampleArticles(const v1::SampleArticlesRequest& request, v1::SampleArticlesResponse* response) const;

  // Articles as counted, latest first, each at the place of its last revision; those without their text are left out. At most
  // `page_size` (0: 50) matches, of places before `before` (0: from the end). Returns where the next page begins; 0: it is
  // the last.
  using VisitArticle = std::function<void(const ArticleRow& row, const v1::TaggedArticle& article)>;
  base::Result<uint64_t> LatestArticles(const v1::ArticleFilter& filter, uint32_t page_size, uint64_t before, const VisitArticle& visit) const;

  base::Status ListQueries(const v1::ListQueriesRequest& request, v1::ListQueriesResponse* response) const;
  // The filter made ready, by the saved queries in force.
  base::Result<CompiledFilter> Compile(const v1::ArticleFilter& filter) const;

  // Where a watch starts: "" now, "0" the oldest kept, else just after that token.
  base::Result<uint64_t> ArticleCursor(const std::string& resume_token) const;
  base::Result<uint64_t> AlertCursor(const std::string& resume_token) const;
  // What came after `cursor`, oldest first, at most `limit` matches; moves the cursor past what was looked at.
  // An article that was revised later is left to its later place.
  base::Status NextArticles(const CompiledFilter& filter, size_t limit, uint64_t* cursor,
                            std::vector<v1::WatchArticlesResponse>* out) const;
  base::Status NextAlerts(const std::string& rule, size_t limit, uint64_t* cursor,
                          std::vector<v1::WatchAlertsResponse>* out) const;

 private:
  base::Status FillStory(const View& view, const std::string& id, bool members, v1::Story* story) const;

  std::shared_ptr<const ErrorRates> error_rates() const;

  const Engine& engine_;
  const base::Clock& clock_;
  mutable std::mutex rates_mutex_;
  std::shared_ptr<const ErrorRates> rates_;
};

}  // namespace racewatch::store
