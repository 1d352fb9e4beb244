#include "ingest/feed/charset.h"

#include <simdjson.h>
#include <uchardet/uchardet.h>
#include <unicode/ucnv.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "ingest/feed/ascii.h"
#include "ingest/feed/byte_scan.h"
#include "ingest/feed/entities.h"

namespace racewatch::ingest::feed {
namespace {

struct ConverterCloser {
  void operator()(UConverter* c) const { ucnv_close(c); }
};
using Converter = std::unique_ptr<UConverter, ConverterCloser>;

constexpr size_t kSniffBytes = 2048;                 // how far in an XML declaration is looked for
constexpr size_t kDetectBytesMax = size_t{1} << 18;  // what the detector is shown

std::string Lower(std::string_view s) {
  std::string out(Trim(s));
  for (char& c : out) c = ToLower(c);
  return out;
}

// The value behind `key` ("charset", "encoding") and '=' in `text`, quotes taken off; empty when
// absent.
std::string LabelAfter(std::string_view text, std::string_view key) {
  for (size_t at = 0; at + key.size() < text.size(); ++at) {
    if (!StartsWithIgnoreCase(text.substr(at), key)) continue;
    std::string_view rest = Trim(text.substr(at + key.size()));
    if (rest.empty() || rest[0] != '=') continue;
    rest = Trim(rest.substr(1));
    const bool quoted = !rest.empty() && (rest[0] == '"' || rest[0] == '\'');
    if (quoted) rest.remove_prefix(1);
    return Lower(rest.substr(0, rest.find_first_of("\"'; ?>\t\r\n")));
  }
  return {};
}

std::string DeclaredEncoding(std::string_view bytes) {
  const std::string_view head = bytes.substr(0, kSniffBytes);
  const size_t at = head.find("<?xml");
  if (at == std::string_view::npos) return {};
  return LabelAfter(head.substr(at, head.find('>', at) - at), "encoding");
}

// The converter that reads what a label means in practice: the superset that pages and feeds are
// really in (WHATWG Encoding, section 4.2).
std::string PracticalName(const std::string& label) {
  static constexpr std::array<std::pair<std::string_view, const char*>, 30> kNames = {{
      {"iso-8859-1", "windows-1252"},
      {"iso8859-1", "windows-1252"},
      {"latin1", "windows-1252"},
      {"latin-1", "windows-1252"},
      {"iso_8859-1", "windows-1252"},
      {"us-ascii", "windows-1252"},
      {"ascii", "windows-1252"},
      {"cp1252", "windows-1252"},
      {"win-1252", "windows-1252"},
      {"gb2312", "gb18030"},
      {"gbk", "gb18030"},
      {"gb_2312-80", "gb18030"},
      {"x-gbk", "gb18030"},
      {"euc-cn", "gb18030"},
      {"hz-gb-2312", "HZ-GB-2312"},
      {"big5", "Big5-HKSCS"},
      {"x-x-big5", "Big5-HKSCS"},
      {"euc-kr", "windows-949"},
      {"ks_c_5601-1987", "windows-949"},
      {"uhc", "windows-949"},
      {"shift_jis", "ibm-943_P15A-2003"},
      {"shift-jis", "ibm-943_P15A-2003"},
      {"x-sjis", "ibm-943_P15A-2003"},
      {"sjis", "ibm-943_P15A-2003"},
      {"iso-8859-9", "windows-1254"},
      {"iso-8859-11", "windows-874"},
      {"tis-620", "windows-874"},
      {"win-1251", "windows-1251"},
      {"cp1251", "windows-1251"},
      {"unicode", "utf-16"},
  }};
  for (const auto& [from, to] : kNames)
    if (label == from) return to;
  return label;
}

bool IsUtf8Label(std::string_view label) {
  return label == "utf-8" || label == "utf8" || label == "utf_8";
}

bool IsWideLabel(std::string_view label) {
  return label.starts_with("utf-16") || label.starts_with("utf16") || label.starts_with("utf-32") ||
         label.starts_with("utf32") || label.starts_with("ucs-") || label == "unicode" ||
         label.starts_with("iso-10646-ucs");
}

// A charset whose bytes below 0x80 are not ASCII (EBCDIC) would turn any document into rubbish when
// mislabelled.
bool ReadsAscii(const std::string& name) {
  UErrorCode error = U_ZERO_ERROR;
  Converter converter(ucnv_open(name.c_str(), &error));
  if (U_FAILURE(error)) return false;
  static constexpr std::string_view kProbe = "<?xml/>";
  UChar wide[16];
  const int32_t n = ucnv_toUChars(converter.get(), wide, 16, kProbe.data(), kProbe.size(), &error);
  if (U_FAILURE(error) || n != static_cast<int32_t>(kProbe.size())) return false;
  return std::equal(kProbe.begin(), kProbe.end(), wide);
}

// Converts all of `bytes` with ICU; what is invalid becomes U+FFFD. False when there is no such
// charset.
bool Convert(std::string_view bytes, const std::string& name, std::string* out) {
  UErrorCode error = U_ZERO_ERROR;
  Converter from(ucnv_open(name.c_str(), &error));
  Converter to(ucnv_open("UTF-8", &error));
  if (U_FAILURE(error)) return false;
  std::string result(bytes.size() + bytes.size() / 2 + 64, '\0');
  std::array<UChar, 4096> pivot;
  UChar* pivot_source = pivot.data();
  UChar* pivot_target = pivot.data();
  const char* source = bytes.data();
  size_t filled = 0;
  bool first = true;
  do {
    error = U_ZERO_ERROR;
    char* target = result.data() + filled;
    ucnv_convertEx(to.get(), from.get(), &target, result.data() + result.size(), &source,
                   bytes.data() + bytes.size(), pivot.data(), &pivot_source, &pivot_target,
                   pivot.data() + pivot.size(), first, true, &error);
    first = false;
    filled = static_cast<size_t>(target - result.data());
    if (error == U_BUFFER_OVERFLOW_ERROR) result.resize(result.size() * 2);
  } while (error == U_BUFFER_OVERFLOW_ERROR);
  result.resize(filled);
  *out = std::move(result);
  return U_SUCCESS(error);
}

// Length of the valid UTF-8 sequence at `at`, 0 when there is none.
size_t SequenceLength(std::string_view s, size_t at) {
  const auto byte = [&](size_t i) {
    return at + i < s.size() ? static_cast<unsigned char>(s[at + i]) : 0u;
  };
  const auto follows = [&](size_t i) { return (byte(i) & 0xC0) == 0x80; };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead < 0xE0) return follows(1) ? 2 : 0;
  if (lead >= 0xE0 && lead < 0xF0) {
    if (!follows(1) || !follows(2)) return 0;
    if (lead == 0xE0 && byte(1) < 0xA0) return 0;
    return lead == 0xED && byte(1) >= 0xA0 ? 0 : 3;
  }
  if (lead >= 0xF0 && lead < 0xF5) {
    if (!follows(1) || !follows(2) || !follows(3)) return 0;
    if (lead == 0xF0 && byte(1) < 0x90) return 0;
    return lead == 0xF4 && byte(1) >= 0x90 ? 0 : 4;
  }
  return 0;
}

struct Utf8Census {
  size_t two = 0, long_ones = 0, invalid = 0;
  size_t valid() const { return two + long_ones; }
};

Utf8Census TakeCensus(std::string_view bytes) {
  Utf8Census census;
  for (size_t at = 0; at < bytes.size();) {
    const size_t length = SequenceLength(bytes, at);
    if (length == 0) ++census.invalid;
    if (length == 2) ++census.two;
    if (length > 2) ++census.long_ones;
    at += std::max<size_t>(length, 1);
  }
  return census;
}

// UTF-8 with stray bytes: those are read as windows-1252, the usual culprit; a cut sequence at the
// end goes.
std::string RepairUtf8(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() + 16);
  for (size_t at = 0; at < bytes.size();) {
    const size_t length = SequenceLength(bytes, at);
    if (length > 0)
      out.append(bytes, at, length);
    else if (at + 4 < bytes.size())
      AppendCodePoint(static_cast<unsigned char>(bytes[at]), &out);
    at += std::max<size_t>(length, 1);
  }
  return out;
}

