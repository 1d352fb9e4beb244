#include "tests/ingest/feed_world.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <mutex>
#include <random>
#include <thread>
#include <unordered_map>

#include "ingest/dates.h"

namespace racewatch::ingest {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr double kDayMs = 86'400'000;
constexpr auto kSlowness = std::chrono::milliseconds(5);  // real time: the clock stands still meanwhile

// Of a thousand feeds: what crawls of news feeds commonly find, rounded up for the bad ones.
Habit HabitOf(std::mt19937_64& random) {
  const auto n = random() % 1000;
  if (n < 560) return Habit::kEtag;
  if (n < 840) return Habit::kLastModified;
  if (n < 900) return Habit::kNoValidators;
  if (n < 920) return Habit::kLying;
  if (n < 945) return Habit::kFlaky;
  if (n < 960) return Habit::kThrottling;
  if (n < 970) return Habit::kSlow;
  if (n < 980) return Habit::kMoved;
  if (n < 990) return Habit::kGone;
  return Habit::kHtml;
}

// Entries a day: many small feeds, few large ones.
double RateOf(std::mt19937_64& random) {
  const double u = static_cast<double>(random() % 1000) / 1000, v = static_cast<double>(random() % 1000) / 1000;
  if (u < 0.25) return 0.2 + 0.8 * v;
  if (u < 0.60) return 1 + 9 * v;
  if (u < 0.90) return 10 + 40 * v;
  return 50 + 150 * v;
}

// Newsrooms sleep at night: share of the mean rate at this hour of the day.
double AtHour(double hour) { return 1 + 0.7 * std::sin((hour - 8) / 24 * 2 * M_PI); }

std::vector<base::UnixMs> Publish(double rate, size_t listed, base::UnixMs start_ms, base::UnixMs end_ms, std::mt19937_64& random) {
  std::vector<base::UnixMs> items;
  double at = static_cast<double>(start_ms) - 1.3 * static_cast<double>(listed) / rate * kDayMs;
  std::exponential_distribution<double> gap(1);
  while (true) {
    const double hour = std::fmod(at / 3'600'000, 24);
    at += gap(random) / rate / AtHour(hour) * kDayMs;
    if (at > static_cast<double>(end_ms)) return items;
    items.push_back(static_cast<base::UnixMs>(at));
  }
}

}  // namespace

std::string HabitName(Habit habit) {
  static constexpr const char* kNames[] = {"etag", "last-modified", "no validators", "lying", "flaky", "throttling", "slow", "moved", "gone", "html"};
  return kNames[static_cast<size_t>(habit)];
}

struct FeedWorld::Impl {
  explicit Impl(const base::Clock& c) : clock(c) {}

  struct Connection {
    std::string buffer;
  };
  struct Late {
    SteadyClock::time_point at;
    int fd;
    std::string answer;
  };

  void Serve();
  bool Read(int fd);
  std::string Answer(const std::string& host, const std::string& path, const std::string& head, bool* late);
  std::string Document(size_t number, size_t last);
  void NoteRequest(const std::string& host);
  std::string Useless(const WorldFeed& feed, int status, const std::string& headers, const std::string& body);

  const base::Clock& clock;
  std::vector<WorldFeed> feeds;
  std::unordered_map<std::string, size_t> by_address;
  std::unordered_map<std::string, base::UnixMs> last_request;  // by host
  std::unordered_map<size_t, size_t> first_shown;              // entries published before a feed's first document
  std::unordered_map<size_t, size_t> shown;                    // entries of a feed that its client has seen
  std::unordered_map<size_t, base::UnixMs> asked;
  std::unordered_map<int, Connection> connections;
  std::deque<Late> late;
  int listener = -1;
  int port = 0;
  int stop_fd = -1;
  int epoll = -1;
  mutable std::mutex mutex;  // tally
  WorldTally tally;
  std::jthread thread;
};

void FeedWorld::Impl::NoteRequest(const std::string& host) {
  const base::UnixMs now = clock.NowMs();
  const auto it = last_request.find(host);
  if (it != last_request.end() && now - it->second < tally.closest_ms) {
    tally.closest_ms = now - it->second;
    tally.closest_host = host;
  }
  last_request[host] = now;
}

