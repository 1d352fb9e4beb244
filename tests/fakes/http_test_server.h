// A loopback web server for tests of clients, with switches for every way a server misbehaves. Raw
// sockets, one thread per connection, keep-alive, so that a test says exactly which bytes go out. RAII: the
// port is free and every thread gone after the destructor. Paths are set and read from any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace racewatch::fakes {

struct TestRequest {
  std::string method;
  std::string target;  // path with query
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  std::string Header(const std::string& name) const;  // empty when absent
};

// Writes bytes to the client; false once the client has gone or the server ends.
using TestWriter = std::function<bool(std::string_view)>;

struct TestReply {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  // Set for a reply that is more than status, headers and body: writes everything itself, then the
  // connection is closed.
  std::function<void(const TestWriter&)> raw;
};

using TestHandler = std::function<TestReply(const TestRequest&)>;

class HttpTestServer {
 public:
  HttpTestServer();
  ~HttpTestServer();
  HttpTestServer(const HttpTestServer&) = delete;
  HttpTestServer& operator=(const HttpTestServer&) = delete;

  int port() const;
  std::string Url(const std::string& path) const;  // http://127.0.0.1:PORT + path
  std::string address() const;                     // 127.0.0.1:PORT

  // What a path (without query) answers. Unknown paths: 404.
  void Serve(const std::string& path, TestReply reply);
  void Serve(const std::string& path, TestHandler handler);
  // One reply after another; the last one stays.
  void ServeInTurn(const std::string& path, std::vector<TestReply> replies);

  int hits(const std::string& path) const;
  TestRequest LastRequest(const std::string& path) const;
  int connections() const;  // accepted so far

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// -- replies --
TestReply Body(std::string body, std::string content_type = "application/xml");
TestReply Redirect(int status, std::string location);
// 200 with the body and these validators, or 304 when the request carries one of them byte for byte.
TestHandler WithValidators(std::string body, std::string etag, std::string last_modified = "");
TestReply Encoded(std::string bytes, std::string content_encoding);
std::string Gzip(std::string_view text);
std::string Zstd(std::string_view text);
std::string Brotli(std::string_view text);
// A header that never ends, a body that never ends, a body of one byte per `pause`.
TestReply EndlessHeaders();
TestReply EndlessBody();
TestReply Trickle(std::chrono::milliseconds pause);
// Takes the request and says nothing, until the client or the server goes.
TestReply Silence();

}  // namespace racewatch::fakes
