#include "ingest/websub.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <algorithm>
#include <charconv>

#include "base/percent_encoding.h"
#include "ingest/url.h"

namespace racewatch::ingest {
namespace {

constexpr int64_t kMinuteMs = 60'000;
constexpr int64_t kDayMs = 86'400'000;
constexpr int64_t kVerifyMs = 60 * kMinuteMs;    // a hub that has not verified by then is asked again
constexpr int64_t kDemotedMs = 7 * kDayMs;
constexpr int64_t kPushPatienceMs = 15 * kMinuteMs;  // an entry younger than this may still be on its way
constexpr size_t kLinksMax = 64;

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

std::string Lowered(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), Lower);
  return out;
}

void SkipSpace(std::string_view* text) {
  while (!text->empty() && (text->front() == ' ' || text->front() == '\t')) text->remove_prefix(1);
}

// A token or a quoted string, without its quotes.
std::string TakeValue(std::string_view* text) {
  std::string out;
  if (!text->empty() && text->front() == '"') {
    text->remove_prefix(1);
    while (!text->empty() && text->front() != '"') {
      if (text->front() == '\\' && text->size() > 1) text->remove_prefix(1);
      out.push_back(text->front());
      text->remove_prefix(1);
    }
    if (text->empty()) return {};  // never closed
    text->remove_prefix(1);
    return out;
  }
  const size_t end = std::min(text->find_first_of(" \t;,"), text->size());
  out = std::string(text->substr(0, end));
  text->remove_prefix(end);
  return out;
}

// The relations of one link: the parameters up to the comma before the next one.
std::string TakeRelations(std::string_view* text) {
  std::string relations;
  while (true) {
    SkipSpace(text);
    if (text->empty() || text->front() != ';') return relations;
    text->remove_prefix(1);
    SkipSpace(text);
    const size_t end = std::min(text->find_first_of("=;, \t"), text->size());
    const std::string name = Lowered(text->substr(0, end));
    text->remove_prefix(end);
    SkipSpace(text);
    if (text->empty() || text->front() != '=') continue;
    text->remove_prefix(1);
    SkipSpace(text);
    std::string value = TakeValue(text);
    if (name == "rel" && relations.empty()) relations = std::move(value);  // the first one counts
  }
}

std::string ToHex(const unsigned char* bytes, size_t count) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (size_t i = 0; i < count; ++i) {
    out.push_back(kDigits[bytes[i] >> 4]);
    out.push_back(kDigits[bytes[i] & 15]);
  }
  return out;
}

std::string RandomHex() {
  unsigned char bytes[20];
  if (RAND_bytes(bytes, sizeof bytes) != 1) return {};
  return ToHex(bytes, sizeof bytes);
}

}  // namespace

std::vector<WebLink> ParseLinkHeader(std::string_view text) {
  std::vector<WebLink> links;
  while (links.size() < kLinksMax) {
    const size_t open = text.find('<');
    const size_t close = open == std::string_view::npos ? open : text.find('>', open);
    if (close == std::string_view::npos) break;
    const std::string target(text.substr(open + 1, close - open - 1));
    text.remove_prefix(close + 1);
    const std::string relations = Lowered(TakeRelations(&text));
    for (size_t at = 0; at < relations.size() && links.size() < kLinksMax;) {
      const size_t end = std::min(relations.find_first_of(" \t", at), relations.size());
      if (end > at) links.push_back({target, relations.substr(at, end - at)});
      at = end + 1;
    }
  }
  return links;
}

bool SignatureIsValid(std::string_view header, std::string_view secret, std::string_view body) {
  const size_t equals = header.find('=');
  if (equals == std::string_view::npos) return false;
  const std::string method = Lowered(header.substr(0, equals));
  const EVP_MD* digest = method == "sha1"     ? EVP_sha1()
                         : method == "sha256" ? EVP_sha256()
                         : method == "sha384" ? EVP_sha384()
                         : method == "sha512" ? EVP_sha512()
                                              : nullptr;
  if (digest == nullptr) return false;
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned int count = 0;
  if (HMAC(digest, secret.data(), static_cast<int>(secret.size()), reinterpret_cast<const unsigned char*>(body.data()), body.size(),
           bytes, &count) == nullptr)
    return false;
  const std::string expected = ToHex(bytes, count);
  const std::string given = Lowered(header.substr(equals + 1));
  return given.size() == expected.size() && CRYPTO_memcmp(given.data(), expected.data(), expected.size()) == 0;
}

