#include "base/http_client.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <mutex>
#include <optional>
#include <unordered_map>

namespace racewatch::base {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

struct EasyDeleter {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
struct UrlDeleter {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using EasyPtr = std::unique_ptr<CURL, EasyDeleter>;
using ListPtr = std::unique_ptr<curl_slist, ListDeleter>;
using UrlPtr = std::unique_ptr<CURLU, UrlDeleter>;

void InitLibcurlOnce() {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

bool InNet(uint32_t address, uint32_t net, int bits) {
  return (address >> (32 - bits)) == (net >> (32 - bits));
}

// IANA's IPv4 special-purpose registry (RFC 6890), everything that is not globally reachable.
bool IsPrivateV4(uint32_t a) {
  struct Net {
    uint32_t net;
    int bits;
  };
  static constexpr Net kNets[] = {
      {0x00000000, 8},  {0x0A000000, 8},  {0x64400000, 10}, {0x7F000000, 8},  {0xA9FE0000, 16},
      {0xAC100000, 12}, {0xC0000000, 24}, {0xC0000200, 24}, {0xC0A80000, 16}, {0xC6120000, 15},
      {0xC6336400, 24}, {0xCB007100, 24}, {0xE0000000, 4},  {0xF0000000, 4}};
  return std::any_of(std::begin(kNets), std::end(kNets),
                     [a](const Net& n) { return InNet(a, n.net, n.bits); });
}

uint32_t LoadBigEndian(const uint8_t* p) {
  return uint32_t{p[0]} << 24 | uint32_t{p[1]} << 16 | uint32_t{p[2]} << 8 | p[3];
}

bool IsPrivateV6(const in6_addr& address) {
  const uint8_t* b = address.s6_addr;
  static constexpr uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  static constexpr uint8_t kNat64[12] = {0, 0x64, 0xff, 0x9b};
  if (std::memcmp(b, kMapped, 12) == 0 || std::memcmp(b, kNat64, 12) == 0)
    return IsPrivateV4(LoadBigEndian(b + 12));
  if (b[0] == 0x20 && b[1] == 0x02) return IsPrivateV4(LoadBigEndian(b + 2));  // 6to4
  if (b[0] == 0x20 && b[1] == 0x01 && b[2] < 0x02) return true;                // IETF protocols, Teredo
  if (b[0] == 0x20 && b[1] == 0x01 && b[2] == 0x0d && b[3] == 0xb8) return true;
  // Only 2000::/3 is global unicast; this leaves out ::1, ::, fc00::/7, fe80::/10, ff00::/8.
  return (b[0] & 0xe0) != 0x20;
}

std::string UrlPart(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK || text == nullptr) return {};
  std::string out(text);
  curl_free(text);
  return out;
}

// `reference` against `base` (empty: `reference` is absolute), http and https only.
std::optional<std::string> ResolveHttpUrl(const std::string& base, const std::string& reference) {
  UrlPtr url(curl_url());
  if (!base.empty() && curl_url_set(url.get(), CURLUPART_URL, base.c_str(), 0) != CURLUE_OK)
    return std::nullopt;
  if (curl_url_set(url.get(), CURLUPART_URL, reference.c_str(), CURLU_URLENCODE) != CURLUE_OK)
    return std::nullopt;
  const std::string scheme = UrlPart(url.get(), CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") return std::nullopt;
  return UrlPart(url.get(), CURLUPART_URL);
}

std::string Origin(const std::string& absolute) {
  UrlPtr url(curl_url());
  if (curl_url_set(url.get(), CURLUPART_URL, absolute.c_str(), 0) != CURLUE_OK) return {};
  return UrlPart(url.get(), CURLUPART_SCHEME) + "//" + UrlPart(url.get(), CURLUPART_HOST) + ":" +
         UrlPart(url.get(), CURLUPART_PORT);
}

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && std::strchr(" \t\r\n", text.back()) != nullptr) text.remove_suffix(1);
  return text;
}

bool IsRedirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

HttpFailure FailureOf(CURLcode code) {
  switch (code) {
    case CURLE_OK: return HttpFailure::kNone;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL: return HttpFailure::kBadUrl;
    case CURLE_OPERATION_TIMEDOUT: return HttpFailure::kTimeout;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE: return HttpFailure::kTls;
    case CURLE_BAD_CONTENT_ENCODING: return HttpFailure::kBadEncoding;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM: return HttpFailure::kProtocol;
    default: return HttpFailure::kUnreachable;
  }
}

int VersionNumber(long version) {
  switch (version) {
    case CURL_HTTP_VERSION_1_0: return 10;
    case CURL_HTTP_VERSION_1_1: return 11;
    case CURL_HTTP_VERSION_2_0: return 20;
    default: return 0;
  }
}

Code CodeOf(HttpFailure failure) {
  switch (failure) {
    case HttpFailure::kNone: return Code::kOk;
    case HttpFailure::kBadUrl: return Code::kInvalidArgument;
    case HttpFailure::kTimeout: return Code::kDeadlineExceeded;
    case HttpFailure::kUnreachable: return Code::kUnavailable;
    case HttpFailure::kTooLarge:
    case HttpFailure::kHeadersTooLarge: return Code::kOutOfRange;
    case HttpFailure::kBlockedAddress: return Code::kPermissionDenied;
    case HttpFailure::kCancelled: return Code::kCancelled;
    default: return Code::kUnknown;
  }
}

}  // namespace

std::string_view HttpFailureName(HttpFailure failure) {
  static constexpr std::array<std::string_view, 12> kNames = {
      "none",      "bad_url",           "unreachable",     "tls",
      "timeout",   "too_large",         "headers_too_large", "blocked_address",
      "redirects", "bad_encoding",      "protocol",        "cancelled"};
  return kNames[static_cast<size_t>(failure)];
}

const std::string* HttpReply::Header(std::string_view name) const {
  for (const auto& [n, value] : headers)
    if (n == name) return &value;
  return nullptr;
}

bool IsPrivateAddress(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, address, sizeof in);
    return IsPrivateV4(ntohl(in.sin_addr.s_addr));
  }
  if (address->sa_family == AF_INET6) {
    sockaddr_in6 in;
    std::memcpy(&in, address, sizeof in);
    return IsPrivateV6(in.sin6_addr);
  }
  return true;
}

