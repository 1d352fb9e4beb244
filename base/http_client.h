// Asynchronous HTTP client over libcurl's multi interface: many calls in flight on the one thread that
// owns it, connections reused, HTTP/2 over TLS, gzip, br and zstd. Used by the fetcher and by webhooks.
// The owner calls Start and Poll; replies come from inside Poll, in the order they finish. Only Wake may
// be called from another thread. Errors are values (HttpReply::status); nothing here throws or logs.
// Every address it connects to, on every redirect, is checked unless `allow_private_addresses` is set.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"

struct sockaddr;

namespace racewatch::base {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

// One request. Redirects are followed for GET and HEAD only.
struct HttpCall {
  std::string method = "GET";
  std::string url;
  HttpHeaders headers;
  HttpHeaders own_headers;  // likewise, but to the origin of `url` only: a redirect elsewhere goes without them
  // http://, https://, socks5:// or socks5h:// HOST:PORT that connects for us: the guard against private addresses
  // does not apply then. Empty: none.
  std::string proxy;
  std::string body;
  std::chrono::milliseconds timeout{30'000};  // the whole call, all redirects included
  size_t body_bytes_max = 16u << 20;          // decoded bytes; more ends the call as kTooLarge
  int redirects_max = 10;                     // 0: a 3xx answer is the reply
};

// Why a call got no HTTP answer of its own.
enum class HttpFailure {
  kNone,
  kBadUrl,            // not http or https, or not parseable (a redirect's target too)
  kUnreachable,       // no such host, refused, reset, no route
  kTls,               // certificate or handshake
  kTimeout,           // too slow as a whole, or below the least speed
  kTooLarge,          // body beyond body_bytes_max
  kHeadersTooLarge,
  kBlockedAddress,    // private, loopback, link-local, shared or multicast network
  kTooManyRedirects,
  kBadEncoding,       // the body does not decode as its Content-Encoding says
  kProtocol,          // not HTTP
  kCancelled,
};

// "unreachable", "too_large" and so on: a closed set for metric labels.
std::string_view HttpFailureName(HttpFailure failure);

struct HttpHop {
  std::string url;  // the address that answered
  int status = 0;   // with this redirect
};

struct HttpReply {
  Status status;  // OK when an HTTP answer came, whatever its number; text `GET URL: why`
  HttpFailure failure = HttpFailure::kNone;
  int http_status = 0;
  int http_version = 0;       // 10, 11, 20; 0: none
  std::string url;            // the address that gave this answer
  std::vector<HttpHop> hops;  // redirects before it, in order
  HttpHeaders headers;        // of the last answer, names in lower case, values byte for byte
  std::string body;           // decoded

  // Value of the first header of that (lower-case) name, or nullptr.
  const std::string* Header(std::string_view name) const;
};

using HttpCallback = std::function<void(HttpReply)>;

// True for addresses a public fetcher must not touch: loopback, private, link-local, shared (CGNAT),
// unique-local, multicast, reserved and unspecified networks, also when mapped into IPv6.
bool IsPrivateAddress(const sockaddr* address);

// True when the host of `url` is a loopback name or literal: localhost, 127.0.0.0/8, [::1].
bool IsLoopbackUrl(std::string_view url);

class HttpClient {
 public:
  struct Options {
    std::string user_agent = "racewatch";
    bool allow_private_addresses = false;
    bool use_proxy_environment = false;  // honour http_proxy and friends
    size_t header_bytes_max = 256u << 10;
    std::chrono::milliseconds connect_timeout{10'000};
    // A call slower than `low_speed_bytes` per second over `low_speed_time` ends as kTimeout.
    long low_speed_bytes = 64;
    std::chrono::seconds low_speed_time{15};
    // host:port that every connection goes to, whatever host the URL names; empty: where the URL says.
    std::string connect_to;
    // PEM file of certificate authorities trusted in place of the system's; empty: the system's.
    std::string ca_file;
    // For tests: the address that a host name stands for, asked anew for each hop; empty: the system knows.
    std::function<std::string(const std::string& host)> resolve;
    // For tests: in place of IsPrivateAddress.
    bool (*is_private)(const sockaddr* address) = nullptr;
    long connections_max = 256;  // kept open for reuse
    long connections_per_host_max = 6;
  };

  explicit HttpClient(Options options);
  ~HttpClient();  // calls in flight end without a callback
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // The callback runs exactly once, from a later Poll. Takes any number of calls; the caller bounds them.
  void Start(HttpCall call, HttpCallback on_reply);

  // Moves everything that is ready; waits up to `wait` for the first event. Callbacks may call Start.
  void Poll(std::chrono::milliseconds wait);

  // Makes a waiting Poll return. Any thread.
  void Wake();

  // Every call in flight ends as kCancelled, its callback run from here.
  void CancelAll();

  size_t in_flight() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace racewatch::base
