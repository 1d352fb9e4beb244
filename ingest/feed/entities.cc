#include "ingest/feed/entities.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "ingest/feed/ascii.h"
#include "ingest/feed/byte_scan.h"
#include "ingest/feed/entities_table.h"

namespace racewatch::ingest::feed {
namespace {

// What windows-1252 has at 0x80–0x9F; 0 where it has nothing.
constexpr std::array<uint16_t, 32> kWindows1252 = {
    0x20AC, 0,      0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0,      0x017D, 0,      0,      0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0,      0x017E, 0x0178};

constexpr size_t kNameBytesMax = 32;  // the longest HTML name is CounterClockwiseContourIntegral

int DigitValue(char c, int base) {
  if (IsDigit(c)) return c - '0';
  const char low = ToLower(c);
  return base == 16 && low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

// `text` begins with "&#". The semicolon may be missing, as in browsers.
size_t DecodeNumeric(std::string_view text, std::string* out) {
  size_t at = 2;
  int base = 10;
  if (at < text.size() && ToLower(text[at]) == 'x') {
    base = 16;
    ++at;
  }
  const size_t first = at;
  uint32_t value = 0;
  for (; at < text.size(); ++at) {
    const int digit = DigitValue(text[at], base);
    if (digit < 0) break;
    value = std::min<uint32_t>(value * base + digit, 0x110000);
  }
  if (at == first) return 0;
  AppendCodePoint(value, out);
  return at < text.size() && text[at] == ';' ? at + 1 : at;
}

// lt, gt, amp and quot, which are nearly all there is: the length and the character, or 0.
size_t DecodePlain(std::string_view text, char* character) {
  const auto is = [text](size_t i, char c) { return i < text.size() && text[i] == c; };
  if (is(1, 'l') && is(2, 't') && is(3, ';')) return *character = '<', 4;
  if (is(1, 'g') && is(2, 't') && is(3, ';')) return *character = '>', 4;
  if (is(1, 'a') && is(2, 'm') && is(3, 'p') && is(4, ';')) return *character = '&', 5;
  if (is(1, 'q') && is(2, 'u') && is(3, 'o') && is(4, 't') && is(5, ';'))
    return *character = '"', 6;
  return 0;
}

}  // namespace

void AppendCodePoint(uint32_t c, std::string* out) {
  if (c >= 0x80 && c < 0xA0) {
    c = kWindows1252[c - 0x80];
    if (c == 0) return;
  }
  if (c < 0x20 && c != '\t' && c != '\n' && c != '\r') return;
  if (c > 0x10FFFF || (c >= 0xD800 && c < 0xE000)) c = 0xFFFD;
  if (c < 0x80) {
    out->push_back(static_cast<char>(c));
  } else if (c < 0x800) {
    out->push_back(static_cast<char>(0xC0 | (c >> 6)));
    out->push_back(static_cast<char>(0x80 | (c & 0x3F)));
  } else if (c < 0x10000) {
    out->push_back(static_cast<char>(0xE0 | (c >> 12)));
    out->push_back(static_cast<char>(0x80 | ((c >> 6) & 0x3F)));
    out->push_back(static_cast<char>(0x80 | (c & 0x3F)));
  } else {
    out->push_back(static_cast<char>(0xF0 | (c >> 18)));
    out->push_back(static_cast<char>(0x80 | ((c >> 12) & 0x3F)));
    out->push_back(static_cast<char>(0x80 | ((c >> 6) & 0x3F)));
    out->push_back(static_cast<char>(0x80 | (c & 0x3F)));
  }
}

std::string_view NamedCharacter(std::string_view name) {
  const auto found =
      std::lower_bound(kNamedReferences.begin(), kNamedReferences.end(), name,
                       [](const NamedReference& r, std::string_view n) { return r.name < n; });
  return found != kNamedReferences.end() && found->name == name ? found->characters
                                                                : std::string_view();
}

size_t DecodeReference(std::string_view text, const DtdEntities* dtd, std::string* out) {
  if (text.size() < 3) return 0;
  if (text[1] == '#') return DecodeNumeric(text, out);
  char plain = 0;
  if (const size_t length = DecodePlain(text, &plain); length > 0)
    return out->push_back(plain), length;
  size_t end = 1;
  while (end < text.size() && end <= kNameBytesMax &&
         (IsAlnum(text[end]) || text[end] == '_' || text[end] == '.' || text[end] == '-'))
    ++end;
  if (end == 1 || end >= text.size() || text[end] != ';') return 0;
  const std::string_view name = text.substr(1, end - 1);
  std::string_view value = NamedCharacter(name);
  if (value.empty() && dtd) value = dtd->Find(name);
  if (value.empty()) return 0;
  out->append(value);
  return end + 1;
}

// The four of XML that make up escaped markup are written in place, since they only shrink;
// everything else takes the general way.
void AppendDecoded(std::string_view text, const DtdEntities* dtd, std::string* out) {
  size_t filled = out->size();
  out->resize(filled + text.size());
  std::string other;
  for (size_t at = 0; at < text.size();) {
    const size_t amp = FindByte(text, '&', at);
    std::memcpy(out->data() + filled, text.data() + at, amp - at);
    filled += amp - at;
    if (amp >= text.size()) break;
    char plain = 0;
    size_t length = DecodePlain(text.substr(amp), &plain);
    if (length > 0) {
      (*out)[filled++] = plain;
      at = amp + length;
      continue;
    }
    other.clear();
    length = DecodeReference(text.substr(amp), dtd, &other);
    if (length == 0) other.push_back('&');
    at = amp + std::max<size_t>(length, 1);
    const size_t needed = filled + other.size() + (text.size() - at);
    if (needed > out->size()) out->resize(needed + needed / 8);
    std::memcpy(out->data() + filled, other.data(), other.size());
    filled += other.size();
  }
  out->resize(filled);
}

void AppendEscaped(std::string_view text, std::string* out) {
  for (const char c : text) {
    if (c == '&')
      out->append("&amp;");
    else if (c == '<')
      out->append("&lt;");
    else if (c == '>')
      out->append("&gt;");
    else
      out->push_back(c);
  }
}

void DtdEntities::Read(std::string_view doctype) {
  static constexpr std::string_view kMark = "<!ENTITY";
  for (size_t at = FindMark(doctype, kMark, 1, 0);
       at < doctype.size() && entities_.size() < kEntitiesMax;
       at = FindMark(doctype, kMark, 1, at)) {
    at += kMark.size();
    std::string_view rest = doctype.substr(at, kNameBytesMax + kValueBytesMax + 64);
    rest = Trim(rest);
    size_t end = 0;
    while (end < rest.size() && !IsSpace(rest[end])) ++end;
    const std::string_view name = rest.substr(0, end);
    rest = Trim(rest.substr(end));
    // Parameter entities ("%") and external ones (SYSTEM, PUBLIC) have no quote here and are passed
    // over.
    if (name.empty() || name.size() > kNameBytesMax || rest.empty() ||
        (rest[0] != '"' && rest[0] != '\''))
      continue;
    const size_t close = rest.find(rest[0], 1);
    if (close == std::string_view::npos || close - 1 > kValueBytesMax) continue;
    const std::string_view value = rest.substr(1, close - 1);
    if (value.find_first_of("&<%") != std::string_view::npos) continue;
    entities_.emplace_back(name, value);
  }
}

std::string_view DtdEntities::Find(std::string_view name) const {
  for (const auto& [known, value] : entities_)
    if (known == name) return value;
  return {};
}

}  // namespace racewatch::ingest::feed