bool IsLoopbackUrl(std::string_view text) {
  UrlPtr url(curl_url());
  if (curl_url_set(url.get(), CURLUPART_URL, std::string(text).c_str(), 0) != CURLUE_OK) return false;
  const std::string host = Lower(UrlPart(url.get(), CURLUPART_HOST));
  in_addr v4;
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return ntohl(v4.s_addr) >> 24 == 127;
  return host == "localhost" || host.ends_with(".localhost") || host == "[::1]";
}

// One call: its easy handle (pooled) and what has come in so far.
struct Transfer {
  EasyPtr easy;
  ListPtr header_list;
  ListPtr resolve_list;
  HttpCall call;
  HttpCallback on_reply;
  HttpReply reply;
  Clock::time_point deadline;
  std::string url;  // of the current hop
  size_t header_bytes = 0;
  size_t header_bytes_max = 0;
  bool allow_private = false;
  bool (*is_private)(const sockaddr*) = &IsPrivateAddress;
  bool proxied = false;  // the handle has a proxy of its call
  HttpFailure aborted = HttpFailure::kNone;  // why one of our callbacks stopped the transfer
  std::string blocked;                       // the address the guard refused
  char error[CURL_ERROR_SIZE] = {};
};

struct HttpClient::Impl {
  explicit Impl(Options o);
  ~Impl();

