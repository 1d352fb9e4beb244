// Requests to change the feed list while ingest runs: asked by HTTP threads, served by the loop, answered when the change
// is durable. A closed queue, and one that the loop does not come to, answer 503.
#pragma once

#include <chrono>
#include <functional>
#include <future>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "racewatch/v1/ingest_state.pb.h"

namespace racewatch::ingest {

inline constexpr size_t kFeedUrlBytesMax = 8192;

struct FeedReply {
  int http_status = 200;
  std::string body;  // JSON: the feed, of an import {"added","present"}, or {"error"}
};

// What is asked at once.
struct FeedChange {
  std::vector<v1::ListedFeed> feeds;  // one, unless it is an import
  bool import = false;                // what is listed already is passed over
};

// {"url","title"?,"publisher_group"?,"language"?,"folder"?,"interval_s"?} as a change. INVALID_ARGUMENT names the field; the
// address itself is checked by the role.
base::Result<v1::ListedFeed> ParseListedFeed(std::string_view json);

class FeedRequests {
 public:
  explicit FeedRequests(std::function<void()> wake) : wake_(std::move(wake)) {}

  // Waits for the loop, at most `patience`.
  FeedReply Ask(FeedChange change, std::chrono::milliseconds patience = std::chrono::seconds(10));
  // Loop thread.
  void Serve(const std::function<FeedReply(const FeedChange&)>& serve);
  void Close();

 private:
  struct Request {
    FeedChange change;
    std::promise<FeedReply> reply;
  };
  const std::function<void()> wake_;
  std::mutex mutex_;
  std::vector<Request> waiting_;
  bool closed_ = false;
};

}  // namespace racewatch::ingest
