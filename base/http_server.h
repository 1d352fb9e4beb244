// The one HTTP server of a process: /metrics, /-/healthy, /-/ready, and whatever a role adds (API, page).
// cpp-httplib behind it, kept out of this header. Handlers run on the server's threads, several at once;
// they must be thread-safe and outlive Stop. No TLS, no authentication: loopback or behind a proxy.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace prometheus {
class Collectable;
}

namespace racewatch::base {

struct HttpRequest {
  std::string method;
  std::string path;
  std::multimap<std::string, std::string> query;
  std::multimap<std::string, std::string> headers;  // names in lower case
  std::string body;
  std::vector<std::string> captures;  // groups of the route's regular expression
  // First value of a query parameter, or `otherwise`.
  std::string Query(const std::string& name, std::string otherwise = "") const;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::multimap<std::string, std::string> headers;
  // Set for a stream: called again and again on the connection's thread; writes what is new through the
  // sink and returns false to end. The sink returns false once the client has gone.
  std::function<bool(const std::function<bool(std::string_view)>& write)> stream;
};

using HttpHandler = std::function<HttpResponse(const HttpRequest&)>;

class HttpServer {
 public:
  struct Options {
    std::string listen;  // host:port; port 0 picks a free one
    size_t threads = 8;
    size_t body_bytes_max = 1u << 20;
  };
  explicit HttpServer(Options options);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Before Start only. `pattern` is an ECMAScript regular expression for the whole path.
  void Handle(const std::string& method, const std::string& pattern, HttpHandler handler);
  // What /metrics shows, in order of registration. Collectables outlive the server.
  void ExportMetrics(std::shared_ptr<prometheus::Collectable> collectable);
  // /-/ready answers 200 when `ready` gives an empty string, else 503 with that text.
  void SetReadiness(std::function<std::string()> ready);

  // UNAVAILABLE when the address is taken or not ours.
  Status Start();
  void Stop();
  int port() const;  // after Start

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace racewatch::base