  std::unique_ptr<Transfer> NewTransfer();
  void SetConstants(Transfer* t);
  void Launch(std::unique_ptr<Transfer> t);
  void LaunchHop(Transfer* t);
  void Pin(Transfer* t) const;
  void OnDone(Transfer* t, CURLcode code);
  bool FollowRedirect(Transfer* t);
  void Finish(std::unique_ptr<Transfer> t, HttpFailure failure, std::string why);
  std::unique_ptr<Transfer> Take(Transfer* t);
  void ReadMessages();
  void Deliver();

  static int OnSocket(CURL*, curl_socket_t fd, int what, void* self, void*);
  static int OnTimer(CURLM*, long timeout_ms, void* self);

  const Options options;
  ListPtr connect_to;
  CURLM* multi = nullptr;
  int epoll_fd = -1;
  int wake_fd = -1;
  std::optional<Clock::time_point> timer;
  std::unordered_map<Transfer*, std::unique_ptr<Transfer>> running;
  std::vector<std::unique_ptr<Transfer>> finished;
  std::vector<std::unique_ptr<Transfer>> pool;
};

namespace {

size_t OnBody(char* data, size_t size, size_t count, void* user) {
  auto* t = static_cast<Transfer*>(user);
  const size_t n = size * count;
  if (t->reply.body.size() + n > t->call.body_bytes_max) {
    t->aborted = HttpFailure::kTooLarge;
    return 0;
  }
  t->reply.body.append(data, n);
  return n;
}

size_t OnHeader(char* data, size_t size, size_t count, void* user) {
  auto* t = static_cast<Transfer*>(user);
  const size_t n = size * count;
  t->header_bytes += n;
  if (t->header_bytes > t->header_bytes_max) {
    t->aborted = HttpFailure::kHeadersTooLarge;
    return 0;
  }
  const std::string_view line(data, n);
  if (line.starts_with("HTTP/")) {  // a new answer (after 100 Continue, for example)
    t->reply.headers.clear();
    return n;
  }
  const size_t colon = line.find(':');
  if (colon != std::string_view::npos)
    t->reply.headers.emplace_back(Lower(Trim(line.substr(0, colon))), Trim(line.substr(colon + 1)));
  return n;
}

curl_socket_t OnOpenSocket(void* user, curlsocktype, curl_sockaddr* address) {
  auto* t = static_cast<Transfer*>(user);
  if (!t->allow_private && !t->proxied && t->is_private(&address->addr)) {
    char text[INET6_ADDRSTRLEN] = {};
    if (address->family == AF_INET)
      inet_ntop(AF_INET, &reinterpret_cast<sockaddr_in*>(&address->addr)->sin_addr, text, sizeof text);
    else if (address->family == AF_INET6)
      inet_ntop(AF_INET6, &reinterpret_cast<sockaddr_in6*>(&address->addr)->sin6_addr, text, sizeof text);
    t->blocked = text;
    return CURL_SOCKET_BAD;
  }
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

}  // namespace

HttpClient::Impl::Impl(Options o) : options(std::move(o)) {
  InitLibcurlOnce();
  if (!options.connect_to.empty())
    connect_to.reset(curl_slist_append(nullptr, ("::" + options.connect_to).c_str()));
  multi = curl_multi_init();
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = wake_fd;
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, wake_fd, &event);
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, &Impl::OnSocket);
  curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, &Impl::OnTimer);
  curl_multi_setopt(multi, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, options.connections_max);
  curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, options.connections_per_host_max);
}

HttpClient::Impl::~Impl() {
  for (auto& [raw, owned] : running) curl_multi_remove_handle(multi, raw->easy.get());
  running.clear();
  pool.clear();
  finished.clear();
  curl_multi_cleanup(multi);
  close(wake_fd);
  close(epoll_fd);
}