base::HttpCall HubRequest(const v1::HubState& hub, bool subscribe, int64_t lease_s) {
  base::HttpCall call;
  call.method = "POST";
  call.url = hub.url();
  call.body_bytes_max = 64u << 10;
  call.headers = {{"Content-Type", "application/x-www-form-urlencoded"}};
  call.body = std::string("hub.mode=") + (subscribe ? "subscribe" : "unsubscribe") + "&hub.topic=" + base::PercentEncode(hub.topic()) +
              "&hub.callback=" + base::PercentEncode(hub.callback() + "/websub/" + hub.token());
  if (subscribe) call.body += "&hub.secret=" + hub.secret() + "&hub.lease_seconds=" + std::to_string(lease_s);
  return call;
}

void NoteHub(const std::string& url, const std::string& topic, v1::HubState* hub) {
  if (hub->url() == url && hub->topic() == topic) return;
  hub->Clear();
  hub->set_url(url);
  hub->set_topic(topic);
}

std::optional<base::UnixMs> NextHubRequest(const v1::HubState& hub, const std::string& callback) {
  if (hub.url().empty() || callback.empty()) return std::nullopt;
  if (hub.standing() == v1::HUB_STANDING_UNSPECIFIED) return 0;
  if (hub.standing() != v1::HUB_STANDING_ACTIVE || hub.failures() > 0) return hub.retry_ms();
  if (hub.callback() != callback) return 0;  // taken over from another process
  return hub.lease_until_ms() - (hub.lease_until_ms() - hub.requested_ms()) / 5;
}

void PrepareHubRequest(const std::string& callback, base::UnixMs now_ms, v1::HubState* hub) {
  const bool renewal = hub->standing() == v1::HUB_STANDING_ACTIVE && hub->callback() == callback;
  if (!renewal) {
    hub->set_token(RandomHex());
    hub->set_secret(RandomHex());
    hub->set_callback(callback);
    hub->set_standing(v1::HUB_STANDING_PENDING);
  }
  hub->set_requested_ms(now_ms);
  // Until it is verified it counts as not answered.
  hub->set_failures(hub->failures() + 1);
  hub->set_retry_ms(now_ms + kVerifyMs * (int64_t{1} << std::min(hub->failures() - 1, 5u)));
}

void ApplyHubFailure(base::UnixMs now_ms, v1::HubState* hub) {
  hub->set_retry_ms(std::max(hub->retry_ms(), now_ms + kVerifyMs));
}

