// Turns the bytes of a page into valid UTF-8. The charset is the first that can be right of: byte order mark,
// HTTP header, <meta>, valid UTF-8 as it stands, a detector's guess, windows-1252. Pure; uses ICU and uchardet.
#pragma once

#include <string>
#include <string_view>

namespace racewatch::ingest::page {

// Returns `bytes` itself when it is valid UTF-8 and nothing credible says otherwise, else a view of
// `*buffer`, which then holds the converted text. Undecodable bytes become U+FFFD.
std::string_view DecodeToUtf8(std::string_view bytes, std::string_view content_type, std::string* buffer);

}  // namespace racewatch::ingest::page