int HttpClient::Impl::OnSocket(CURL*, curl_socket_t fd, int what, void* self, void* known) {
  auto* impl = static_cast<Impl*>(self);
  if (what == CURL_POLL_REMOVE) {
    epoll_ctl(impl->epoll_fd, EPOLL_CTL_DEL, fd, nullptr);
    return 0;
  }
  epoll_event event{};
  if (what & CURL_POLL_IN) event.events |= EPOLLIN;
  if (what & CURL_POLL_OUT) event.events |= EPOLLOUT;
  event.data.fd = fd;
  if (known == nullptr) {
    curl_multi_assign(impl->multi, fd, impl);  // marks the socket as known
    if (epoll_ctl(impl->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0) return 0;
  }
  epoll_ctl(impl->epoll_fd, EPOLL_CTL_MOD, fd, &event);
  return 0;
}

int HttpClient::Impl::OnTimer(CURLM*, long timeout_ms, void* self) {
  auto* impl = static_cast<Impl*>(self);
  if (timeout_ms < 0)
    impl->timer.reset();
  else
    impl->timer = Clock::now() + milliseconds(timeout_ms);
  return 0;
}

std::unique_ptr<Transfer> HttpClient::Impl::NewTransfer() {
  if (!pool.empty()) {
    auto t = std::move(pool.back());
    pool.pop_back();
    return t;
  }
  auto t = std::make_unique<Transfer>();
  t->easy.reset(curl_easy_init());
  SetConstants(t.get());
  return t;
}

// What is the same for every call; set once per pooled handle because each setopt costs.
void HttpClient::Impl::SetConstants(Transfer* t) {
  CURL* e = t->easy.get();
  t->allow_private = options.allow_private_addresses;
  if (options.is_private != nullptr) t->is_private = options.is_private;
  t->header_bytes_max = options.header_bytes_max;
  curl_easy_setopt(e, CURLOPT_PRIVATE, t);
  curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->error);
  curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, &OnBody);
  curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
  curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, &OnHeader);
  curl_easy_setopt(e, CURLOPT_HEADERDATA, t);
  curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, &OnOpenSocket);
  curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, t);
  curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(e, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, "");
  curl_easy_setopt(e, CURLOPT_USERAGENT, options.user_agent.c_str());
  curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_timeout.count()));
  curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, options.low_speed_bytes);
  curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME, static_cast<long>(options.low_speed_time.count()));
  if (connect_to) curl_easy_setopt(e, CURLOPT_CONNECT_TO, connect_to.get());
  if (!options.ca_file.empty()) {
    curl_easy_setopt(e, CURLOPT_CAINFO, options.ca_file.c_str());
    curl_easy_setopt(e, CURLOPT_CAPATH, nullptr);
  }
  if (!options.use_proxy_environment) curl_easy_setopt(e, CURLOPT_PROXY, "");
}

void HttpClient::Impl::Launch(std::unique_ptr<Transfer> t) {
  Transfer* raw = t.get();
  CURL* e = raw->easy.get();
  const HttpCall& call = raw->call;
  curl_slist* list = nullptr;
  for (const auto& [name, value] : call.headers)
    list = curl_slist_append(list, (name + ": " + value).c_str());
  for (const auto& [name, value] : call.own_headers)
    list = curl_slist_append(list, (name + ": " + value).c_str());
  if (!call.proxy.empty() || raw->proxied) curl_easy_setopt(e, CURLOPT_PROXY, call.proxy.c_str());
  raw->proxied = !call.proxy.empty();
  raw->header_list.reset(list);
  curl_easy_setopt(e, CURLOPT_HTTPHEADER, list);
  if (call.method == "GET") {
    curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, nullptr);
    curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
  } else if (call.method == "HEAD") {
    curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, nullptr);
    curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
  } else {
    curl_easy_setopt(e, CURLOPT_POST, 1L);
    curl_easy_setopt(e, CURLOPT_POSTFIELDS, call.body.data());
    curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call.body.size()));
    curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, call.method == "POST" ? nullptr : call.method.c_str());
  }
  running.emplace(raw, std::move(t));
  LaunchHop(raw);
}

