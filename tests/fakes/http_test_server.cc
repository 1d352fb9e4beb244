#include "tests/fakes/http_test_server.h"

#include <brotli/encode.h>
#include <libdeflate.h>
#include <sys/socket.h>
#include <zstd.h>

#include <algorithm>
#include <cctype>
#include <thread>

#include "tests/fakes/loopback_server.h"

namespace racewatch::fakes {

std::string TestRequest::Header(const std::string& name) const {
  const auto it = headers.find(name);
  return it == headers.end() ? std::string() : it->second;
}

struct HttpTestServer::Impl {
  mutable std::mutex mutex;
  std::map<std::string, TestHandler> handlers;
  std::map<std::string, std::vector<TestRequest>> requests;
  LoopbackServer server;  // last: its threads use the rest

  void Talk(int fd);
  bool ReadRequest(int fd, std::string* buffer, TestRequest* request) const;
  bool Answer(int fd, const TestRequest& request);
  bool Write(int fd, std::string_view bytes) const;
};

namespace {

std::string Lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

std::string PathOf(const std::string& target) { return target.substr(0, target.find('?')); }

void ParseHead(const std::string& head, TestRequest* request) {
  size_t at = head.find("\r\n");
  const std::string first = head.substr(0, at);
  const size_t space = first.find(' ');
  request->method = first.substr(0, space);
  request->target = first.substr(space + 1, first.find(' ', space + 1) - space - 1);
  while (at != std::string::npos && at + 2 < head.size()) {
    const size_t begin = at + 2;
    at = head.find("\r\n", begin);
    const std::string line = head.substr(begin, at == std::string::npos ? at : at - begin);
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const size_t value = line.find_first_not_of(' ', colon + 1);
    request->headers[Lower(line.substr(0, colon))] = value == std::string::npos ? "" : line.substr(value);
  }
}

}  // namespace

bool HttpTestServer::Impl::Write(int fd, std::string_view bytes) const {
  char next;
  if (bytes.empty()) return !server.stopping() && recv(fd, &next, 1, MSG_PEEK | MSG_DONTWAIT) != 0;  // 0: the client has gone
  while (!bytes.empty()) {
    if (server.stopping()) return false;
    const ssize_t n = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

bool HttpTestServer::Impl::ReadRequest(int fd, std::string* buffer, TestRequest* request) const {
  char chunk[16384];
  while (buffer->find("\r\n\r\n") == std::string::npos) {
    const ssize_t n = recv(fd, chunk, sizeof chunk, 0);
    if (n <= 0) return false;
    buffer->append(chunk, static_cast<size_t>(n));
  }
  const size_t end = buffer->find("\r\n\r\n");
  ParseHead(buffer->substr(0, end), request);
  buffer->erase(0, end + 4);
  const std::string length = request->Header("content-length");
  const size_t wanted = length.empty() ? 0 : std::stoul(length);
  while (buffer->size() < wanted) {
    const ssize_t n = recv(fd, chunk, sizeof chunk, 0);
    if (n <= 0) return false;
    buffer->append(chunk, static_cast<size_t>(n));
  }
  request->body = buffer->substr(0, wanted);
  buffer->erase(0, wanted);
  return true;
}

bool HttpTestServer::Impl::Answer(int fd, const TestRequest& request) {
  TestHandler handler;
  {
    const std::lock_guard lock(mutex);
    const std::string path = PathOf(request.target);
    requests[path].push_back(request);
    const auto it = handlers.find(path);
    if (it != handlers.end()) handler = it->second;
  }
  const TestReply reply = handler ? handler(request) : TestReply{404, {}, "not here", {}};
  if (reply.raw) {
    reply.raw([this, fd](std::string_view bytes) { return Write(fd, bytes); });
    return false;
  }
  std::string out = "HTTP/1.1 " + std::to_string(reply.status) + " Status\r\n";
  for (const auto& [name, value] : reply.headers) out += name + ": " + value + "\r\n";
  if (reply.status != 304) out += "Content-Length: " + std::to_string(reply.body.size()) + "\r\n";
  out += "\r\n";
  if (request.method != "HEAD" && reply.status != 304) out += reply.body;
  return Write(fd, out);
}

void HttpTestServer::Impl::Talk(int fd) {
  std::string buffer;
  TestRequest request;
  while (!server.stopping() && ReadRequest(fd, &buffer, &request) && Answer(fd, request)) request = {};
}

HttpTestServer::HttpTestServer() : impl_(std::make_unique<Impl>()) {
  impl_->server.Start([impl = impl_.get()](int fd) { impl->Talk(fd); });
}
HttpTestServer::~HttpTestServer() = default;

int HttpTestServer::port() const { return impl_->server.port(); }
std::string HttpTestServer::address() const { return "127.0.0.1:" + std::to_string(port()); }
std::string HttpTestServer::Url(const std::string& path) const { return "http://" + address() + path; }
int HttpTestServer::connections() const { return impl_->server.connections(); }

void HttpTestServer::Serve(const std::string& path, TestHandler handler) {
  const std::lock_guard lock(impl_->mutex);
  impl_->handlers[path] = std::move(handler);
}

void HttpTestServer::Serve(const std::string& path, TestReply reply) {
  Serve(path, [reply = std::move(reply)](const TestRequest&) { return reply; });
}

void HttpTestServer::ServeInTurn(const std::string& path, std::vector<TestReply> replies) {
  auto turn = std::make_shared<std::atomic<size_t>>(0);
  Serve(path, [turn, replies = std::move(replies)](const TestRequest&) {
    return replies[std::min(turn->fetch_add(1), replies.size() - 1)];
  });
}

int HttpTestServer::hits(const std::string& path) const {
  const std::lock_guard lock(impl_->mutex);
  const auto it = impl_->requests.find(path);
  return it == impl_->requests.end() ? 0 : static_cast<int>(it->second.size());
}

TestRequest HttpTestServer::LastRequest(const std::string& path) const {
  const std::lock_guard lock(impl_->mutex);
  const auto it = impl_->requests.find(path);
  return it == impl_->requests.end() ? TestRequest() : it->second.back();
}

TestReply Body(std::string body, std::string content_type) {
  return {200, {{"Content-Type", std::move(content_type)}}, std::move(body), {}};
}

TestReply Redirect(int status, std::string location) { return {status, {{"Location", std::move(location)}}, "moved", {}}; }

TestHandler WithValidators(std::string body, std::string etag, std::string last_modified) {
  return [=](const TestRequest& request) {
    TestReply reply = Body(body);
    if (!etag.empty()) reply.headers.emplace_back("ETag", etag);
    if (!last_modified.empty()) reply.headers.emplace_back("Last-Modified", last_modified);
    const bool same = (!etag.empty() && request.Header("if-none-match") == etag) ||
                      (!last_modified.empty() && request.Header("if-modified-since") == last_modified);
    if (same) reply.status = 304;
    return reply;
  };
}

TestReply Encoded(std::string bytes, std::string content_encoding) {
  TestReply reply = Body(std::move(bytes));
  reply.headers.emplace_back("Content-Encoding", std::move(content_encoding));
  return reply;
}

std::string Gzip(std::string_view text) {
  libdeflate_compressor* compressor = libdeflate_alloc_compressor(6);
  std::string out(libdeflate_gzip_compress_bound(compressor, text.size()), '\0');
  out.resize(libdeflate_gzip_compress(compressor, text.data(), text.size(), out.data(), out.size()));
  libdeflate_free_compressor(compressor);
  return out;
}

std::string Zstd(std::string_view text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

std::string Brotli(std::string_view text) {
  size_t size = BrotliEncoderMaxCompressedSize(text.size());
  std::string out(size, '\0');
  BrotliEncoderCompress(5, BROTLI_DEFAULT_WINDOW, BROTLI_MODE_TEXT, text.size(), reinterpret_cast<const uint8_t*>(text.data()), &size,
                        reinterpret_cast<uint8_t*>(out.data()));
  out.resize(size);
  return out;
}

TestReply EndlessHeaders() {
  TestReply reply;
  reply.raw = [](const TestWriter& write) {
    bool open = write("HTTP/1.1 200 OK\r\n");
    const std::string line = "X-More: " + std::string(1000, 'x') + "\r\n";
    while (open) open = write(line);
  };
  return reply;
}

TestReply EndlessBody() {
  TestReply reply;
  reply.raw = [](const TestWriter& write) {
    bool open = write("HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\n\r\n<rss><channel>");
    const std::string chunk(16384, ' ');
    while (open) open = write(chunk);
  };
  return reply;
}

TestReply Trickle(std::chrono::milliseconds pause) {
  TestReply reply;
  reply.raw = [pause](const TestWriter& write) {
    bool open = write("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
    while (open) {
      open = write(" ");
      std::this_thread::sleep_for(pause);
    }
  };
  return reply;
}

TestReply Silence() {
  TestReply reply;
  reply.raw = [](const TestWriter& write) {
    while (write("")) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  };
  return reply;
}

}  // namespace racewatch::fakes
