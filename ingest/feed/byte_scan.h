// The inner loops of the feed room that touch every byte, sixteen bytes a step where SSE2 is at
// hand (every x86-64) and byte by byte elsewhere. Pure functions.
#pragma once

#include <bit>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace racewatch::ingest::feed {

// Position of `c` at or after `from`, or s.size() when there is none. The first sixteen bytes are
// looked at in line, because the next mark of a markup text is mostly near; beyond, memchr is
// faster.
inline size_t FindByte(std::string_view s, char c, size_t from) {
  if (from >= s.size()) return s.size();
#ifdef __SSE2__
  if (from + 16 <= s.size()) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(s.data() + from));
    const unsigned mask =
        static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8(c))));
    if (mask != 0) return from + static_cast<size_t>(std::countr_zero(mask));
    from += 16;
    if (from >= s.size()) return s.size();
  }
#endif
  const void* hit = std::memchr(s.data() + from, c, s.size() - from);
  return hit ? static_cast<size_t>(static_cast<const char*>(hit) - s.data()) : s.size();
}

// Position of `needle` at or after `from`, or s.size() when there is none; the byte at `rare_at` of
// the needle is the one looked for first.
inline size_t FindMark(std::string_view s, std::string_view needle, size_t rare_at, size_t from) {
  for (size_t at = from + rare_at; at < s.size(); ++at) {
    at = FindByte(s, needle[rare_at], at);
    if (at >= s.size()) break;
    if (s.compare(at - rare_at, needle.size(), needle) == 0) return at - rare_at;
  }
  return s.size();
}

// Position of the first '<', '>', '"' or '\'' at or after `from`; text.size() when there is none.
size_t FindTagByte(std::string_view text, size_t from);

// True when valid UTF-8 holds a control character other than tab, line feed and carriage return, or
// a C1 code point (C2 80–9F), which is windows-1252 misread.
bool HasControl(std::string_view text);

// Appends `text` with what a JSON string cannot hold as it is ('"', '\\', bytes below 0x20)
// escaped.
void AppendJsonEscaped(std::string_view text, std::string* out);

}  // namespace racewatch::ingest::feed