void HttpClient::Impl::LaunchHop(Transfer* t) {
  const auto left = std::chrono::duration_cast<milliseconds>(t->deadline - Clock::now());
  if (left.count() <= 0) {
    Finish(Take(t), HttpFailure::kTimeout, "timed out");
    return;
  }
  t->reply.headers.clear();
  t->reply.body.clear();
  t->header_bytes = 0;
  t->error[0] = '\0';
  t->blocked.clear();
  CURL* e = t->easy.get();
  if (options.resolve) Pin(t);
  curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, static_cast<long>(left.count()));
  curl_easy_setopt(e, CURLOPT_URL, t->url.c_str());
  if (curl_multi_add_handle(multi, e) != CURLM_OK)
    Finish(Take(t), HttpFailure::kProtocol, "libcurl refused the request");
}

// Says which address this hop's host has, past the system's resolver and its cache.
void HttpClient::Impl::Pin(Transfer* t) const {
  UrlPtr url(curl_url());
  if (curl_url_set(url.get(), CURLUPART_URL, t->url.c_str(), 0) != CURLUE_OK) return;
  char* port = nullptr;
  if (curl_url_get(url.get(), CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK) return;
  const std::string host = UrlPart(url.get(), CURLUPART_HOST);
  const std::string address = options.resolve(host);
  const std::string entry = host + ":" + port + ":" + address;
  curl_free(port);
  t->resolve_list.reset(address.empty() ? nullptr : curl_slist_append(nullptr, entry.c_str()));
  curl_easy_setopt(t->easy.get(), CURLOPT_RESOLVE, t->resolve_list.get());
}

std::unique_ptr<Transfer> HttpClient::Impl::Take(Transfer* t) {
  auto node = running.extract(t);
  return std::move(node.mapped());
}

// Replies are handed out from Deliver, never from inside libcurl or Start.
void HttpClient::Impl::Finish(std::unique_ptr<Transfer> t, HttpFailure failure, std::string why) {
  t->reply.failure = failure;
  t->reply.url = t->url;
  if (failure != HttpFailure::kNone)
    t->reply.status = Status(CodeOf(failure), t->call.method + " " + t->url + ": " + why);
  finished.push_back(std::move(t));
}

bool HttpClient::Impl::FollowRedirect(Transfer* t) {
  const int status = t->reply.http_status;
  const std::string* location = t->reply.Header("location");
  const bool may = t->call.method == "GET" || t->call.method == "HEAD";
  if (!IsRedirect(status) || location == nullptr || t->call.redirects_max <= 0 || !may) return false;
  if (static_cast<int>(t->reply.hops.size()) >= t->call.redirects_max) {
    Finish(Take(t), HttpFailure::kTooManyRedirects,
           "more than " + std::to_string(t->call.redirects_max) + " redirects");
    return true;
  }
  const auto target = ResolveHttpUrl(t->url, *location);
  if (!target) {
    Finish(Take(t), HttpFailure::kBadUrl, "redirect to '" + location->substr(0, 200) + "'");
    return true;
  }
  t->reply.hops.push_back({t->url, status});
  if (Origin(*target) != Origin(t->url)) {  // credentials stay with the host they are for
    curl_slist* kept = nullptr;
    for (const auto& [name, value] : t->call.headers)
      if (const std::string n = Lower(name); n != "authorization" && n != "cookie")
        kept = curl_slist_append(kept, (name + ": " + value).c_str());
    curl_easy_setopt(t->easy.get(), CURLOPT_HTTPHEADER, kept);
    t->header_list.reset(kept);
  }
  t->url = *target;
  LaunchHop(t);
  return true;
}

void HttpClient::Impl::OnDone(Transfer* t, CURLcode code) {
  curl_multi_remove_handle(multi, t->easy.get());
  long status = 0;
  curl_easy_getinfo(t->easy.get(), CURLINFO_RESPONSE_CODE, &status);
  t->reply.http_status = static_cast<int>(status);
  long version = CURL_HTTP_VERSION_NONE;
  curl_easy_getinfo(t->easy.get(), CURLINFO_HTTP_VERSION, &version);
  t->reply.http_version = VersionNumber(version);
  if (code == CURLE_OK) {
    if (!FollowRedirect(t)) Finish(Take(t), HttpFailure::kNone, "");
    return;
  }
  if (t->aborted == HttpFailure::kTooLarge) {
    Finish(Take(t), t->aborted,
           "body larger than " + std::to_string(t->call.body_bytes_max) + " bytes");
  } else if (t->aborted != HttpFailure::kNone) {
    Finish(Take(t), t->aborted, "headers larger than " + std::to_string(t->header_bytes_max) + " bytes");
  } else if (!t->blocked.empty() && code == CURLE_COULDNT_CONNECT) {
    Finish(Take(t), HttpFailure::kBlockedAddress, "address " + t->blocked + " is in a private network");
  } else {
    const std::string why = t->error[0] != '\0' ? t->error : curl_easy_strerror(code);
    Finish(Take(t), FailureOf(code), why);
  }
}

void HttpClient::Impl::ReadMessages() {
  int left = 0;
  while (CURLMsg* message = curl_multi_info_read(multi, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    Transfer* t = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &t);
    OnDone(t, code);
  }
}

void HttpClient::Impl::Deliver() {
  while (!finished.empty()) {
    auto batch = std::exchange(finished, {});
    for (auto& t : batch) {
      HttpCallback on_reply = std::move(t->on_reply);
      HttpReply reply = std::exchange(t->reply, {});
      t->aborted = HttpFailure::kNone;
      if (pool.size() < 64) pool.push_back(std::move(t));
      on_reply(std::move(reply));
    }
  }
}

HttpClient::HttpClient(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}
HttpClient::~HttpClient() = default;

void HttpClient::Start(HttpCall call, HttpCallback on_reply) {
  auto t = impl_->NewTransfer();
  t->call = std::move(call);
  t->on_reply = std::move(on_reply);
  t->deadline = Clock::now() + t->call.timeout;
  const auto url = ResolveHttpUrl("", t->call.url);
  t->url = url ? *url : t->call.url;
  if (!url)
    impl_->Finish(std::move(t), HttpFailure::kBadUrl, "not an http or https address");
  else
    impl_->Launch(std::move(t));
}

void HttpClient::Poll(milliseconds wait) {
  const auto now = Clock::now();
  if (impl_->timer)
    wait = std::clamp(std::chrono::ceil<milliseconds>(*impl_->timer - now), milliseconds(0), wait);
  if (!impl_->finished.empty()) wait = milliseconds(0);
  std::array<epoll_event, 64> events;
  const int n = epoll_wait(impl_->epoll_fd, events.data(), static_cast<int>(events.size()),
                           static_cast<int>(wait.count()));
  int still = 0;
  for (int i = 0; i < n; ++i) {
    const epoll_event& event = events[static_cast<size_t>(i)];
    if (event.data.fd == impl_->wake_fd) {
      uint64_t count;
      [[maybe_unused]] const ssize_t got = read(impl_->wake_fd, &count, sizeof count);
      continue;
    }
    const int mask = (event.events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                     (event.events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                     (event.events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
    curl_multi_socket_action(impl_->multi, event.data.fd, mask, &still);
  }
  if (impl_->timer && *impl_->timer <= Clock::now()) {
    impl_->timer.reset();
    curl_multi_socket_action(impl_->multi, CURL_SOCKET_TIMEOUT, 0, &still);
  }
  impl_->ReadMessages();
  impl_->Deliver();
}

void HttpClient::Wake() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = write(impl_->wake_fd, &one, sizeof one);
}

void HttpClient::CancelAll() {
  while (!impl_->running.empty()) {
    Transfer* t = impl_->running.begin()->first;
    curl_multi_remove_handle(impl_->multi, t->easy.get());
    impl_->Finish(impl_->Take(t), HttpFailure::kCancelled, "cancelled");
  }
  impl_->Deliver();
}

size_t HttpClient::in_flight() const { return impl_->running.size() + impl_->finished.size(); }

}  // namespace racewatch::base
