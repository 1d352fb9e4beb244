// Relative addresses made absolute (RFC 3986, section 5.2), without normalising what is already
// absolute. Pure functions, linear time.
#pragma once

#include <string>
#include <string_view>

namespace racewatch::ingest::feed {

// True when `url` begins with a scheme ("https:", "tag:", "mailto:").
bool HasScheme(std::string_view url);

// `reference` seen from `base`. White space around it is dropped; without an absolute base, or when
// the reference is absolute, it comes back as it is.
std::string ResolveUrl(std::string_view base, std::string_view reference);

// True for a scheme that runs code or reads local files when followed: javascript:, vbscript:,
// data: and so on.
bool IsUnsafeUrl(std::string_view url);

}  // namespace racewatch::ingest::feed
