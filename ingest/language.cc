#include "ingest/language.h"

#include <cld2/public/compact_lang_det.h>
#include <cld2/public/encodings.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>

namespace racewatch::ingest {
namespace {

constexpr size_t kSampleBytes = 2048;

enum Script { kLatin, kHan, kKana, kHangul, kCyrillic, kArabic, kHebrew, kThai, kGreek, kDevanagari, kScripts };

struct Counts {
  std::array<int, kScripts> of{};
  int letters = 0;
  bool Leads(Script s) const { return of[s] * 2 > letters; }
};

char32_t Next(std::string_view text, size_t* at) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<uint8_t>(text[i]) : 0u; };
  const uint32_t b = byte(*at);
  if (b < 0x80) return *at += 1, b;
  if (b < 0xe0) return *at += 2, (b & 31) << 6 | (byte(*at - 1) & 63);
  if (b < 0xf0) return *at += 3, (b & 15) << 12 | (byte(*at - 2) & 63) << 6 | (byte(*at - 1) & 63);
  return *at += 4, (b & 7) << 18 | (byte(*at - 3) & 63) << 12 | (byte(*at - 2) & 63) << 6 | (byte(*at - 1) & 63);
}

int ScriptOf(char32_t c) {
  if (c < 0x80) return std::isalpha(static_cast<int>(c)) ? kLatin : -1;
  if (c >= 0xC0 && c < 0x250) return kLatin;
  if (c >= 0x370 && c < 0x400) return kGreek;
  if (c >= 0x400 && c < 0x530) return kCyrillic;
  if (c >= 0x590 && c < 0x600) return kHebrew;
  if ((c >= 0x600 && c < 0x780) || (c >= 0xFB50 && c < 0xFE00)) return kArabic;
  if (c >= 0x900 && c < 0x980) return kDevanagari;
  if (c >= 0xE00 && c < 0xE80) return kThai;
  if (c >= 0x3040 && c < 0x3100) return kKana;
  if ((c >= 0xAC00 && c < 0xD7B0) || (c >= 0x1100 && c < 0x1200)) return kHangul;
  if ((c >= 0x3400 && c < 0xA000) || (c >= 0x20000 && c < 0x32000)) return kHan;
  return -1;
}

// Ideographs and syllables carry more than a letter each: they weigh three.
Counts CountScripts(std::string_view text) {
  Counts counts;
  for (size_t at = 0; at < text.size();) {
    const int script = ScriptOf(Next(text, &at));
    if (script < 0) continue;
    const int weight = script == kHan || script == kKana || script == kHangul ? 3 : 1;
    counts.of[static_cast<size_t>(script)] += weight;
    counts.letters += weight;
  }
  return counts;
}

std::string ByScript(const Counts& counts, const std::string& hint) {
  if (counts.letters == 0) return {};
  const int cjk = counts.of[kHan] + counts.of[kKana] + counts.of[kHangul];
  if (cjk * 2 > counts.letters) {
    if (counts.of[kHangul] * 2 > cjk) return "ko";
    // Japanese text is hardly ever without kana for a whole headline.
    if (counts.of[kKana] * 12 > cjk) return "ja";
    return hint == "ja" && cjk < 36 ? "ja" : "zh";
  }
  if (counts.Leads(kHebrew)) return "he";
  if (counts.Leads(kThai)) return "th";
  if (counts.Leads(kGreek)) return "el";
  return {};
}

std::string ByCld2(const std::string& sample, const std::string& hint) {
  const CLD2::CLDHints hints = {nullptr, "", CLD2::UNKNOWN_ENCODING,
                                hint.empty() ? CLD2::UNKNOWN_LANGUAGE : CLD2::GetLanguageFromName(hint.c_str())};
  CLD2::Language top[3];
  int percent[3];
  double score[3];
  int bytes = 0;
  bool reliable = false;
  const CLD2::Language language = CLD2::ExtDetectLanguageSummary(
      sample.data(), static_cast<int>(sample.size()), true, &hints, 0, top, percent, score, nullptr, &bytes, &reliable);
  if (!reliable || language == CLD2::UNKNOWN_LANGUAGE) return {};
  return PrimaryLanguage(CLD2::LanguageCode(language));
}

}  // namespace

std::string PrimaryLanguage(std::string_view tag) {
  const size_t end = std::min(tag.find_first_of("-_"), tag.size());
  std::string code(tag.substr(0, end));
  for (char& c : code) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (code.size() < 2 || code.size() > 3) return {};
  if (!std::all_of(code.begin(), code.end(), [](char c) { return c >= 'a' && c <= 'z'; })) return {};
  if (code == "iw") return "he";
  if (code == "in") return "id";
  if (code == "nb" || code == "nn") return "no";
  if (code == "und" || code == "mul" || code == "un") return {};
  if (code == "eng") return "en";
  if (code == "zho" || code == "chi" || code == "cmn") return "zh";
  return code.size() == 2 ? code : std::string();
}

std::string DetectLanguage(std::string_view title, std::string_view text, std::string_view hint_tag) {
  const std::string hint = PrimaryLanguage(hint_tag);
  std::string sample(title.substr(0, kSampleBytes));
  sample.append("\n").append(text.substr(0, kSampleBytes));
  if (sample.size() > kSampleBytes) sample.resize(kSampleBytes);
  while (!sample.empty() && (static_cast<uint8_t>(sample.back()) & 0xC0) == 0x80) sample.pop_back();
  if (!sample.empty() && static_cast<uint8_t>(sample.back()) >= 0xC0) sample.pop_back();
  const Counts counts = CountScripts(sample);
  if (std::string code = ByScript(counts, hint); !code.empty()) return code;
  if (counts.letters > 0)
    if (std::string code = ByCld2(sample, hint); !code.empty()) return code;
  if (!hint.empty()) return hint;
  if (counts.Leads(kCyrillic)) return "ru";
  if (counts.Leads(kArabic)) return "ar";
  return "und";
}

}  // namespace racewatch::ingest
