#include "ingest/page/text.h"

#include <unicode/locid.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <iterator>

#include "ingest/page/entity_table.h"

namespace racewatch::ingest::page {
namespace {

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// Windows-1252 meanings of the numbers 0x80–0x9F (HTML standard, 13.2.5.80).
constexpr uint16_t kC1[32] = {0x20AC, 0x81,   0x201A, 0x192,  0x201E, 0x2026, 0x2020, 0x2021, 0x2C6,  0x2030, 0x160,
                              0x2039, 0x152,  0x8D,   0x17D,  0x8F,   0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
                              0x2013, 0x2014, 0x2DC,  0x2122, 0x161,  0x203A, 0x153,  0x9D,   0x17E,  0x178};

uint32_t FixCodePoint(uint64_t cp) {
  if (cp >= 0x80 && cp <= 0x9F) return kC1[cp - 0x80];
  if (cp == 0 || cp > 0x10FFFF || (cp >= 0xD800 && cp <= 0xDFFF)) return 0xFFFD;
  return static_cast<uint32_t>(cp);
}

uint32_t NamedCodePoint(std::string_view name) {
  const auto* hit = std::lower_bound(std::begin(kNamedEntities), std::end(kNamedEntities), name,
                                     [](const NamedEntity& e, std::string_view n) { return e.name < n; });
  return hit != std::end(kNamedEntities) && hit->name == name ? hit->code_point : 0;
}

// Reads the reference at text[0] == '&'. Returns its length, 0 when it is none.
size_t ReadReference(std::string_view text, uint32_t* code_point) {
  if (text.size() < 3) return 0;
  size_t at = 1;
  if (text[1] == '#') {
    const bool hex = (text[2] | 32) == 'x';
    const size_t start = at = hex ? 3 : 2;
    uint64_t value = 0;
    for (; at < text.size(); ++at) {
      const char c = Lower(text[at]);
      const int digit = c >= '0' && c <= '9' ? c - '0' : hex && c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
      if (digit < 0) break;
      value = std::min<uint64_t>(value * (hex ? 16 : 10) + digit, 0x200000);
    }
    if (at == start) return 0;
    *code_point = FixCodePoint(value);
    return at + (at < text.size() && text[at] == ';');
  }
  while (at < text.size() && at < 24 && isalnum(static_cast<unsigned char>(text[at]))) ++at;
  *code_point = NamedCodePoint(text.substr(1, at - 1));
  if (*code_point == 0) return 0;
  const bool closed = at < text.size() && text[at] == ';';
  if (!closed && *code_point > 0xFF) return 0;  // only the Latin-1 names may go without ';'
  return at + closed;
}

// U+00A0, U+2000–200A, U+3000 and the like; their length in bytes, 0 for anything else.
size_t WideSpace(std::string_view at) {
  if (at.size() >= 2 && at[0] == '\xC2' && at[1] == '\xA0') return 2;
  if (at.size() < 3) return 0;
  const auto c1 = static_cast<uint8_t>(at[1]), c2 = static_cast<uint8_t>(at[2]);
  if (at[0] == '\xE2' && c1 == 0x80 && (c2 <= 0x8A || c2 == 0xA8 || c2 == 0xA9 || c2 == 0xAF)) return 3;
  return at[0] == '\xE3' && c1 == 0x80 && c2 == 0x80 ? 3 : 0;
}

// Zero width space, byte order mark, soft hyphen: invisible.
size_t Invisible(std::string_view at) {
  if (at.size() >= 2 && at[0] == '\xC2' && at[1] == '\xAD') return 2;
  if (at.size() < 3) return 0;
  if (at[0] == '\xE2' && at[1] == '\x80' && (at[2] == '\x8B' || at[2] == '\x8E' || at[2] == '\x8F')) return 3;
  return at[0] == '\xEF' && at[1] == '\xBB' && at[2] == '\xBF' ? 3 : 0;
}

}  // namespace

void AppendUtf8(uint32_t cp, std::string* out) {
  if (cp < 0x80) {
    out->push_back(static_cast<char>(cp));
    return;
  }
  if (cp < 0x800) {
    out->push_back(static_cast<char>(0xC0 | cp >> 6));
  } else {
    if (cp < 0x10000) {
      out->push_back(static_cast<char>(0xE0 | cp >> 12));
    } else {
      out->push_back(static_cast<char>(0xF0 | cp >> 18));
      out->push_back(static_cast<char>(0x80 | (cp >> 12 & 0x3F)));
    }
    out->push_back(static_cast<char>(0x80 | (cp >> 6 & 0x3F)));
  }
  out->push_back(static_cast<char>(0x80 | (cp & 0x3F)));
}

void AppendCollapsed(std::string_view raw, size_t line_start, std::string* out) {
  const auto space = [&] {
    if (out->size() > line_start && !IsSpace(out->back())) out->push_back(' ');
  };
  const auto put = [&](std::string_view one) {
    if (const size_t n = WideSpace(one)) space();
    else if (!Invisible(one)) out->append(one);
  };
  for (size_t at = 0; at < raw.size();) {
    const char c = raw[at];
    if (static_cast<unsigned char>(c) <= ' ') {
      space();
      ++at;
    } else if (c == '&') {
      uint32_t cp = 0;
      const size_t length = ReadReference(raw.substr(at), &cp);
      std::string one;
      AppendUtf8(length ? cp : '&', &one);
      if (cp != 0 && cp <= ' ') space();
      else put(one);
      at += length ? length : 1;
    } else if (c == '\xC2' || c == '\xE2' || c == '\xE3' || c == '\xEF') {
      const std::string_view rest = raw.substr(at);
      const size_t wide = WideSpace(rest), hidden = wide ? 0 : Invisible(rest);
      if (wide) space();
      if (!wide && !hidden) out->push_back(c);
      at += wide ? wide : hidden ? hidden : 1;
    } else {
      size_t stop = at + 1;
      while (stop < raw.size() && static_cast<unsigned char>(raw[stop]) > ' ' && raw[stop] != '&' &&
             raw[stop] != '\xC2' && raw[stop] != '\xE2' && raw[stop] != '\xE3' && raw[stop] != '\xEF')
        ++stop;
      out->append(raw, at, stop - at);
      at = stop;
    }
  }
}

std::string CleanText(std::string_view raw) {
  std::string out;
  AppendCollapsed(raw, 0, &out);
  while (!out.empty() && IsSpace(out.back())) out.pop_back();
  return out;
}

std::string DecodeEntities(std::string_view raw) {
  raw = Trim(raw);
  std::string out;
  for (size_t at = 0; at < raw.size();) {
    uint32_t cp = 0;
    const size_t length = raw[at] == '&' ? ReadReference(raw.substr(at), &cp) : 0;
    if (length) AppendUtf8(cp, &out);
    else out.push_back(raw[at]);
    at += length ? length : 1;
  }
  return out;
}

std::string StripTags(std::string_view html) {
  std::string bare;
  for (size_t at = 0; at < html.size();) {
    const size_t open = html.find('<', at);
    bare.append(html, at, open == html.npos ? html.npos : open - at);
    if (open == html.npos) break;
    const size_t close = html.find('>', open);
    if (close == html.npos) break;
    bare.push_back(' ');
    at = close + 1;
  }
  return CleanText(bare);
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && IsSpace(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsSpace(text.back())) text.remove_suffix(1);
  return text;
}

std::string_view Prefix(std::string_view utf8, size_t bytes_max) {
  if (utf8.size() <= bytes_max) return utf8;
  while (bytes_max > 0 && (static_cast<unsigned char>(utf8[bytes_max]) & 0xC0) == 0x80) --bytes_max;
  return utf8.substr(0, bytes_max);
}

std::string LowerAscii(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = Lower(c);
  return out;
}

std::string LowerUnicode(std::string_view utf8) {
  const bool ascii = std::all_of(utf8.begin(), utf8.end(), [](char c) { return static_cast<uint8_t>(c) < 0x80; });
  if (ascii) return LowerAscii(utf8);
  std::string lower;
  icu::UnicodeString::fromUTF8(icu::StringPiece(utf8.data(), static_cast<int32_t>(utf8.size()))).toLower(icu::Locale::getRoot()).toUTF8String(lower);
  return lower;
}

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return Lower(x) == Lower(y); });
}

bool StartsWithIgnoreCase(std::string_view text, std::string_view lower) {
  return text.size() >= lower.size() && EqualsIgnoreCase(text.substr(0, lower.size()), lower);
}

bool ContainsIgnoreCase(std::string_view text, std::string_view lower) {
  const auto hit = std::search(text.begin(), text.end(), lower.begin(), lower.end(),
                               [](char x, char y) { return Lower(x) == y; });
  return hit != text.end() || lower.empty();
}

size_t TextWeight(std::string_view text) {
  size_t weight = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<uint8_t>(text[i]);
    weight += (c & 0xC0) != 0x80;
    weight += c >= 0xE3 && c <= 0xED;  // U+3000–U+DFFF: kana, Han, Hangul
  }
  return weight;
}

size_t CountWords(std::string_view text) {
  size_t words = 0;
  bool in_word = false;
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    const bool letter = isalnum(byte) || byte >= 0x80;
    words += letter && !in_word;
    words += byte >= 0xE3 && byte <= 0xED && in_word;  // a Han character is near a word
    in_word = letter;
  }
  return words;
}

}  // namespace racewatch::ingest::page
