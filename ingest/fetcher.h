// One HTTP fetch of a feed or page: what is sent, and what the answer means. The conditional GET sends back
// the validators byte for byte. Runs on the HttpClient's thread; callbacks come from inside its Poll. An
// answer is a value of one of four kinds; reasons are a closed set, used as metric labels.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/http_client.h"
#include "ingest/feed_list.h"
#include "ingest/interval.h"
#include "racewatch/v1/ingest_state.pb.h"

namespace racewatch::ingest {

enum class FetchKind { kDocument, kNotModified, kFailed };

struct FetchResult {
  FetchKind kind = FetchKind::kFailed;
  std::string reason;  // of a failure: unreachable, timeout, too_large, http_404, …
  std::string detail;  // of a failure: one line for a person
  base::HttpReply reply;
  bool conditional = false;  // validators were sent
  bool pushed = false;       // came from the feed's hub
  CacheHints cache;
  std::optional<base::UnixMs> retry_after_ms;
  bool hold_host = false;  // 429 or 503: the whole host asks for quiet until then

  // The target when every hop said "for good" (301, 308); empty otherwise.
  std::string moved_to() const;
};

using FetchCallback = std::function<void(FetchResult)>;

class Fetcher {
 public:
  struct Options {
    std::chrono::milliseconds timeout{30'000};
    size_t body_bytes_max = 16u << 20;
  };
  // Client and clock outlive the fetcher.
  Fetcher(base::HttpClient& client, const base::Clock& clock, Options options);

  // Fetches `url`; with `conditional` the state's validators go along. `access` may be null.
  void FetchFeed(const std::string& url, const v1::FeedState& state, bool conditional, FetchCallback on_result,
                 const FeedAccess* access = nullptr);

  // Pages: no validators, an Accept header for HTML.
  void FetchPage(const std::string& url, FetchCallback on_result, const FeedAccess* access = nullptr);

 private:
  FetchResult Classify(base::HttpReply reply) const;

  base::HttpClient& client_;
  const base::Clock& clock_;
  const Options options_;
};

// The class of an HTTP status that is no success: "http_404", "http_4xx", …: a closed set.
std::string HttpStatusReason(int status);

}  // namespace racewatch::ingest
