#include "store/notify/webhook.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "racewatch/v1/alert.pb.h"
#include "store/alert/alert_json.h"

namespace racewatch::store {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kKafkaPrefix = "ce_";

// The event in CloudEvents' JSON format, with the alert as its data.
Json Structured(const v1::Alert& alert) {
  Json event = Json::object();
  for (const auto& [name, value] : AlertHeaders(alert)) {
    if (name.starts_with(kKafkaPrefix)) event[name.substr(kKafkaPrefix.size())] = value;
    else event["datacontenttype"] = value;
  }
  event["data"] = Json::parse(AlertJson(alert));
  return event;
}

}  // namespace

std::string DeliveryId(const std::string& subscriber, const std::vector<v1::Alert>& alerts) {
  std::string text = subscriber;
  for (const v1::Alert& alert : alerts) text += "|" + alert.id() + "/" + std::to_string(alert.sequence());
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  char id[33];
  std::snprintf(id, sizeof id, "%016llx%016llx", static_cast<unsigned long long>(hash.high64),
                static_cast<unsigned long long>(hash.low64));
  return id;
}

std::string HmacSha256(std::string_view secret, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), reinterpret_cast<const unsigned char*>(text.data()),
       text.size(), digest.data(), &size);
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) {
    constexpr char kDigits[] = "0123456789abcdef";
    hex += kDigits[digest[i] >> 4];
    hex += kDigits[digest[i] & 15];
  }
  return hex;
}

base::HttpCall MakeDelivery(const DeliveryOptions& options, const std::vector<v1::Alert>& alerts, base::UnixMs now) {
  base::HttpCall call;
  call.method = "POST";
  call.redirects_max = 0;
  if (options.batch) {
    Json events = Json::array();
    for (const v1::Alert& alert : alerts) events.push_back(Structured(alert));
    call.body = events.dump();
    call.headers.emplace_back("content-type", "application/cloudevents-batch+json");
  } else {
    call.body = AlertJson(alerts.front());
    for (const auto& [name, value] : AlertHeaders(alerts.front()))
      call.headers.emplace_back(name.starts_with(kKafkaPrefix) ? "ce-" + name.substr(kKafkaPrefix.size()) : name, value);
  }
  const std::string timestamp = std::to_string(now / 1000);
  std::string signature;
  for (const std::string& secret : options.secrets)
    signature += (signature.empty() ? "v1=" : ",v1=") + HmacSha256(secret, timestamp + "." + call.body);
  call.headers.emplace_back("racewatch-delivery", DeliveryId(options.subscriber, alerts));
  call.headers.emplace_back("racewatch-timestamp", timestamp);
  call.headers.emplace_back("racewatch-signature", signature);
  return call;
}

}  // namespace racewatch::store
