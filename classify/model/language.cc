#include "classify/model/language.h"

#include <cld2/public/compact_lang_det.h>
#include <cld2/public/encodings.h>

#include <algorithm>
#include <array>
#include <unordered_map>

#include "classify/model/hash.h"

namespace racewatch::classify {
namespace {

constexpr size_t kDetectBytesMax = 1024;

std::string Primary(std::string_view tag) {
  std::string code(tag.substr(0, tag.find_first_of("-_")));
  for (char& c : code) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  const bool letters = std::all_of(code.begin(), code.end(), [](char c) { return c >= 'a' && c <= 'z'; });
  return code.size() == 2 && letters ? code : "";
}

// The first KiB, cut at a code point. CLD2 wants valid UTF-8: bytes that are not become spaces.
std::string Sample(std::string_view title, std::string_view text) {
  std::string sample(title.substr(0, kDetectBytesMax));
  sample += '\n';
  if (sample.size() < kDetectBytesMax) sample += text.substr(0, kDetectBytesMax - sample.size());
  int pending = 0;
  size_t lead = 0;
  for (size_t i = 0; i < sample.size(); ++i) {
    const auto byte = static_cast<uint8_t>(sample[i]);
    if ((byte & 0xC0) == 0x80 && pending > 0) {
      --pending;
      continue;
    }
    if (pending > 0) std::fill(sample.begin() + static_cast<ptrdiff_t>(lead), sample.begin() + static_cast<ptrdiff_t>(i), ' ');
    pending = byte >= 0xF0 && byte <= 0xF4 ? 3 : byte >= 0xE0 && byte < 0xF0 ? 2 : byte >= 0xC2 && byte < 0xE0 ? 1 : 0;
    lead = i;
    if (byte >= 0x80 && pending == 0) sample[i] = ' ';
  }
  if (pending > 0) sample.resize(lead);
  return sample;
}

// Function words that no other of the six languages uses often.
constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kFunctionWords = {{
    {"en", "the of and to is that it for was with on as are this by be from have has not which they were will"},
    {"de", "der die und das ist nicht von mit den dem auf ein eine sich auch für werden wird im zu des"},
    {"fr", "le les des et est une du que dans pour pas sur qui au avec par ce aux cette ses"},
    {"es", "el los las y una que en por con para del se su como más pero sus al lo fue"},
    {"it", "il che di e la per una del con non sono della nel gli dei più anche alla si è"},
    {"pt", "o os que de e do da em um uma para com não no na dos mais como ao são"}}};

using WordMap = std::unordered_map<uint64_t, uint8_t>;

WordMap MakeFunctionWords() {
  WordMap map;
  std::vector<Token> tokens;
  ScriptCounts scripts;
  const FoldTable fold;
  for (uint8_t i = 0; i < kFunctionWords.size(); ++i) {
    Tokenise("", kFunctionWords[i].second, fold, &tokens, &scripts);
    for (const Token& token : tokens) map[token.hash] |= static_cast<uint8_t>(1u << i);
  }
  return map;
}

// The language whose function words are at least an eighth of the first words and twice any other's; or empty.
std::string ByFunctionWords(std::span<const Token> tokens) {
  static const WordMap words = MakeFunctionWords();
  std::array<uint32_t, kFunctionWords.size()> counts{};
  const size_t read = std::min<size_t>(tokens.size(), 160);
  for (size_t i = 0; i < read; ++i)
    if (const auto it = words.find(tokens[i].hash); it != words.end())
      for (size_t l = 0; l < counts.size(); ++l) counts[l] += it->second >> l & 1;
  const auto best = std::max_element(counts.begin(), counts.end());
  const uint32_t most = *best;
  uint32_t second = 0;
  for (auto it = counts.begin(); it != counts.end(); ++it)
    if (it != best) second = std::max(second, *it);
  if (most < 3 || most * 8 < read || second * 2 > most) return "";
  return std::string(kFunctionWords[static_cast<size_t>(best - counts.begin())].first);
}

std::string ByCld2(std::string_view title, std::string_view text) {
  const std::string sample = Sample(title, text);
  bool reliable = false;
  CLD2::CLDHints hints = {nullptr, nullptr, CLD2::UNKNOWN_ENCODING, CLD2::UNKNOWN_LANGUAGE};
  CLD2::Language languages[3];
  int percent[3], bytes = 0;
  double scores[3];
  CLD2::ExtDetectLanguageSummary(sample.data(), static_cast<int>(sample.size()), true, &hints, 0, languages, percent,
                                 scores, nullptr, &bytes, &reliable);
  const std::string code = Primary(CLD2::LanguageCode(languages[0]));
  return code == "un" ? "" : code;
}

}  // namespace

std::string DetectLanguage(std::string_view title, std::string_view text, std::span<const Token> tokens,
                           const ScriptCounts& scripts, std::string_view hint) {
  // A Chinese or Japanese character says as much as two or three letters.
  const uint64_t han = uint64_t{scripts.han} * 3, kana = uint64_t{scripts.kana} * 3, hangul = uint64_t{scripts.hangul} * 2;
  const uint64_t latin = scripts.latin, cyrillic = scripts.cyrillic;
  const uint64_t all = han + kana + hangul + latin + cyrillic + scripts.arabic + scripts.other;
  const std::string said = Primary(hint);
  if (all == 0) return said.empty() ? "und" : said;
  if (kana * 10 > han + kana && (kana + han) * 2 > all) return "ja";
  if (han * 2 > all) return "zh";
  if (hangul * 2 > all) return "ko";
  const bool said_unspaced = said == "zh" || said == "ja" || said == "ko";
  if (!said.empty() && !said_unspaced) return said;
  if (cyrillic * 2 > all && all < 60) return "ru";
  if (latin * 2 > all)
    if (std::string code = ByFunctionWords(tokens); !code.empty()) return code;
  if (std::string code = ByCld2(title, text); !code.empty()) return code;
  return !said.empty() ? said : latin * 2 > all ? "en" : "und";
}

}  // namespace racewatch::classify
