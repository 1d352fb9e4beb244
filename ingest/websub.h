// WebSub (W3C Recommendation of 23 January 2018), subscriber's side, in two parts. Pure functions over v1::HubState
// decide when to ask a hub, and what an answer, a verification or a poll that found more than the hub sent does to its
// standing. HubDesk is what hubs talk to: it answers verifications, checks signatures and hands on documents.
// A hub is trusted to be quick, never to be complete: the feed is still polled once a day, and a hub that missed
// entries is demoted for a week.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/http_client.h"
#include "base/http_server.h"
#include "ingest/interval.h"
#include "racewatch/v1/ingest_state.pb.h"

namespace racewatch::ingest {

// -- what is said on the wire --

struct WebLink {
  std::string target;    // as written: may be relative
  std::string relation;  // in lower case, one of possibly several
};

// The links of a Link header (RFC 8288 §3). Malformed parts are passed over.
std::vector<WebLink> ParseLinkHeader(std::string_view value);

// X-Hub-Signature: `method=hex` with sha1, sha256, sha384 or sha512 over the body, keyed with the secret.
bool SignatureIsValid(std::string_view header, std::string_view secret, std::string_view body);

// The POST that asks for a subscription, or ends it.
base::HttpCall HubRequest(const v1::HubState& hub, bool subscribe, int64_t lease_s);

// -- standing of a hub --

// The feed names this hub and topic (empty: none). Another hub starts afresh; a demoted one stays so.
void NoteHub(const std::string& url, const std::string& topic, v1::HubState* hub);

// When the hub is to be asked next: now for a new one, at four fifths of the lease, later after a failure.
// Nullopt: not at all.
std::optional<base::UnixMs> NextHubRequest(const v1::HubState& hub, const std::string& callback);

// A request is about to leave: fresh token and secret unless the subscription lives on under this callback.
void PrepareHubRequest(const std::string& callback, base::UnixMs now_ms, v1::HubState* hub);

// The hub refused, or did not answer.
void ApplyHubFailure(base::UnixMs now_ms, v1::HubState* hub);
void ApplyHubVerified(int64_t lease_s, base::UnixMs now_ms, v1::HubState* hub);
void ApplyHubDenied(base::UnixMs now_ms, v1::HubState* hub);

// A poll found new entries, the oldest of this time (0: undated). True when the hub should have sent them: then it is
// demoted.
bool HubMissed(size_t new_entries, base::UnixMs oldest_new_ms, base::UnixMs now_ms, v1::HubState* hub);

// The feed needs no polling but the daily one.
bool HubIsLive(const v1::HubState& hub, base::UnixMs now_ms);

// "pending", "active", "denied", "demoted"; "none" without a hub.
std::string_view HubStandingName(const v1::HubState& hub);

// -- the callback address --

class HubDesk {
 public:
  struct Event {
    enum class Kind { kVerified, kDenied, kDocument };
    Kind kind = Kind::kVerified;
    uint64_t feed = 0;
    int64_t lease_s = 0;       // kVerified
    std::string body;          // kDocument
    std::string content_type;  // kDocument
  };
  // A push that would hold more than this in hand gets 503: the hub sends it again.
  static constexpr size_t kHeldBytesMax = 32u << 20;

  // From now on requests to /websub/TOKEN are about this feed. Any thread.
  void Expect(uint64_t feed, const v1::HubState& hub);
  // The feed is no longer ours: its hub is answered 404, and 410 when it pushes.
  void Forget(const std::string& token);

  // A request of a hub. HTTP threads. Outcome for the metric in `outcome`.
  base::HttpResponse Handle(const std::string& token, const base::HttpRequest& request, std::string_view* outcome);

  // What has come in since the last call. Loop thread.
  std::vector<Event> Take();

 private:
  struct Subscription {
    uint64_t feed = 0;
    std::string topic;
    std::string secret;
  };
  base::HttpResponse Verify(const Subscription* known, const base::HttpRequest& request, std::string_view* outcome);
  base::HttpResponse Receive(const Subscription* known, const base::HttpRequest& request, std::string_view* outcome);

  std::mutex mutex_;
  std::unordered_map<std::string, Subscription> by_token_;
  std::vector<Event> events_;
  size_t held_bytes_ = 0;
};

}  // namespace racewatch::ingest