std::string Detect(std::string_view bytes) {
  size_t high = 0;
  const std::string_view head = bytes.substr(0, kDetectBytesMax);
  for (const char c : head) high += static_cast<unsigned char>(c) >= 0x80;
  const std::unique_ptr<uchardet, decltype(&uchardet_delete)> detector(uchardet_new(),
                                                                       &uchardet_delete);
  if (uchardet_handle_data(detector.get(), head.data(), head.size()) != 0) return "windows-1252";
  uchardet_data_end(detector.get());
  const std::string name = Lower(uchardet_get_charset(detector.get()));
  // A handful of accented letters is too little to tell the single-byte charsets apart: the most
  // common wins.
  const bool single_byte = name.starts_with("iso-8859") || name.starts_with("windows-") ||
                           name.starts_with("mac-") || name.starts_with("ibm") ||
                           name == "viscii" || name == "tcvn";
  if (name.empty() || name == "ascii" || IsUtf8Label(name) || (single_byte && high < 16))
    return "windows-1252";
  return PracticalName(name);
}

std::string WideEncoding(std::string_view b) {
  const auto is = [&](std::initializer_list<int> want) {
    if (b.size() < want.size()) return false;
    size_t i = 0;
    for (const int w : want)
      if (static_cast<unsigned char>(b[i++]) != w) return false;
    return true;
  };
  if (is({0xFF, 0xFE, 0, 0})) return "utf-32le";
  if (is({0, 0, 0xFE, 0xFF})) return "utf-32be";
  if (is({0xFF, 0xFE})) return "utf-16le";
  if (is({0xFE, 0xFF})) return "utf-16be";
  if (is({'<', 0, 0, 0})) return "utf-32le";
  if (is({0, 0, 0, '<'})) return "utf-32be";
  if (is({'<', 0}) && b.size() > 3 && b[2] != 0) return "utf-16le";
  if (is({0, '<'}) && b.size() > 3 && b[3] != 0) return "utf-16be";
  return {};
}

