// Any bytes through the small parsers that read what servers, hubs and operators send beside documents: Link headers,
// signatures, cache and retry headers, robots.txt, addresses, requests to change the feed list, feed lists.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "ingest/dates.h"
#include "ingest/feed_list.h"
#include "ingest/feed_requests.h"
#include "ingest/interval.h"
#include "ingest/robots.h"
#include "ingest/url.h"
#include "ingest/websub.h"

namespace {

using namespace racewatch::ingest;  // NOLINT: one file, one room

void Check(bool good) {
  if (!good) std::abort();
}

void Links(std::string_view input) {
  const auto links = ParseLinkHeader(input);
  Check(links.size() <= 64);
  for (const WebLink& link : links) {
    Check(!link.relation.empty());
    Check(link.relation.find(' ') == std::string::npos);
    Check(link.target.find('>') == std::string::npos);
  }
}

void Hub(std::string_view input) {
  const size_t half = input.size() / 2;
  racewatch::v1::HubState hub;
  hub.set_token("0123");
  hub.set_topic(std::string(input.substr(0, half)));
  hub.set_secret("secret");
  HubDesk desk;
  desk.Expect(1, hub);
  racewatch::base::HttpRequest request;
  request.method = "POST";
  request.body = std::string(input.substr(0, half));
  request.headers = {{"x-hub-signature", std::string(input.substr(half))}};
  std::string_view outcome;
  Check(desk.Handle("0123", request, &outcome).status / 100 == 2);
  Check(outcome == "bad_signature");  // nobody guesses an HMAC
  request.method = "GET";
  request.query = {{"hub.mode", "subscribe"}, {"hub.topic", hub.topic()}, {"hub.challenge", std::string(input.substr(half))},
                   {"hub.lease_seconds", std::string(input.substr(half))}};
  const auto answer = desk.Handle("0123", request, &outcome);
  Check(answer.status == 404 || answer.body == input.substr(half));
  for (const HubDesk::Event& event : desk.Take()) ApplyHubVerified(event.lease_s, 1'767'571'200'000, &hub);
  Check(hub.standing() != racewatch::v1::HUB_STANDING_ACTIVE || hub.lease_until_ms() > 1'767'571'200'000);
}

void Headers(std::string_view input) {
  if (const auto age = ParseMaxAge(input)) Check(*age >= 0);
  ParseHttpDate(input);
  ParseRetryAfter(input, 1'767'571'200'000);
  const RobotsRules rules = RobotsRules::Parse(input, "racewatch");
  Check(rules.Allows("/robots.txt"));
  rules.Allows(input.substr(0, 1000));
}

void Addresses(std::string_view input) {
  (void)FilePath(input);
  (void)RegistrableDomain(UrlHost(input));
  const auto canonical = Canonicalize(input);
  if (!canonical) return;
  const auto again = Canonicalize(canonical->url);
  Check(again && again->url == canonical->url && again->key == canonical->key);
}

void Lists(std::string_view input) {
  if (const auto feed = ParseListedFeed(input); feed.ok())
    Check(!feed->url().empty());
  else
    Check(!feed.status().message().empty());
  if (const auto feeds = ParseOpml(input); feeds.ok()) {
    const auto again = ParseOpml(WriteOpml(*feeds, "fuzz"));
    Check(again.ok());
    size_t added = 0;
    if (const auto merged = AddToOpml(input, *feeds, &added); merged.ok()) Check(added <= feeds->size() && ParseOpml(*merged).ok());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.empty()) return 0;
  const std::string_view rest = input.substr(1);
  switch (data[0] % 5) {
    case 0: Links(rest); break;
    case 1: Hub(rest); break;
    case 2: Headers(rest); break;
    case 3: Addresses(rest); break;
    default: Lists(rest);
  }
  return 0;
}
