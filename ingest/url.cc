#include "ingest/url.h"

#include <arpa/inet.h>
#include <idn2.h>
#include <libpsl.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <memory>
#include <vector>

#include "base/percent_encoding.h"

namespace racewatch::ingest {
namespace {

struct Parts {
  std::string scheme;
  std::string host;
  std::string port;
  std::string path;
  std::string query;  // without '?'
};

char LowerChar(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = LowerChar(c);
  return out;
}

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// White space around the address goes; tabs and newlines inside it too (WHATWG URL §4.4).
std::string Cleaned(std::string_view url) {
  while (!url.empty() && IsSpace(url.front())) url.remove_prefix(1);
  while (!url.empty() && IsSpace(url.back())) url.remove_suffix(1);
  std::string out;
  out.reserve(url.size());
  for (const char c : url)
    if (c != '\t' && c != '\n' && c != '\r') out.push_back(c);
  return out;
}

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool IsUnreserved(unsigned char c) {
  return std::isalnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

// Escapes in upper case, unreserved characters unescaped, everything outside printable ASCII escaped.
std::string NormalizeEscapes(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned char c = static_cast<unsigned char>(text[i]);
    const bool escape = c == '%' && i + 2 < text.size() && HexValue(text[i + 1]) >= 0 && HexValue(text[i + 2]) >= 0;
    if (escape) {
      c = static_cast<unsigned char>(HexValue(text[i + 1]) * 16 + HexValue(text[i + 2]));
      i += 2;
      if (IsUnreserved(c)) {
        out.push_back(static_cast<char>(c));
        continue;
      }
    } else if (c > 0x20 && c < 0x7f && c != '%' && c != '"' && c != '<' && c != '>' && c != '\\' && c != '^' && c != '`' &&
               c != '{' && c != '|' && c != '}') {
      out.push_back(static_cast<char>(c));
      continue;
    }
    out += {'%', kHex[c >> 4], kHex[c & 15]};
  }
  return out;
}

// RFC 3986 §5.2.4.
std::string RemoveDotSegments(std::string_view path) {
  std::vector<std::string_view> kept;
  bool directory = false;
  size_t at = path.starts_with('/') ? 1 : 0;
  while (at <= path.size()) {
    const size_t end = std::min(path.find('/', at), path.size());
    const std::string_view segment = path.substr(at, end - at);
    directory = segment == "." || segment == "..";
    if (segment == "..") {
      if (!kept.empty()) kept.pop_back();
    } else if (segment != ".") {
      kept.push_back(segment);
    }
    at = end + 1;
  }
  std::string out;
  for (const auto& segment : kept) out.append("/").append(segment);
  if (directory) out.push_back('/');
  return out.empty() ? "/" : out;
}

// Punycode of an internationalised name; empty when it is no host name.
std::string AsciiHost(std::string host) {
  if (std::all_of(host.begin(), host.end(), [](unsigned char c) { return c < 0x80; })) return Lower(host);
  char* ascii = nullptr;
  if (idn2_lookup_u8(reinterpret_cast<const uint8_t*>(host.c_str()), reinterpret_cast<uint8_t**>(&ascii),
                     IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
    return {};
  std::string out = Lower(ascii);
  idn2_free(ascii);
  return out;
}

bool IsHostName(std::string_view host) {
  if (host.empty() || host.size() > 253) return false;
  if (host.front() == '[') return host.back() == ']';
  return std::all_of(host.begin(), host.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '-' || c == '.' || c == '_';
  });
}

bool SplitAuthority(std::string_view authority, Parts* parts) {
  if (const size_t at = authority.rfind('@'); at != std::string_view::npos) authority.remove_prefix(at + 1);
  size_t colon = authority.rfind(':');
  if (colon != std::string_view::npos && authority.find(']', colon) != std::string_view::npos)
    colon = std::string_view::npos;  // inside an IPv6 literal
  if (colon != std::string_view::npos) {
    parts->port = authority.substr(colon + 1);
    if (!std::all_of(parts->port.begin(), parts->port.end(), [](char c) { return c >= '0' && c <= '9'; })) return false;
    authority = authority.substr(0, colon);
  }
  parts->host = AsciiHost(base::PercentDecode(authority));
  while (parts->host.ends_with('.')) parts->host.pop_back();
  if (parts->port == (parts->scheme == "https" ? "443" : "80")) parts->port.clear();
  return IsHostName(parts->host);
}

std::optional<Parts> Split(std::string_view text) {
  constexpr size_t kUrlBytesMax = 8192;
  if (text.size() > kUrlBytesMax) return std::nullopt;
  const std::string url = Cleaned(text);
  const size_t scheme_end = url.find("://");
  Parts parts;
  size_t at = 0;
  if (url.starts_with("//")) {
    parts.scheme = "https";
    at = 2;
  } else if (scheme_end != std::string::npos) {
    parts.scheme = Lower(url.substr(0, scheme_end));
    at = scheme_end + 3;
  }
  if (parts.scheme != "http" && parts.scheme != "https") return std::nullopt;
  const size_t authority_end = std::min(url.find_first_of("/?#\\", at), url.size());
  if (!SplitAuthority(std::string_view(url).substr(at, authority_end - at), &parts)) return std::nullopt;
  const size_t fragment = std::min(url.find('#', authority_end), url.size());
  const size_t query = std::min(url.find('?', authority_end), fragment);
  parts.path = RemoveDotSegments(NormalizeEscapes(std::string_view(url).substr(authority_end, query - authority_end)));
  if (query < fragment) parts.query = NormalizeEscapes(std::string_view(url).substr(query + 1, fragment - query - 1));
  return parts;
}

// Parameters that say how the reader came, never which article it is.
bool IsTracking(std::string_view name, std::string_view value) {
  static constexpr std::array<std::string_view, 10> kPrefixes = {"utm_",  "mtm_", "pk_",  "at_",  "hsa_",
                                                                 "_hs",   "oly_", "vero_", "wt.", "__s"};
  static constexpr std::array<std::string_view, 47> kNames = {
      "fbclid",      "gclid",       "gclsrc",       "dclid",       "gbraid",          "wbraid",
      "msclkid",     "yclid",       "ysclid",       "twclid",      "ttclid",          "igshid",
      "igsh",        "mc_cid",      "mc_eid",       "mkt_tok",     "ref_src",         "ref_url",
      "cmpid",       "cmp",         "ncid",         "ocid",        "icid",            "smid",
      "smtyp",       "ftag",        "xtor",         "s_cid",       "cid_source",      "_ga",
      "_gl",         "taid",        "tpcc",         "guccounter",  "guce_referrer",   "guce_referrer_sig",
      "spm",         "share_token", "sharetoken",   "rss_id",      "ns_mchannel",     "ns_campaign",
      "ns_source",   "traffic_source", "__twitter_impression", "srnd", "wt_mc"};
  const std::string lower = Lower(name);
  if (std::any_of(kPrefixes.begin(), kPrefixes.end(), [&](std::string_view p) { return lower.starts_with(p); }))
    return true;
  if (std::find(kNames.begin(), kNames.end(), lower) != kNames.end()) return true;
  // Generic names only with a value that names a channel.
  const bool channel = value == "rss" || value.starts_with("rss-") || value.starts_with("rss_") || value == "feed" ||
                       value == "twitter" || value == "newsletter";
  return channel && (lower == "source" || lower == "from" || lower == "ref" || lower == "feature" || lower == "partner");
}

bool IsAmpParameter(std::string_view name, std::string_view value) {
  const std::string lower = Lower(name);
  if (lower == "amp" || lower == "amp_js_v" || lower == "amp_gsa" || lower == "usqp") return true;
  return (lower == "outputtype" || lower == "output") && value == "amp";
}

void FilterQuery(Parts* parts) {
  std::string kept;
  std::string_view rest = parts->query;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('&'), rest.size());
    const std::string_view pair = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const size_t equals = std::min(pair.find('='), pair.size());
    const std::string_view name = pair.substr(0, equals);
    const std::string_view value = equals < pair.size() ? pair.substr(equals + 1) : std::string_view();
    if (pair.empty() || IsTracking(name, value) || IsAmpParameter(name, value)) continue;
    if (!kept.empty()) kept.push_back('&');
    kept.append(pair);
  }
  parts->query = std::move(kept);
}

// https://www.google.com/amp/s/HOST/PATH and https://X.cdn.ampproject.org/c/s/HOST/PATH hold the address.
std::optional<std::string> AmpTarget(const Parts& parts) {
  std::string_view rest = parts.path;
  if (parts.host.starts_with("www.google.") && rest.starts_with("/amp/")) {
    rest.remove_prefix(5);
  } else if (parts.host.ends_with(".cdn.ampproject.org") && rest.size() > 3 && rest[0] == '/' && rest[2] == '/') {
    rest.remove_prefix(3);
  } else {
    return std::nullopt;
  }
  const bool secure = rest.starts_with("s/");
  if (secure) rest.remove_prefix(2);
  return (secure ? "https://" : "http://") + std::string(rest) + (parts.query.empty() ? "" : "?" + parts.query);
}

// amp.example.com, m.example.com, mobile.example.com and en.m.example.org without that label, as long as
// a registrable domain remains.
void MapMobileHost(Parts* parts) {
  const std::string domain = RegistrableDomain(parts->host);
  size_t at = 0;
  while (parts->host.size() > domain.size() && at < parts->host.size() - domain.size()) {
    const size_t dot = parts->host.find('.', at);
    const std::string_view label = std::string_view(parts->host).substr(at, dot - at);
    if (label == "m" || label == "amp" || label == "mobile" || label == "touch" || label == "wap")
      parts->host.erase(at, dot - at + 1);
    else
      at = dot + 1;
  }
}

// One mark of an AMP page taken from the path; false if there is none.
bool DropAmpMark(std::string* path) {
  if (path->ends_with(".amp.html")) {
    path->erase(path->size() - 9, 4);
  } else if (path->ends_with(".amp")) {
    path->erase(path->size() - 4);
  } else if (path->ends_with("/amp") && path->size() > 4) {
    path->erase(path->size() - 4);
  } else if (path->ends_with("/amp/") && path->size() > 5) {
    path->erase(path->size() - 4);
  } else if (path->starts_with("/amp/") && path->size() > 5) {
    path->erase(0, 4);
  } else {
    return false;
  }
  return true;
}

// All of them, so that a canonical address is its own canonical address.
void MapAmpPath(Parts* parts) {
  while (DropAmpMark(&parts->path)) parts->path = RemoveDotSegments(parts->path);
}

const psl_ctx_t* SuffixList() {
  static const psl_ctx_t* const kList = psl_builtin();
  return kList;
}

}  // namespace