// True when the bytes are UTF-8 whatever `label` says: valid, with enough multi-byte characters
// that another charset would hardly produce. East Asian double bytes can pass for two-byte UTF-8,
// not for three-byte.
bool Utf8Beats(const std::string& label, const Utf8Census& census) {
  if (census.invalid > 0) return false;
  if (IsWideLabel(label)) return true;
  const std::string name = PracticalName(label);
  const bool double_byte = name == "gb18030" || name.starts_with("Big5") || name == "windows-949" ||
                           name.starts_with("ibm-943") || name.starts_with("euc-") ||
                           name.starts_with("iso-2022");
  return double_byte ? census.long_ones > 2 && census.long_ones >= census.two : census.valid() > 0;
}

bool IsPlainByte(unsigned char c) { return c >= 0x20 || c == '\t' || c == '\n' || c == '\r'; }

std::string Clean(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size(); ++at) {
    const unsigned char c = static_cast<unsigned char>(text[at]);
    if (c == 0xC2 && at + 1 < text.size() && static_cast<unsigned char>(text[at + 1]) < 0xA0) {
      AppendCodePoint(static_cast<unsigned char>(text[++at]), &out);
    } else if (IsPlainByte(c) && c != 0x7F) {
      out.push_back(static_cast<char>(c));
    }
  }
  return out;
}

// The charset to try for bytes that are not valid UTF-8, or that a label says are something else.
std::string ChooseEncoding(std::string_view bytes, const std::string& http,
                           const std::string& declared, bool valid) {
  const Utf8Census census = TakeCensus(bytes);
  for (const std::string& label : {http, declared}) {
    if (label.empty() || IsWideLabel(label) || Utf8Beats(label, census)) continue;
    if (!IsUtf8Label(label)) {
      const std::string name = PracticalName(label);
      if (ReadsAscii(name)) return name;
    } else if (valid || census.valid() >= census.invalid * 4) {
      return "utf-8";
    }
  }
  if (valid || (census.long_ones >= census.invalid * 4 && census.long_ones > 0)) return "utf-8";
  return Detect(bytes);
}

}  // namespace

DecodedText DecodeText(std::string_view bytes, std::string_view content_type, std::string* buffer) {
  DecodedText result;
  const std::string wide = WideEncoding(bytes);
  if (!wide.empty() && Convert(bytes, wide, buffer)) {
    result.encoding = wide;
    result.text = *buffer;
  } else {
    if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
    const std::string http = LabelAfter(content_type, "charset");
    const std::string declared = DeclaredEncoding(bytes);
    const bool valid = simdjson::validate_utf8(bytes.data(), bytes.size());
    const auto neutral = [](const std::string& label) {
      return label.empty() || IsUtf8Label(label);
    };
    result.encoding = valid && neutral(http) && neutral(declared)
                          ? "utf-8"
                          : ChooseEncoding(bytes, http, declared, valid);
    result.text = bytes;
    if (result.encoding == "utf-8" && !valid) {
      *buffer = RepairUtf8(bytes);
      result.repaired = true;
      result.text = *buffer;
    } else if (result.encoding != "utf-8") {
      if (!Convert(bytes, result.encoding, buffer)) *buffer = RepairUtf8(bytes);
      result.text = *buffer;
    }
  }
  if (result.text.starts_with("\xEF\xBB\xBF")) result.text.remove_prefix(3);
  if (HasControl(result.text)) {
    *buffer = Clean(result.text);
    result.text = *buffer;
    result.repaired = true;
  }
  return result;
}

}  // namespace racewatch::ingest::feed
