#include "ingest/feed/links.h"

#include <vector>

#include "ingest/feed/ascii.h"

namespace racewatch::ingest::feed {
namespace {

struct UrlParts {
  std::string_view scheme;     // with its ':'
  std::string_view authority;  // with its "//"
  std::string_view path;
  std::string_view query;  // with its '?'
};

size_t SchemeLength(std::string_view url) {
  if (url.empty() || !IsAlpha(url[0])) return 0;
  for (size_t i = 1; i < url.size(); ++i) {
    if (url[i] == ':') return i + 1;
    if (!IsAlnum(url[i]) && url[i] != '+' && url[i] != '-' && url[i] != '.') return 0;
  }
  return 0;
}

// The fragment is dropped: a base has none.
UrlParts SplitBase(std::string_view url) {
  UrlParts parts;
  url = url.substr(0, url.find('#'));
  parts.scheme = url.substr(0, SchemeLength(url));
  url.remove_prefix(parts.scheme.size());
  if (url.starts_with("//")) {
    parts.authority = url.substr(0, url.find_first_of("/?", 2));
    url.remove_prefix(parts.authority.size());
  }
  parts.path = url.substr(0, url.find('?'));
  parts.query = url.substr(parts.path.size());
  return parts;
}

// RFC 3986, section 5.2.4.
std::string RemoveDotSegments(std::string_view path) {
  std::vector<std::string_view> kept;
  const bool rooted = path.starts_with('/');
  if (rooted) path.remove_prefix(1);
  bool directory = false;
  while (true) {
    const size_t slash = path.find('/');
    const std::string_view segment = path.substr(0, slash);
    const bool last = slash == std::string_view::npos;
    directory = segment == "." || segment == "..";
    if (segment == "..") {
      if (!kept.empty()) kept.pop_back();
    } else if (segment != ".") {
      kept.push_back(segment);
    }
    if (last) break;
    path.remove_prefix(slash + 1);
  }
  std::string out(rooted ? "/" : "");
  for (size_t i = 0; i < kept.size(); ++i) {
    if (i > 0) out += '/';
    out += kept[i];
  }
  if (directory && !kept.empty()) out += '/';
  return out;
}

}  // namespace

bool HasScheme(std::string_view url) { return SchemeLength(url) > 0; }

std::string ResolveUrl(std::string_view base, std::string_view reference) {
  reference = Trim(reference);
  base = Trim(base);
  if (base.empty() || HasScheme(reference) || !HasScheme(base)) return std::string(reference);
  const UrlParts parts = SplitBase(base);
  if (parts.authority.empty() && !parts.path.starts_with('/'))
    return std::string(reference);  // tag:, urn:
  std::string out(parts.scheme);
  if (reference.starts_with("//")) return out.append(reference);
  out.append(parts.authority);
  if (reference.empty() || reference[0] == '#' || reference[0] == '?') {
    out.append(parts.path.empty() ? "/" : parts.path);
    if (reference.empty() || reference[0] == '#') out.append(parts.query);
    return out.append(reference);
  }
  const size_t path_end = reference.find_first_of("?#");
  const std::string_view tail =
      path_end == std::string_view::npos ? std::string_view() : reference.substr(path_end);
  std::string path;
  if (reference[0] != '/') {
    const size_t slash = parts.path.rfind('/');
    path = slash == std::string_view::npos ? "/" : std::string(parts.path.substr(0, slash + 1));
  }
  path.append(reference.substr(0, path_end));
  return out.append(RemoveDotSegments(path)).append(tail);
}

bool IsUnsafeUrl(std::string_view url) {
  // Browsers skip white space and control characters inside the scheme.
  char scheme[16];
  size_t n = 0;
  for (const char c : url) {
    if (c == ':') {
      const std::string_view name(scheme, n);
      return name == "javascript" || name == "vbscript" || name == "livescript" ||
             name == "mocha" || name == "file" || name == "data" || name == "jscript";
    }
    if (static_cast<unsigned char>(c) <= ' ') continue;
    if (n == sizeof scheme || !(IsAlnum(c) || c == '+' || c == '-' || c == '.')) return false;
    scheme[n++] = ToLower(c);
  }
  return false;
}

}  // namespace racewatch::ingest::feed