std::optional<CanonicalUrl> Canonicalize(std::string_view url) {
  auto parts = Split(url);
  if (!parts) return std::nullopt;
  while (const auto target = AmpTarget(*parts)) {
    auto inner = Split(*target);
    if (!inner) break;
    parts = std::move(inner);
  }
  MapMobileHost(&*parts);
  MapAmpPath(&*parts);
  FilterQuery(&*parts);
  CanonicalUrl out;
  out.host = parts->host;
  std::string rest = parts->host;
  if (!parts->port.empty()) rest += ":" + parts->port;
  rest += parts->path;
  if (!parts->query.empty()) rest += "?" + parts->query;
  out.url = parts->scheme + "://" + rest;
  out.key = rest.starts_with("www.") ? rest.substr(4) : std::move(rest);
  return out;
}

std::string UrlHost(std::string_view url) {
  auto parts = Split(url);
  return parts ? std::move(parts->host) : std::string();
}

std::string RegistrableDomain(std::string_view host) {
  const std::string name = Lower(host);
  in_addr v4;
  if (name.empty() || name.front() == '[' || inet_pton(AF_INET, name.c_str(), &v4) == 1) return name;
  const char* domain = psl_registrable_domain(SuffixList(), name.c_str());
  return domain != nullptr ? domain : name;
}

std::optional<std::string> FilePath(std::string_view url) {
  const std::string text = Cleaned(url);
  if (Lower(text.substr(0, 5)) != "file:") return std::nullopt;
  std::string_view path = std::string_view(text).substr(5);
  if (path.starts_with("//")) {
    path.remove_prefix(2);
    if (path.starts_with("localhost/")) path.remove_prefix(9);
  }
  if (path.empty()) return std::nullopt;
  return base::PercentDecode(path);
}

}  // namespace racewatch::ingest
