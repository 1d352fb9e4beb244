#include "ingest/feed/byte_scan.h"

#include <algorithm>
#include <array>

namespace racewatch::ingest::feed {
namespace {

// For each byte: 0 stands as it is, 'u' needs \u00XX, else the letter behind the backslash.
constexpr std::array<char, 256> MakeEscapes() {
  std::array<char, 256> table{};
  for (size_t c = 0; c < 0x20; ++c) table[c] = 'u';
  table['\n'] = 'n';
  table['\r'] = 'r';
  table['\t'] = 't';
  table['"'] = '"';
  table['\\'] = '\\';
  return table;
}
constexpr std::array<char, 256> kEscapes = MakeEscapes();
constexpr size_t kEscapeBytesMax = 6;  // \u00XX
constexpr size_t kBlockBytes = 2048;

constexpr bool IsControl(unsigned char before, unsigned char c) {
  return (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7F ||
         (before == 0xC2 && c < 0xA0);
}

#ifdef __SSE2__
__m128i Load(const char* at) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at)); }
__m128i Fill(int c) { return _mm_set1_epi8(static_cast<char>(c)); }
// 0xFF where a byte is at most `most`, unsigned.
__m128i AtMost(__m128i v, int most) { return _mm_cmpeq_epi8(_mm_min_epu8(v, Fill(most)), v); }

__m128i ControlMask(const char* at) {
  const __m128i v = Load(at);
  const __m128i blank =
      _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, Fill('\t')), _mm_cmpeq_epi8(v, Fill('\n'))),
                   _mm_cmpeq_epi8(v, Fill('\r')));
  const __m128i low = _mm_andnot_si128(blank, AtMost(v, 0x1F));
  const __m128i c1 = _mm_and_si128(_mm_cmpeq_epi8(Load(at - 1), Fill(0xC2)), AtMost(v, 0x9F));
  return _mm_or_si128(_mm_or_si128(low, c1), _mm_cmpeq_epi8(v, Fill(0x7F)));
}
#endif

// Writes one byte, escaped if need be; returns the end.
char* WriteEscaped(unsigned char c, char* to) {
  static constexpr char kHex[] = "0123456789abcdef";
  const char escape = kEscapes[c];
  if (escape == 0) {
    *to++ = static_cast<char>(c);
    return to;
  }
  *to++ = '\\';
  *to++ = escape;
  if (escape == 'u') {
    *to++ = '0';
    *to++ = '0';
    *to++ = kHex[c >> 4];
    *to++ = kHex[c & 15];
  }
  return to;
}

}  // namespace

size_t FindTagByte(std::string_view text, size_t from) {
#ifdef __SSE2__
  for (; from + 16 <= text.size(); from += 16) {
    const __m128i v = Load(text.data() + from);
    const __m128i angles = _mm_or_si128(_mm_cmpeq_epi8(v, Fill('<')), _mm_cmpeq_epi8(v, Fill('>')));
    const __m128i quotes =
        _mm_or_si128(_mm_cmpeq_epi8(v, Fill('"')), _mm_cmpeq_epi8(v, Fill('\'')));
    const unsigned mask = static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(angles, quotes)));
    if (mask != 0) return from + static_cast<size_t>(std::countr_zero(mask));
  }
#endif
  while (from < text.size() && text[from] != '<' && text[from] != '>' && text[from] != '"' &&
         text[from] != '\'')
    ++from;
  return from;
}

// In blocks through a buffer on the stack, so that the output string grows once a block and not
// once a piece.
void AppendJsonEscaped(std::string_view text, std::string* out) {
  std::array<char, kBlockBytes * kEscapeBytesMax + 16> buffer;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.size(), at + kBlockBytes);
    char* to = buffer.data();
    while (at < end) {
#ifdef __SSE2__
      if (at + 16 <= end) {
        const __m128i v = Load(text.data() + at);
        const __m128i special =
            _mm_or_si128(AtMost(v, 0x1F),
                         _mm_or_si128(_mm_cmpeq_epi8(v, Fill('"')), _mm_cmpeq_epi8(v, Fill('\\'))));
        const unsigned mask = static_cast<unsigned>(_mm_movemask_epi8(special));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to), v);
        const size_t plain = mask == 0 ? 16 : static_cast<size_t>(std::countr_zero(mask));
        at += plain;
        to += plain;
        if (mask == 0) continue;
      }
#endif
      to = WriteEscaped(static_cast<unsigned char>(text[at++]), to);
    }
    out->append(buffer.data(), static_cast<size_t>(to - buffer.data()));
  }
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
    if (IsControl(static_cast<unsigned char>(text[at - 1]), static_cast<unsigned char>(text[at])))
      return true;
  return false;
}

}  // namespace racewatch::ingest::feed
