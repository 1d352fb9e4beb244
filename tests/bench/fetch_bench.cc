// Conditional GETs answered 304 on loopback, per CPU second of the ingest process: the whole role (schedule,
// validators, state rows, metrics) beside a bare libcurl multi loop as the limit. The server is a process
// of its own, so that its CPU time is not ours.
#include <arpa/inet.h>
#include <benchmark/benchmark.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <prometheus/registry.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/http_server.h"
#include "base/log.h"
#include "base/pause.h"
#include "ingest/ingest_role.h"
#include "racewatch/v1/config.pb.h"
#include "tests/fakes/fake_bus.h"
#include "tests/fakes/manual_clock.h"

namespace racewatch {
namespace {

constexpr int kFeeds = 2000;
constexpr size_t kInFlight = 64;

// Answers 304 to what carries If-None-Match, else a small feed with an ETag. One thread, epoll, keep-alive.
class ServerProcess {
 public:
  ServerProcess() {
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    bind(listener_, reinterpret_cast<sockaddr*>(&address), length);
    listen(listener_, 512);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    child_ = fork();
    if (child_ == 0) Serve();
    close(listener_);
  }
  ~ServerProcess() {
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
  }
  std::string Url(int feed) const { return "http://127.0.0.1:" + std::to_string(port_) + "/f" + std::to_string(feed); }

 private:
  [[noreturn]] void Serve() {
    const int epoll = epoll_create1(0);
    Watch(epoll, listener_);
    std::unordered_map<int, std::string> buffers;
    while (true) {
      epoll_event events[64];
      const int n = epoll_wait(epoll, events, 64, -1);
      for (int i = 0; i < n; ++i) {
        const int fd = events[i].data.fd;
        if (fd == listener_) {
          const int client = accept(listener_, nullptr, nullptr);
          const int one = 1;
          setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
          Watch(epoll, client);
        } else if (!Answer(fd, &buffers[fd])) {
          close(fd);
          buffers.erase(fd);
        }
      }
    }
  }
  static void Watch(int epoll, int fd) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
  }
  static bool Answer(int fd, std::string* buffer) {
    char chunk[8192];
    const ssize_t got = recv(fd, chunk, sizeof chunk, 0);
    if (got <= 0) return false;
    buffer->append(chunk, static_cast<size_t>(got));
    for (size_t end; (end = buffer->find("\r\n\r\n")) != std::string::npos;) {
      const bool conditional = buffer->find("If-None-Match") < end;
      const std::string path = buffer->substr(4, buffer->find(' ', 4) - 4);
      buffer->erase(0, end + 4);
      const std::string feed = "<rss version=\"2.0\"><channel><title>t</title><item><title>One</title><link>https://a.example" +
                               path + "</link></item></channel></rss>";
      const std::string answer = conditional ? "HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\n\r\n"
                                             : "HTTP/1.1 200 OK\r\nETag: \"v1\"\r\nContent-Length: " +
                                                   std::to_string(feed.size()) + "\r\n\r\n" + feed;
      if (send(fd, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) return false;
    }
    return true;
  }

  int listener_ = -1;
  int port_ = 0;
  pid_t child_ = -1;
};

double CpuSeconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double NotModified(const prometheus::Registry& registry) {
  for (const auto& family : registry.Collect())
    for (const auto& metric : family.metric)
      if (family.name == "racewatch_ingest_fetches_total" && metric.label[0].value == "not_modified") return metric.counter.value;
  return 0;
}

// Rounds over all feeds; the rate is requests per CPU second of this process, all threads.
void Fetch304(benchmark::State& state) {
  const ServerProcess server;
  std::string folder = (std::filesystem::temp_directory_path() / "racewatch-bench-XXXXXX").string();
  folder = mkdtemp(folder.data());
  v1::IngestConfig config;
  config.set_allow_private_addresses(true);
  config.set_fetch_pages(false);
  config.set_requests_in_flight_max(kInFlight);
  for (int i = 0; i < kFeeds; ++i) {
    auto* feed = config.add_feeds();
    feed->set_url(server.Url(i));
    feed->set_interval_s(60);
  }
  {
    fakes::ManualClock clock;
    fakes::FakeLog bus(4, &clock);
    fakes::FakeSink sink(bus);
    prometheus::Registry registry;
    base::Log log({false, base::LogLevel::kError, "bench"});
    base::HttpServer http({"127.0.0.1:0"});
    ingest::IngestRole role(config, sink, clock, registry, log, http, folder);
    if (!role.Start().ok()) state.SkipWithError("the role does not start");
    const auto settle = [&] {
      (void)base::LookUntil(std::chrono::milliseconds(2), [&role]() -> base::Result<bool> { return role.Idle(); });
    };
    settle();
    for (auto _ : state) {
      const double before = CpuSeconds();
      clock.Advance(60'000);
      settle();
      state.SetIterationTime(CpuSeconds() - before);
    }
    if (role.counts().sent != kFeeds) state.SkipWithError("not every feed was read");
    const double answers = NotModified(registry);
    if (answers != static_cast<double>(state.iterations()) * kFeeds) state.SkipWithError("not every round was answered 304");
    (void)role.Stop(std::chrono::seconds(5));
  }
  std::filesystem::remove_all(folder);
  state.SetItemsProcessed(state.iterations() * kFeeds);
}
BENCHMARK(Fetch304)->Name("fetch_304")->UseManualTime()->Unit(benchmark::kMillisecond);

// The same requests with nothing around them: easy handles reused, one multi handle.
void Fetch304Libcurl(benchmark::State& state) {
  const ServerProcess server;
  CURLM* multi = curl_multi_init();
  curl_slist* headers = curl_slist_append(nullptr, "If-None-Match: \"v1\"");
  std::vector<CURL*> handles;
  int next = 0;
  const auto start = [&](CURL* easy) {
    curl_easy_setopt(easy, CURLOPT_URL, server.Url(next++).c_str());
    curl_multi_add_handle(multi, easy);
  };
  for (size_t i = 0; i < kInFlight; ++i) {
    CURL* easy = curl_easy_init();
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    handles.push_back(easy);
  }
  for (auto _ : state) {
    const double before = CpuSeconds();
    next = 0;
    for (CURL* easy : handles) start(easy);
    for (int done = 0, running = 0; done < kFeeds;) {
      curl_multi_perform(multi, &running);
      int left = 0;
      while (CURLMsg* message = curl_multi_info_read(multi, &left)) {
        CURL* easy = message->easy_handle;
        curl_multi_remove_handle(multi, easy);
        ++done;
        if (next < kFeeds) start(easy);
      }
      if (done < kFeeds) curl_multi_poll(multi, nullptr, 0, 100, nullptr);
    }
    state.SetIterationTime(CpuSeconds() - before);
  }
  for (CURL* easy : handles) curl_easy_cleanup(easy);
  curl_multi_cleanup(multi);
  curl_slist_free_all(headers);
  state.SetItemsProcessed(state.iterations() * kFeeds);
}
BENCHMARK(Fetch304Libcurl)->Name("fetch_304_libcurl")->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace racewatch

BENCHMARK_MAIN();
