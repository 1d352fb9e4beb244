// Percent-encoding of parts of an address (RFC 3986 §2.1). Pure functions, any bytes, any thread.
#pragma once

#include <string>
#include <string_view>

namespace racewatch::base {

// Everything but unreserved characters (letters, digits, `-`, `_`, `.`, `~`) as %XX: fit for one part of a path or query.
std::string PercentEncode(std::string_view text);

// %XX as the byte it stands for; what is no such escape stays as it is.
std::string PercentDecode(std::string_view text);

}  // namespace racewatch::base