std::string FeedWorld::Impl::Useless(const WorldFeed& feed, int status, const std::string& headers, const std::string& body) {
  if (status == 200)
    ++tally.same_again;
  else
    ++tally.other[status];
  ++tally.useless[feed.habit];
  return "HTTP/1.1 " + std::to_string(status) + " X\r\n" + headers + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string FeedWorld::Impl::Document(size_t number, size_t last) {
  const WorldFeed& feed = feeds[number];
  std::string out = "<rss version=\"2.0\"><channel><title>Feed " + std::to_string(number) + "</title><link>" + feed.url() + "</link>";
  for (size_t i = last; i > 0 && i + feed.listed > last; --i) {
    const std::string title = Title(number, i - 1);
    out += "<item><title>" + title + "</title><link>http://" + feed.host + "/" + title + "</link><pubDate>" + Rfc3339(feed.items[i - 1]) +
           "</pubDate></item>";
  }
  return out + "</channel></rss>";
}

std::string FeedWorld::Impl::Answer(const std::string& host, const std::string& path, const std::string& head, bool* is_late) {
  const std::lock_guard lock(mutex);
  const base::UnixMs now = clock.NowMs();
  ++tally.requests;
  NoteRequest(host);
  const bool new_place = host.starts_with("new-");
  const auto found = by_address.find((new_place ? host.substr(4) : host) + path);
  if (found == by_address.end()) return "HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n";
  const size_t number = found->second;
  const WorldFeed& feed = feeds[number];
  switch (feed.habit) {
    case Habit::kGone: return Useless(feed, 410, "", "");
    case Habit::kHtml: return Useless(feed, 200, "Content-Type: text/html\r\n", "<!DOCTYPE html><html><body>Welcome</body></html>");
    case Habit::kMoved:
      if (!new_place) return Useless(feed, 301, "Location: http://new-" + feed.host + feed.path + "\r\n", "");
      break;
    case Habit::kFlaky:
      if (static_cast<uint64_t>(now / 1000 * 2654435761) % 20 == 0) return Useless(feed, 500, "", "");
      break;
    case Habit::kThrottling:
      if (const auto before = asked.find(number); before != asked.end() && now - before->second < 1'800'000)
        return Useless(feed, 429, "Retry-After: 3600\r\n", "");
      break;
    default: break;
  }
  asked[number] = now;
  *is_late = feed.habit == Habit::kSlow;
  const auto last = static_cast<size_t>(std::upper_bound(feed.items.begin(), feed.items.end(), now) - feed.items.begin());
  const std::string mark = feed.habit == Habit::kLying ? "forever" : std::to_string(last);
  const bool dated = feed.habit == Habit::kLastModified;
  const std::string validator = dated ? "Last-Modified: stand " + mark + "\r\n" : feed.habit == Habit::kNoValidators ? "" : "ETag: \"" + mark + "\"\r\n";
  const std::string wanted = dated ? "If-Modified-Since: stand " + mark + "\r\n" : "If-None-Match: \"" + mark + "\"\r\n";
  if (!validator.empty() && head.find(wanted) != std::string::npos) {
    ++tally.not_modified;
    return "HTTP/1.1 304 X\r\n" + validator + "\r\n";
  }
  const std::string document = Document(number, last);
  const bool news = !shown.contains(number) || shown[number] < last;
  first_shown.try_emplace(number, last);
  shown[number] = last;
  if (!news) return Useless(feed, 200, validator, document);
  ++tally.with_news;
  return "HTTP/1.1 200 X\r\n" + validator + "Content-Length: " + std::to_string(document.size()) + "\r\n\r\n" + document;
}

bool FeedWorld::Impl::Read(int fd) {
  std::string& buffer = connections[fd].buffer;
  char chunk[8192];
  const ssize_t got = recv(fd, chunk, sizeof chunk, 0);
  if (got <= 0) return false;
  buffer.append(chunk, static_cast<size_t>(got));
  for (size_t end; (end = buffer.find("\r\n\r\n")) != std::string::npos;) {
    const std::string head = buffer.substr(0, end + 2);
    buffer.erase(0, end + 4);
    const std::string path = head.substr(4, head.find(' ', 4) - 4);
    const size_t host = head.find("\r\nHost: ") + 8;
    bool is_late = false;
    std::string answer = Answer(head.substr(host, head.find('\r', host) - host), path, head, &is_late);
    if (is_late) {
      late.push_back({SteadyClock::now() + kSlowness, fd, std::move(answer)});
      continue;
    }
    if (send(fd, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) return false;
  }
  return true;
}

void FeedWorld::Impl::Serve() {
  const auto watch = [this](int fd) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
  };
  watch(listener);
  watch(stop_fd);
  while (true) {
    epoll_event events[64];
    const int n = epoll_wait(epoll, events, 64, late.empty() ? -1 : 1);
    while (!late.empty() && late.front().at <= SteadyClock::now()) {
      [[maybe_unused]] const ssize_t sent = send(late.front().fd, late.front().answer.data(), late.front().answer.size(), MSG_NOSIGNAL);
      late.pop_front();
    }
    for (int i = 0; i < n; ++i) {
      const int fd = events[i].data.fd;
      if (fd == stop_fd) return;
      if (fd == listener) {
        const int client = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
        const int one = 1;
        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        watch(client);
      } else if (!Read(fd)) {
        close(fd);
        connections.erase(fd);
      }
    }
  }
}

FeedWorld::FeedWorld(size_t count, base::UnixMs start_ms, base::UnixMs end_ms, const base::Clock& clock) : impl_(std::make_unique<Impl>(clock)) {
  std::mt19937_64 random(20'260'105);
  for (size_t i = 0; i < count; ++i) {
    WorldFeed feed;
    feed.habit = HabitOf(random);
    double rate = RateOf(random);
    if (feed.habit == Habit::kLying) rate = std::min(rate, 25.0);  // what it hides for a day still stands in its list
    feed.listed = static_cast<size_t>(std::clamp(rate * 1.5, 15.0, 100.0));
    // One to ten feeds a host; a moved or throttling one has its own, so that its host's limits are its own too.
    const bool alone = feed.habit == Habit::kMoved || feed.habit == Habit::kThrottling;
    feed.host = (alone ? "alone" + std::to_string(i) : "paper" + std::to_string(i / 5 % (count / 4 + 1))) + ".example";
    feed.path = "/feed" + std::to_string(i);
    feed.items = Publish(rate, feed.listed, start_ms, end_ms, random);
    impl_->by_address[feed.host + feed.path] = i;
    impl_->feeds.push_back(std::move(feed));
  }
  impl_->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  bind(impl_->listener, reinterpret_cast<sockaddr*>(&address), length);
  listen(impl_->listener, 512);
  getsockname(impl_->listener, reinterpret_cast<sockaddr*>(&address), &length);
  impl_->port = ntohs(address.sin_port);
  impl_->epoll = epoll_create1(EPOLL_CLOEXEC);
  impl_->stop_fd = eventfd(0, EFD_CLOEXEC);
  impl_->thread = std::jthread([impl = impl_.get()] { impl->Serve(); });
}

FeedWorld::~FeedWorld() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = write(impl_->stop_fd, &one, sizeof one);
  impl_->thread.join();
  for (const auto& [fd, connection] : impl_->connections) close(fd);
  close(impl_->listener);
  close(impl_->epoll);
  close(impl_->stop_fd);
}

const std::vector<WorldFeed>& FeedWorld::feeds() const { return impl_->feeds; }
std::string FeedWorld::address() const { return "127.0.0.1:" + std::to_string(impl_->port); }
std::string FeedWorld::Title(size_t feed, size_t item) { return std::to_string(feed) + "-" + std::to_string(item); }

WorldTally FeedWorld::tally() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->tally;
}

size_t FeedWorld::OldestShown(size_t number) const {
  const std::lock_guard lock(impl_->mutex);
  const auto first = impl_->first_shown.find(number);
  const size_t published = first == impl_->first_shown.end() ? 0 : first->second;
  return published - std::min(published, impl_->feeds[number].listed);
}

void FeedWorld::ResetTally() {
  const std::lock_guard lock(impl_->mutex);
  WorldTally fresh;
  fresh.closest_ms = impl_->tally.closest_ms;
  fresh.closest_host = impl_->tally.closest_host;
  impl_->tally = fresh;
}

}  // namespace racewatch::ingest