void ApplyHubVerified(int64_t lease_s, base::UnixMs now_ms, v1::HubState* hub) {
  // Less than an hour would be a renewal machine, more than a year is no promise.
  lease_s = std::clamp<int64_t>(lease_s, 3600, 365 * 86'400);
  if (hub->standing() != v1::HUB_STANDING_ACTIVE || hub->active_since_ms() == 0) hub->set_active_since_ms(now_ms);
  hub->set_standing(v1::HUB_STANDING_ACTIVE);
  hub->set_lease_until_ms(now_ms + 1000 * lease_s);
  hub->set_failures(0);
  hub->set_retry_ms(0);
}

void ApplyHubDenied(base::UnixMs now_ms, v1::HubState* hub) {
  hub->set_standing(v1::HUB_STANDING_DENIED);
  hub->set_active_since_ms(0);
  hub->set_retry_ms(now_ms + kDemotedMs);
}

bool HubMissed(size_t new_entries, base::UnixMs oldest_new_ms, base::UnixMs now_ms, v1::HubState* hub) {
  if (new_entries == 0 || !HubIsLive(*hub, now_ms)) return false;
  const bool dated = oldest_new_ms > 0 && oldest_new_ms <= now_ms;
  const base::UnixMs due_ms = dated ? oldest_new_ms + kPushPatienceMs : now_ms;
  const base::UnixMs from_ms = dated ? oldest_new_ms : now_ms - kDayMs / 2;
  if (due_ms > now_ms || from_ms < hub->active_since_ms()) return false;
  hub->set_missed(hub->missed() + new_entries);
  hub->set_standing(v1::HUB_STANDING_DEMOTED);
  hub->set_active_since_ms(0);
  hub->set_failures(0);
  hub->set_retry_ms(now_ms + kDemotedMs);
  return true;
}

bool HubIsLive(const v1::HubState& hub, base::UnixMs now_ms) {
  return hub.standing() == v1::HUB_STANDING_ACTIVE && hub.lease_until_ms() > now_ms;
}

std::string_view HubStandingName(const v1::HubState& hub) {
  if (hub.url().empty()) return "none";
  switch (hub.standing()) {
    case v1::HUB_STANDING_PENDING: return "pending";
    case v1::HUB_STANDING_ACTIVE: return "active";
    case v1::HUB_STANDING_DENIED: return "denied";
    case v1::HUB_STANDING_DEMOTED: return "demoted";
    default: return "named";
  }
}

void HubDesk::Expect(uint64_t feed, const v1::HubState& hub) {
  if (hub.token().empty()) return;
  const std::lock_guard lock(mutex_);
  by_token_[hub.token()] = {feed, hub.topic(), hub.secret()};
}

void HubDesk::Forget(const std::string& token) {
  const std::lock_guard lock(mutex_);
  by_token_.erase(token);
}

base::HttpResponse HubDesk::Handle(const std::string& token, const base::HttpRequest& request, std::string_view* outcome) {
  const std::lock_guard lock(mutex_);
  const auto it = by_token_.find(token);
  const Subscription* known = it == by_token_.end() ? nullptr : &it->second;
  base::HttpResponse response = request.method == "GET" ? Verify(known, request, outcome) : Receive(known, request, outcome);
  response.content_type = "text/plain";
  return response;
}

// §5.3: the challenge is echoed for what was asked for, everything else is denied.
base::HttpResponse HubDesk::Verify(const Subscription* known, const base::HttpRequest& request, std::string_view* outcome) {
  const std::string mode = request.Query("hub.mode");
  const bool ours = known != nullptr && request.Query("hub.topic") == known->topic;
  base::HttpResponse response;
  if (mode == "denied" && ours) {
    *outcome = "denied";
    events_.push_back({Event::Kind::kDenied, known->feed, 0, {}, {}});
    return response;
  }
  const std::string challenge = request.Query("hub.challenge");
  const bool wanted = mode == "subscribe" ? ours : mode == "unsubscribe" && known == nullptr;
  if (!wanted || challenge.empty()) {
    *outcome = "not_ours";
    response.status = 404;
    return response;
  }
  response.body = challenge;
  *outcome = mode == "subscribe" ? "verified" : "unsubscribed";
  if (mode == "unsubscribe") return response;
  const std::string lease = request.Query("hub.lease_seconds");
  Event event{Event::Kind::kVerified, known->feed, 0, {}, {}};
  std::from_chars(lease.data(), lease.data() + lease.size(), event.lease_s);
  events_.push_back(std::move(event));
  return response;
}

// §7: an answer of 2xx only says that it came in; what is not signed by the hub is dropped (§8).
base::HttpResponse HubDesk::Receive(const Subscription* known, const base::HttpRequest& request, std::string_view* outcome) {
  base::HttpResponse response;
  if (known == nullptr) {
    *outcome = "not_ours";
    response.status = 410;
    return response;
  }
  const auto header = [&request](const char* name) {
    const auto it = request.headers.find(name);
    return it == request.headers.end() ? std::string() : it->second;
  };
  response.status = 202;
  if (!SignatureIsValid(header("x-hub-signature"), known->secret, request.body)) {
    *outcome = "bad_signature";
    return response;
  }
  if (held_bytes_ > 0 && held_bytes_ + request.body.size() > kHeldBytesMax) {
    *outcome = "no_room";
    response.status = 503;
    response.headers.emplace("Retry-After", "60");
    return response;
  }
  *outcome = "document";
  held_bytes_ += request.body.size();
  events_.push_back({Event::Kind::kDocument, known->feed, 0, request.body, header("content-type")});
  return response;
}

std::vector<HubDesk::Event> HubDesk::Take() {
  const std::lock_guard lock(mutex_);
  held_bytes_ = 0;
  return std::exchange(events_, {});
}

}  // namespace racewatch::ingest
