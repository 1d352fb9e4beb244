#include "ingest/aggregator.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "base/percent_encoding.h"
#include "ingest/url.h"

namespace racewatch::ingest {
namespace {

struct Wrapper {
  std::string_view host;       // itself or below it
  std::string_view path;       // prefix
  std::string_view parameter;  // holds the address
};
constexpr std::array kWrappers = {
    Wrapper{"google.com", "/url", "url"},           Wrapper{"google.com", "/url", "q"},
    Wrapper{"google.com", "/alerts/", "url"},       Wrapper{"bing.com", "/news/apiclick.aspx", "url"},
    Wrapper{"facebook.com", "/l.php", "u"},         Wrapper{"t.umblr.com", "/redirect", "z"},
    Wrapper{"out.reddit.com", "/", "url"},          Wrapper{"linkedin.com", "/redir/", "url"},
    Wrapper{"vk.com", "/away.php", "to"},           Wrapper{"link.zhihu.com", "/", "target"},
    Wrapper{"link.juejin.cn", "/", "target"},       Wrapper{"feedproxy.google.com", "/", "url"},
    Wrapper{"news.url.google.com", "/url", "url"},  Wrapper{"duckduckgo.com", "/l/", "uddg"},
    Wrapper{"urldefense.com", "/", "u"},            Wrapper{"youtube.com", "/redirect", "q"},
};
constexpr std::array<std::string_view, 8> kAggregators = {"news.google.com",   "bing.com", "flipboard.com", "smartnews.com",
                                                          "newsbreak.com", "feedly.com", "ground.news",   "news.ycombinator.com"};

bool IsBelow(std::string_view host, std::string_view domain) {
  return host == domain || (host.size() > domain.size() && host.ends_with(domain) && host[host.size() - domain.size() - 1] == '.');
}

std::string_view QueryValue(std::string_view url, std::string_view name) {
  const size_t mark = url.find('?');
  if (mark == std::string_view::npos) return {};
  std::string_view query = url.substr(mark + 1, url.find('#', mark) - mark - 1);
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (pair.starts_with("amp;")) pair.remove_prefix(4);
    if (pair.size() > name.size() && pair[name.size()] == '=' && pair.starts_with(name)) return pair.substr(name.size() + 1);
  }
  return {};
}

// RFC 4648 §5, padding optional.
std::string Base64UrlDecoded(std::string_view text) {
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    uint32_t digit;
    if (c >= 'A' && c <= 'Z') digit = static_cast<uint32_t>(c - 'A');
    else if (c >= 'a' && c <= 'z') digit = static_cast<uint32_t>(c - 'a' + 26);
    else if (c >= '0' && c <= '9') digit = static_cast<uint32_t>(c - '0' + 52);
    else if (c == '-' || c == '+') digit = 62;
    else if (c == '_' || c == '/') digit = 63;
    else break;
    bits = bits << 6 | digit;
    if ((count += 6) >= 8) out.push_back(static_cast<char>(bits >> (count -= 8) & 255));
  }
  return out;
}

// The name is base64 of a small protobuf; older ones hold the address in the clear, newer ones a token.
std::optional<std::string> InGoogleNewsName(std::string_view path) {
  for (const std::string_view prefix : {"/rss/articles/", "/articles/", "/__i/rss/rd/articles/", "/read/"}) {
    if (!path.starts_with(prefix)) continue;
    const std::string bytes = Base64UrlDecoded(path.substr(prefix.size(), path.find_first_of("?#") - prefix.size()));
    const size_t at = bytes.find("http");
    if (at == std::string::npos) return std::nullopt;
    size_t end = at;
    while (end < bytes.size() && static_cast<unsigned char>(bytes[end]) > 0x20 && static_cast<unsigned char>(bytes[end]) < 0x7f) ++end;
    return bytes.substr(at, end - at);
  }
  return std::nullopt;
}

}  // namespace

void UnwrapLinks(Feed* feed) {
  for (FeedEntry& entry : feed->entries)
    if (auto inner = UnwrapUrl(entry.link)) entry.link = std::move(*inner);
}

bool IsAggregatorHost(std::string_view host) {
  return std::any_of(kAggregators.begin(), kAggregators.end(), [host](std::string_view one) { return IsBelow(host, one); });
}

std::optional<std::string> UnwrapUrl(std::string_view url) {
  std::optional<std::string> found;
  std::string current(url);
  for (int depth = 0; depth < 3; ++depth) {  // wrappers are wrapped now and then
    const std::string host = UrlHost(current);
    const size_t slash = host.empty() ? std::string::npos : current.find('/', current.find("://") + 3);
    if (slash == std::string::npos) return found;
    const std::string_view path = std::string_view(current).substr(slash);
    std::optional<std::string> inner;
    if (host == "news.google.com") inner = InGoogleNewsName(path);
    for (const Wrapper& wrapper : kWrappers) {
      if (inner || !IsBelow(host, wrapper.host) || !path.starts_with(wrapper.path)) continue;
      if (std::string value = base::PercentDecode(QueryValue(path, wrapper.parameter)); !UrlHost(value).empty()) inner = std::move(value);
    }
    if (!inner || UrlHost(*inner).empty()) return found;
    current = *inner;
    found = std::move(inner);
  }
  return found;
}

}  // namespace racewatch::ingest
