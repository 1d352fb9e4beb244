// Addresses as identity: the canonical form of an article's URL, the key that identifies it, and the
// registrable domain of a host. Used by the article builder, the publisher registry and the host gate.
// Pure functions, safe from any thread; the public suffix list is the system's (libpsl). Wild input is
// expected: what is no http(s) address gives nullopt, never an error.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace racewatch::ingest {

struct CanonicalUrl {
  std::string url;   // https://example.com/a?id=1
  std::string key;   // the same without scheme and leading "www.": what the article id is made from
  std::string host;  // example.com
};

// Lower-case ASCII host (IDN as punycode), no default port, no dot segments, no fragment, no tracking
// parameter (utm_*, fbclid, gclid, …), percent escapes normalised (RFC 3986 §6.2.2), AMP and mobile forms mapped
// to the ordinary page (amp.* and m.* hosts, /amp, .amp.html, ?amp=1, Google's AMP viewer and cache).
std::optional<CanonicalUrl> Canonicalize(std::string_view url);

// Host of an http(s) URL in lower-case ASCII, without port and credentials; empty when there is none.
std::string UrlHost(std::string_view url);

// "bbc.co.uk" for "news.bbc.co.uk": one label below the public suffix. The host itself when it is an IP
// address, a single label or a public suffix.
std::string RegistrableDomain(std::string_view host);

// "file:/a/b", "file:///a/b" or "file:a" → the path; nullopt for anything else. Percent escapes are decoded.
std::optional<std::string> FilePath(std::string_view url);

}  // namespace racewatch::ingest
