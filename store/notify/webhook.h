// One delivery as HTTP: CloudEvents 1.0 (a single alert in binary mode, several as a JSON batch) with a signature over
// `timestamp.body`, so that a receiver can tell who sent it and that it is not an old one sent again. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/http_client.h"

namespace racewatch::v1 {
class Alert;
}

namespace racewatch::store {

// HMAC-SHA256 (RFC 2104, FIPS 180-4) in lower-case hexadecimal.
std::string HmacSha256(std::string_view secret, std::string_view text);

// The same for the same subscriber and alerts: 32 hexadecimal digits.
std::string DeliveryId(const std::string& subscriber, const std::vector<v1::Alert>& alerts);

struct DeliveryOptions {
  std::string subscriber;
  std::vector<std::string> secrets;
  bool batch = false;  // several alerts, or one that may come with others another time
};

// The body and headers for `alerts` (at least one) at `now`. The delivery id is the same in every try of the same alerts.
//   racewatch-delivery: 32 hexadecimal digits     racewatch-timestamp: Unix seconds
//   racewatch-signature: v1=HEX, one for each secret, comma separated
base::HttpCall MakeDelivery(const DeliveryOptions& options, const std::vector<v1::Alert>& alerts, base::UnixMs now);

}  // namespace racewatch::store
