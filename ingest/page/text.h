// Small text tools of page extraction: entity decoding, white space, case, and counting, all on UTF-8. Pure
// functions, safe on any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace racewatch::ingest::page {

void AppendUtf8(uint32_t code_point, std::string* out);

// Appends `raw` with character references decoded and every run of white space turned into one space; no space
// is added at the start of a line (an empty `out`, or one that ends in white space past `line_start`).
void AppendCollapsed(std::string_view raw, size_t line_start, std::string* out);

// Decoded, collapsed and trimmed.
std::string CleanText(std::string_view raw);
// Decoded and trimmed, inner white space kept: for URLs.
std::string DecodeEntities(std::string_view raw);
// CleanText without tags, for values that hold markup.
std::string StripTags(std::string_view html);

std::string_view Trim(std::string_view text);
// Lower case in any script.
std::string LowerUnicode(std::string_view utf8);
// The first `bytes_max` bytes, less a character that would be cut in two.
std::string_view Prefix(std::string_view utf8, size_t bytes_max);
std::string LowerAscii(std::string_view text);
bool EqualsIgnoreCase(std::string_view a, std::string_view b);
// `lower` is in lower case.
bool ContainsIgnoreCase(std::string_view text, std::string_view lower);
bool StartsWithIgnoreCase(std::string_view text, std::string_view lower);

// Code points, CJK counted double: near the number of Latin letters that say the same.
size_t TextWeight(std::string_view text);
size_t CountWords(std::string_view text);

}  // namespace racewatch::ingest::page
