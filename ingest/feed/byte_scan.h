// The two inner loops of the feed room that touch every byte, sixteen bytes a step where SSE2 is at hand (every
// x86-64) and byte by byte elsewhere. Pure functions.
#pragma once

#include <cstddef>
#include <string_view>

namespace racewatch::ingest::feed {

// Position of the first byte at or after `from` that a JSON string cannot hold as it is ('"', '\\', below 0x20);
// text.size() when there is none.
size_t FindJsonSpecial(std::string_view text, size_t from);

// True when valid UTF-8 holds a control character other than tab, line feed and carriage return, or a C1 code point
// (C2 80–9F), which is windows-1252 misread.
bool HasControl(std::string_view text);

}  // namespace racewatch::ingest::feed
