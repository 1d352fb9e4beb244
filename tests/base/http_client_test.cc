#include "base/http_client.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "tests/fakes/http_test_server.h"

namespace racewatch::base {
namespace {

using fakes::Body;
using fakes::HttpTestServer;
using fakes::Redirect;
using std::chrono::milliseconds;

class HttpClientTest : public testing::Test {
 protected:
  HttpClient& Client() {
    if (!client_) client_ = std::make_unique<HttpClient>(options_);
    return *client_;
  }
  HttpReply Get(HttpCall call) {
    std::optional<HttpReply> reply;
    Client().Start(std::move(call), [&](HttpReply r) { reply = std::move(r); });
    while (!reply) Client().Poll(milliseconds(100));
    return std::move(*reply);
  }
  HttpReply Get(const std::string& url) {
    HttpCall call;
    call.url = url;
    return Get(std::move(call));
  }

  HttpTestServer server_;
  HttpClient::Options options_ = [] {
    HttpClient::Options o;
    o.allow_private_addresses = true;
    return o;
  }();
  std::unique_ptr<HttpClient> client_;
};

TEST_F(HttpClientTest, ReturnsStatusHeadersAndBody) {
  server_.Serve("/a", Body("hello", "text/plain"));
  const HttpReply reply = Get(server_.Url("/a"));
  ASSERT_TRUE(reply.status.ok()) << reply.status.ToString();
  EXPECT_EQ(reply.http_status, 200);
  EXPECT_EQ(reply.body, "hello");
  ASSERT_NE(reply.Header("content-type"), nullptr);
  EXPECT_EQ(*reply.Header("content-type"), "text/plain");
  EXPECT_EQ(reply.url, server_.Url("/a"));
}

TEST_F(HttpClientTest, AnHttpErrorIsAnAnswerNotAFailure) {
  const HttpReply reply = Get(server_.Url("/nothing"));
  EXPECT_TRUE(reply.status.ok());
  EXPECT_EQ(reply.http_status, 404);
}

TEST_F(HttpClientTest, DecodesGzipZstdAndBrotli) {
  server_.Serve("/gzip", fakes::Encoded(fakes::Gzip("hello world"), "gzip"));
  server_.Serve("/zstd", fakes::Encoded(fakes::Zstd("hello world"), "zstd"));
  server_.Serve("/br", fakes::Encoded(std::string("\x0b\x05\x80hello world\x03", 15), "br"));
  EXPECT_EQ(Get(server_.Url("/gzip")).body, "hello world");
  EXPECT_EQ(Get(server_.Url("/zstd")).body, "hello world");
  EXPECT_EQ(Get(server_.Url("/br")).body, "hello world");
  EXPECT_THAT(server_.LastRequest("/br").Header("accept-encoding"),
              testing::AllOf(testing::HasSubstr("gzip"), testing::HasSubstr("br"), testing::HasSubstr("zstd")));
}

TEST_F(HttpClientTest, StopsABombAtTheDecodedSize) {
  const std::string zeros(20u << 20, '\0');
  server_.Serve("/gzip", fakes::Encoded(fakes::Gzip(zeros), "gzip"));
  server_.Serve("/zstd", fakes::Encoded(fakes::Zstd(zeros), "zstd"));
  server_.Serve("/nested", fakes::Encoded(fakes::Gzip(fakes::Gzip(zeros)), "gzip, gzip"));
  for (const char* path : {"/gzip", "/zstd", "/nested"}) {
    HttpCall call;
    call.url = server_.Url(path);
    call.body_bytes_max = 1u << 20;
    const HttpReply reply = Get(std::move(call));
    EXPECT_EQ(reply.failure, HttpFailure::kTooLarge) << path;
    EXPECT_LE(reply.body.size(), 1u << 20);
  }
}

TEST_F(HttpClientTest, StopsABodyThatNeverEnds) {
  server_.Serve("/endless", fakes::EndlessBody());
  const HttpReply reply = Get(server_.Url("/endless"));
  EXPECT_EQ(reply.failure, HttpFailure::kTooLarge);
  EXPECT_THAT(reply.status.message(), testing::HasSubstr("body larger than 16777216 bytes"));
}

TEST_F(HttpClientTest, StopsHeadersThatNeverEnd) {
  server_.Serve("/headers", fakes::EndlessHeaders());
  EXPECT_EQ(Get(server_.Url("/headers")).failure, HttpFailure::kHeadersTooLarge);
}

TEST_F(HttpClientTest, GivesUpOnAnAnswerThatDripsIn) {
  server_.Serve("/drip", fakes::Trickle(milliseconds(20)));
  options_.low_speed_bytes = 1000;
  options_.low_speed_time = std::chrono::seconds(1);
  EXPECT_EQ(Get(server_.Url("/drip")).failure, HttpFailure::kTimeout);
}

TEST_F(HttpClientTest, TheTimeoutCoversAllRedirectsTogether) {
  server_.Serve("/a", Redirect(302, "/b"));
  server_.Serve("/b", fakes::Trickle(milliseconds(20)));
  HttpCall call;
  call.url = server_.Url("/a");
  call.timeout = milliseconds(300);
  const HttpReply reply = Get(std::move(call));
  EXPECT_EQ(reply.failure, HttpFailure::kTimeout);
  EXPECT_EQ(reply.hops.size(), 1u);
}

TEST_F(HttpClientTest, FollowsRedirectsAndRecordsEachHop) {
  server_.Serve("/a", Redirect(301, "/b?x=1"));
  server_.Serve("/b", Redirect(308, server_.Url("/c")));
  server_.Serve("/c", Body("end"));
  const HttpReply reply = Get(server_.Url("/a"));
  EXPECT_EQ(reply.body, "end");
  EXPECT_EQ(reply.url, server_.Url("/c"));
  ASSERT_EQ(reply.hops.size(), 2u);
  EXPECT_EQ(reply.hops[0].status, 301);
  EXPECT_EQ(reply.hops[1].status, 308);
  EXPECT_EQ(reply.hops[1].url, server_.Url("/b?x=1"));
}

TEST_F(HttpClientTest, EndsARedirectLoop) {
  server_.Serve("/loop", Redirect(302, "/loop"));
  EXPECT_EQ(Get(server_.Url("/loop")).failure, HttpFailure::kTooManyRedirects);
  EXPECT_EQ(server_.hits("/loop"), 11);
}

TEST_F(HttpClientTest, RefusesARedirectToAnotherScheme) {
  for (const char* target : {"file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1:70/"}) {
    server_.Serve("/a", Redirect(302, target));
    EXPECT_EQ(Get(server_.Url("/a")).failure, HttpFailure::kBadUrl) << target;
  }
}

TEST_F(HttpClientTest, KeepsCredentialsToTheHostTheyAreFor) {
  HttpTestServer other;
  other.Serve("/b", Body("b"));
  server_.Serve("/a", Redirect(302, other.Url("/b")));
  HttpCall call;
  call.url = server_.Url("/a");
  call.headers = {{"Authorization", "Bearer s3"}, {"X-Other", "1"}};
  EXPECT_EQ(Get(std::move(call)).body, "b");
  EXPECT_EQ(server_.LastRequest("/a").Header("authorization"), "Bearer s3");
  EXPECT_EQ(other.LastRequest("/b").Header("authorization"), "");
  EXPECT_EQ(other.LastRequest("/b").Header("x-other"), "1");
}

TEST_F(HttpClientTest, DoesNotConnectToAPrivateAddress) {
  options_.allow_private_addresses = false;
  server_.Serve("/a", Body("secret"));
  const HttpReply reply = Get(server_.Url("/a"));
  EXPECT_EQ(reply.failure, HttpFailure::kBlockedAddress);
  EXPECT_THAT(reply.status.message(), testing::HasSubstr("127.0.0.1 is in a private network"));
  EXPECT_EQ(Get("http://localhost:" + std::to_string(server_.port()) + "/a").failure, HttpFailure::kBlockedAddress);
  EXPECT_EQ(server_.connections(), 0);
}

TEST_F(HttpClientTest, SaysWhatIsUnreachable) {
  int port = 0;
  { port = HttpTestServer().port(); }  // free again: nobody listens
  const HttpReply reply = Get("http://127.0.0.1:" + std::to_string(port) + "/x");
  EXPECT_EQ(reply.failure, HttpFailure::kUnreachable);
  EXPECT_TRUE(reply.status.retryable());
  EXPECT_THAT(reply.status.message(), testing::StartsWith("GET http://127.0.0.1:"));
}

TEST_F(HttpClientTest, PostsTheBodyAndDoesNotFollowRedirectsOfIt) {
  server_.Serve("/hook", Redirect(302, "/elsewhere"));
  HttpCall call;
  call.method = "POST";
  call.url = server_.Url("/hook");
  call.body = "{\"a\":1}";
  const HttpReply reply = Get(std::move(call));
  EXPECT_EQ(reply.http_status, 302);
  EXPECT_EQ(server_.LastRequest("/hook").body, "{\"a\":1}");
  EXPECT_EQ(server_.hits("/elsewhere"), 0);
}

TEST_F(HttpClientTest, ReusesConnections) {
  server_.Serve("/a", Body("a"));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Get(server_.Url("/a")).body, "a");
  EXPECT_EQ(server_.connections(), 1);
}

TEST_F(HttpClientTest, RunsManyCallsAtOnce) {
  server_.Serve("/a", Body("a"));
  int done = 0;
  for (int i = 0; i < 200; ++i) {
    HttpCall call;
    call.url = server_.Url("/a");
    Client().Start(std::move(call), [&](const HttpReply& reply) { done += reply.body == "a"; });
  }
  while (Client().in_flight() > 0) Client().Poll(milliseconds(100));
  EXPECT_EQ(done, 200);
  EXPECT_LE(server_.connections(), 6);  // connections_per_host_max
}

TEST_F(HttpClientTest, CancelAllEndsEveryCallWithACallback) {
  server_.Serve("/drip", fakes::Trickle(milliseconds(20)));
  HttpCall call;
  call.url = server_.Url("/drip");
  HttpFailure failure = HttpFailure::kNone;
  Client().Start(std::move(call), [&](const HttpReply& reply) { failure = reply.failure; });
  while (server_.hits("/drip") == 0) Client().Poll(milliseconds(10));
  Client().CancelAll();
  EXPECT_EQ(failure, HttpFailure::kCancelled);
  EXPECT_EQ(Client().in_flight(), 0u);
}

TEST_F(HttpClientTest, ConnectToSendsEveryHostToOneAddress) {
  options_.connect_to = server_.address();
  server_.Serve("/a", Body("demo"));
  EXPECT_EQ(Get("http://news.example/a").body, "demo");
  EXPECT_EQ(server_.LastRequest("/a").Header("host"), "news.example");
}

// -- names that move (DNS rebinding) --

// 127.0.0.1 stands for the open network here, every other loopback address for a private one.
bool OnlyOneIsPublic(const sockaddr* address) {
  sockaddr_in in;
  std::memcpy(&in, address, sizeof in);
  return address->sa_family != AF_INET || in.sin_addr.s_addr != htonl(INADDR_LOOPBACK);
}

TEST_F(HttpClientTest, RefusesANameThatMovesIntoAPrivateNetwork) {
  options_.allow_private_addresses = false;
  options_.is_private = &OnlyOneIsPublic;
  std::string address = "127.0.0.1";
  options_.resolve = [&](const std::string&) { return address; };
  server_.Serve("/a", [](const fakes::TestRequest&) {
    fakes::TestReply reply = Body("public");
    reply.headers.emplace_back("Connection", "close");
    return reply;
  });
  const std::string url = "http://rebind.example:" + std::to_string(server_.port()) + "/a";
  EXPECT_EQ(Get(url).body, "public");
  for (const char* moved : {"127.0.0.2", "10.0.0.1", "169.254.169.254", "[::1]", "127.0.0.2,127.0.0.3"}) {
    address = moved;
    EXPECT_EQ(Get(url).failure, HttpFailure::kBlockedAddress) << moved;
  }
  EXPECT_EQ(server_.connections(), 1);
  address = "127.0.0.1";
  EXPECT_EQ(Get(url).body, "public");
}

TEST_F(HttpClientTest, RefusesARedirectIntoAPrivateNetwork) {
  options_.allow_private_addresses = false;
  options_.is_private = &OnlyOneIsPublic;
  const std::string port = std::to_string(server_.port());
  for (const std::string& target : {"http://127.0.0.2:" + port + "/b", std::string("http://169.254.169.254/latest/meta-data"), "http://[::1]:" + port + "/b",
                                   "http://0x7f000002:" + port + "/b"}) {
    server_.Serve("/a", Redirect(302, target));
    const HttpReply reply = Get(server_.Url("/a"));
    EXPECT_EQ(reply.failure, HttpFailure::kBlockedAddress) << target;
    EXPECT_EQ(reply.hops.size(), 1u);
  }
  EXPECT_EQ(server_.hits("/b"), 0);
}

// -- HTTP/2, against nghttpd --

class Http2Test : public HttpClientTest {
 protected:
  void SetUp() override {
    if (std::system("command -v nghttpd >/dev/null && command -v openssl >/dev/null") != 0) GTEST_SKIP() << "needs nghttpd (package nghttp2-server)";
    std::string pattern = (std::filesystem::temp_directory_path() / "racewatch-h2-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    std::ofstream(folder_ + "/feed.xml") << "over http/2";
    const std::string make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost "
                             "-addext subjectAltName=DNS:localhost -keyout " + folder_ + "/key.pem -out " + folder_ + "/cert.pem 2>/dev/null";
    ASSERT_EQ(std::system(make.c_str()), 0);
    port_ = HttpTestServer().port();  // free again
    child_ = fork();
    if (child_ == 0) {
      execlp("nghttpd", "nghttpd", "-a", "127.0.0.1", "-d", folder_.c_str(), std::to_string(port_).c_str(),
             (folder_ + "/key.pem").c_str(), (folder_ + "/cert.pem").c_str(), nullptr);
      _exit(127);
    }
    options_.ca_file = folder_ + "/cert.pem";
    while (Get(Url()).failure == HttpFailure::kUnreachable) ASSERT_EQ(waitpid(child_, nullptr, WNOHANG), 0) << "nghttpd ended";
  }
  void TearDown() override {
    if (child_ > 0) {
      kill(child_, SIGKILL);
      waitpid(child_, nullptr, 0);
    }
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }
  std::string Url() const { return "https://localhost:" + std::to_string(port_) + "/feed.xml"; }

  std::string folder_;
  int port_ = 0;
  pid_t child_ = -1;
};

TEST_F(Http2Test, IsSpokenOverTlsAndCarriesConditionalRequests) {
  HttpReply reply = Get(Url());
  ASSERT_TRUE(reply.status.ok()) << reply.status.ToString();
  EXPECT_EQ(reply.http_version, 20);
  EXPECT_EQ(reply.body, "over http/2");
  ASSERT_NE(reply.Header("last-modified"), nullptr);
  HttpCall call;
  call.url = Url();
  call.headers = {{"If-Modified-Since", *reply.Header("last-modified")}};
  reply = Get(std::move(call));
  EXPECT_EQ(reply.http_status, 304);
  EXPECT_EQ(reply.http_version, 20);
}

TEST_F(Http2Test, ACertificateThatNobodyVouchesForIsRefused) {
  options_.ca_file.clear();
  client_.reset();
  EXPECT_EQ(Get(Url()).failure, HttpFailure::kTls);
}

bool Private(const char* text) {
  sockaddr_in v4{};
  if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    return IsPrivateAddress(reinterpret_cast<sockaddr*>(&v4));
  }
  sockaddr_in6 v6{};
  EXPECT_EQ(inet_pton(AF_INET6, text, &v6.sin6_addr), 1) << text;
  v6.sin6_family = AF_INET6;
  return IsPrivateAddress(reinterpret_cast<sockaddr*>(&v6));
}

TEST(AddressGuardTest, KnowsNetworksThatAreNotPublic) {
  for (const char* address : {"0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1",
                              "172.31.255.255", "192.168.1.1", "198.18.0.1", "224.0.0.1", "255.255.255.255", "::", "::1",
                              "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "fc00::1", "fd12::1", "fe80::1", "ff02::1",
                              "2002:7f00:1::", "2001:db8::1"})
    EXPECT_TRUE(Private(address)) << address;
  for (const char* address : {"1.1.1.1", "8.8.8.8", "100.128.0.1", "172.32.0.1", "192.167.1.1", "223.255.255.255", "2606:4700::1111",
                              "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::808:808"})
    EXPECT_FALSE(Private(address)) << address;
}

TEST(LoopbackUrlTest, KnowsLoopbackHosts) {
  EXPECT_TRUE(IsLoopbackUrl("http://localhost:8080/x"));
  EXPECT_TRUE(IsLoopbackUrl("http://127.0.0.1/"));
  EXPECT_TRUE(IsLoopbackUrl("https://[::1]:443/"));
  EXPECT_FALSE(IsLoopbackUrl("http://127.0.0.1.example.com/"));
  EXPECT_FALSE(IsLoopbackUrl("http://10.0.0.1/"));
  EXPECT_FALSE(IsLoopbackUrl("file:/etc/passwd"));
}

}  // namespace
}  // namespace racewatch::base
