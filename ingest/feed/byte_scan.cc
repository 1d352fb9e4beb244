#include "ingest/feed/byte_scan.h"

#include <bit>
#include <cstdint>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace racewatch::ingest::feed {
namespace {

constexpr bool IsJsonSpecial(char c) { return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\'; }

constexpr bool IsControl(unsigned char before, unsigned char c) {
  return (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7F || (before == 0xC2 && c < 0xA0);
}

#ifdef __SSE2__
__m128i Load(const char* at) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at)); }
__m128i Fill(int c) { return _mm_set1_epi8(static_cast<char>(c)); }
// 0xFF where a byte is at most `most`, unsigned.
__m128i AtMost(__m128i v, int most) { return _mm_cmpeq_epi8(_mm_min_epu8(v, Fill(most)), v); }

__m128i ControlMask(const char* at) {
  const __m128i v = Load(at);
  const __m128i blank = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, Fill('\t')), _mm_cmpeq_epi8(v, Fill('\n'))),
                                     _mm_cmpeq_epi8(v, Fill('\r')));
  const __m128i low = _mm_andnot_si128(blank, AtMost(v, 0x1F));
  const __m128i c1 = _mm_and_si128(_mm_cmpeq_epi8(Load(at - 1), Fill(0xC2)), AtMost(v, 0x9F));
  return _mm_or_si128(_mm_or_si128(low, c1), _mm_cmpeq_epi8(v, Fill(0x7F)));
}
#endif

}  // namespace

size_t FindJsonSpecial(std::string_view text, size_t from) {
#ifdef __SSE2__
  for (; from + 16 <= text.size(); from += 16) {
    const __m128i v = Load(text.data() + from);
    const __m128i special =
        _mm_or_si128(AtMost(v, 0x1F), _mm_or_si128(_mm_cmpeq_epi8(v, Fill('"')), _mm_cmpeq_epi8(v, Fill('\\'))));
    const unsigned mask = static_cast<unsigned>(_mm_movemask_epi8(special));
    if (mask != 0) return from + static_cast<size_t>(std::countr_zero(mask));
  }
#endif
  while (from < text.size() && !IsJsonSpecial(text[from])) ++from;
  return from;
}

bool HasControl(std::string_view text) {
  if (text.empty()) return false;
  if (IsControl(0, static_cast<unsigned char>(text[0]))) return true;
  size_t at = 1;
#ifdef __SSE2__
  for (; at + 64 <= text.size(); at += 64) {
    const char* p = text.data() + at;
    const __m128i found = _mm_or_si128(_mm_or_si128(ControlMask(p), ControlMask(p + 16)),
                                       _mm_or_si128(ControlMask(p + 32), ControlMask(p + 48)));
    if (_mm_movemask_epi8(found) != 0) return true;
  }
#endif
  for (; at < text.size(); ++at)
    if (IsControl(static_cast<unsigned char>(text[at - 1]), static_cast<unsigned char>(text[at]))) return true;
  return false;
}

}  // namespace racewatch::ingest::feed
