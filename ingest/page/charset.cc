#include "ingest/page/charset.h"

#include <simdjson.h>
#include <uchardet/uchardet.h>
#include <unicode/ucnv.h>

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "ingest/page/text.h"

namespace racewatch::ingest::page {
namespace {

using Converter = std::unique_ptr<UConverter, decltype(&ucnv_close)>;
using Detector = std::unique_ptr<uchardet, decltype(&uchardet_delete)>;

constexpr size_t kMetaSearchBytes = 16384;
constexpr size_t kDetectorBytes = 65536;

// The label as the Encoding Standard maps it where that differs from ICU's reading of the name.
std::string NormaliseLabel(std::string_view label) {
  std::string lower = LowerAscii(Trim(label));
  if (lower == "gb2312" || lower == "gbk" || lower == "gb_2312-80" || lower == "x-gbk" || lower == "euc-cn") return "gb18030";
  if (lower == "iso-8859-1" || lower == "latin1" || lower == "us-ascii" || lower == "ascii") return "windows-1252";
  if (lower == "shift_jis" || lower == "shift-jis" || lower == "sjis") return "windows-31j";
  if (lower == "big5" || lower == "big5-hkscs") return "Big5-HKSCS";
  if (lower == "utf8") return "utf-8";
  if (lower == "utf-16" || lower == "utf-16le" || lower == "utf-16be") return "utf-8";  // a label in ASCII bytes lies
  return lower;
}

// The value after `charset=` in `text`, empty when there is none.
std::string_view CharsetParameter(std::string_view text) {
  for (size_t at = 0; at + 8 < text.size(); ++at) {
    if ((text[at] | 32) != 'c' || !StartsWithIgnoreCase(text.substr(at), "charset")) continue;
    size_t start = at + 7;
    while (start < text.size() && text[start] == ' ') ++start;
    if (start >= text.size() || text[start] != '=') continue;
    start = text.find_first_not_of(" \"'", start + 1);
    if (start == text.npos) return {};
    return text.substr(start, text.find_first_of(" \"';/>,", start) - start);
  }
  return {};
}

std::string DetectLabel(std::string_view bytes) {
  const Detector detector(uchardet_new(), uchardet_delete);
  uchardet_handle_data(detector.get(), bytes.data(), std::min(bytes.size(), kDetectorBytes));
  uchardet_data_end(detector.get());
  return uchardet_get_charset(detector.get());
}

bool Convert(std::string_view bytes, const std::string& label, std::string* out) {
  UErrorCode error = U_ZERO_ERROR;
  const Converter from(ucnv_open(label.c_str(), &error), ucnv_close);
  const Converter to(ucnv_open("UTF-8", &error), ucnv_close);
  if (U_FAILURE(error)) return false;
  out->resize(bytes.size() * 3 + 64);  // no charset of the web grows more than threefold
  std::array<UChar, 4096> pivot;
  UChar* pivot_source = pivot.data();
  UChar* pivot_target = pivot.data();
  char* target = out->data();
  const char* source = bytes.data();
  ucnv_convertEx(to.get(), from.get(), &target, out->data() + out->size(), &source, bytes.data() + bytes.size(),
                 pivot.data(), &pivot_source, &pivot_target, pivot.data() + pivot.size(), true, true, &error);
  out->resize(target - out->data());
  return U_SUCCESS(error);
}

// UTF-8 with U+FFFD for what is malformed: for pages that are UTF-8 but for a few cut characters.
bool MostlyUtf8(std::string_view bytes) {
  size_t good = 0, bad = 0;
  for (size_t i = 0; i < bytes.size();) {
    const auto c = static_cast<uint8_t>(bytes[i]);
    const size_t length = c < 0x80 ? 1 : c >= 0xC2 && c < 0xE0 ? 2 : c >= 0xE0 && c < 0xF0 ? 3 : c >= 0xF0 && c < 0xF5 ? 4 : 0;
    bool whole = length > 0 && i + length <= bytes.size();
    for (size_t k = 1; whole && k < length; ++k) whole = (bytes[i + k] & 0xC0) == 0x80;
    if (c >= 0x80) (whole ? good : bad) += 1;
    i += whole ? length : 1;
  }
  return good > 0 && bad * 20 <= good;
}

}  // namespace

std::string_view DecodeToUtf8(std::string_view bytes, std::string_view content_type, std::string* buffer) {
  if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
  else if (bytes.starts_with("\xFF\xFE") && Convert(bytes.substr(2), "UTF-16LE", buffer)) return *buffer;
  else if (bytes.starts_with("\xFE\xFF") && Convert(bytes.substr(2), "UTF-16BE", buffer)) return *buffer;

  // Valid UTF-8 with a character beyond ASCII is hardly ever anything else, whatever the labels say; escape
  // sequences (ISO-2022-JP) and plain ASCII look alike, so those obey the label.
  const bool valid = simdjson::validate_utf8(bytes.data(), bytes.size());
  std::string label = NormaliseLabel(CharsetParameter(content_type));
  if (label.empty()) label = NormaliseLabel(CharsetParameter(bytes.substr(0, kMetaSearchBytes)));
  if (valid && !label.starts_with("iso-2022")) return bytes;
  if ((label.empty() || label == "utf-8") && MostlyUtf8(bytes) && Convert(bytes, "UTF-8", buffer)) return *buffer;
  if (!label.empty() && label != "utf-8" && Convert(bytes, label, buffer)) return *buffer;
  const std::string guess = NormaliseLabel(DetectLabel(bytes));
  if (!guess.empty() && guess != "utf-8" && Convert(bytes, guess, buffer)) return *buffer;
  if (Convert(bytes, "windows-1252", buffer)) return *buffer;
  buffer->clear();
  return *buffer;
}

}  // namespace racewatch::ingest::page
