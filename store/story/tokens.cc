#include "store/story/tokens.h"

#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

namespace racewatch::store {
namespace {

constexpr uint64_t kPrime = 0x9E3779B97F4A7C15ull;

// FNV-like step over folded code points; Finish mixes it (the finaliser of MurmurHash3).
constexpr uint64_t Step(uint64_t hash, uint32_t code) { return (hash ^ code) * 0x100000001B3ull; }

constexpr uint64_t Finish(uint64_t hash) {
  hash = (hash ^ (hash >> 33)) * 0xFF51AFD7ED558CCDull;
  hash = (hash ^ (hash >> 33)) * kPrime;
  return hash ^ (hash >> 33);
}

constexpr uint64_t kSeed = 0xCBF29CE484222325ull;

constexpr uint64_t HashAscii(std::string_view word) {
  uint64_t hash = kSeed;
  for (const char c : word) hash = Step(hash, static_cast<unsigned char>(c));
  return Finish(hash);
}

// English words of more than three letters that a rewriting tool leaves in place.
constexpr std::string_view kFunctionWords[] = {
    "about",  "above",  "after",   "again",   "against", "also",    "although", "among",   "another", "because",
    "been",   "before", "being",   "below",   "between", "both",    "cannot",   "could",   "does",    "doing",
    "down",   "during", "each",    "either",  "even",    "ever",    "every",    "from",    "have",    "having",
    "here",   "hers",   "herself", "himself", "however", "into",    "itself",   "just",    "less",    "many",
    "might",  "more",   "most",    "much",    "must",    "neither", "never",    "only",    "onto",    "other",
    "ours",   "over",   "said",    "same",    "shall",   "should",  "since",    "some",    "such",    "than",
    "that",   "their",  "theirs",  "them",    "then",    "there",   "these",    "they",    "this",    "those",
    "though", "through", "under",  "until",   "upon",    "very",    "were",     "what",    "when",    "where",
    "whether", "which", "while",   "whom",    "whose",   "will",    "with",     "within",  "without", "would",
    "your",   "yours",  "yourself", "ourselves", "themselves"};

// Hashes of the function words by their first bits; open addressing, a fifth full, so that most words meet a free cell.
constexpr size_t kFunctionCellBits = 9;
constexpr auto kFunctionCells = [] {
  std::array<uint64_t, size_t{1} << kFunctionCellBits> cells{};
  for (const std::string_view word : kFunctionWords) {
    size_t at = HashAscii(word) >> (64 - kFunctionCellBits);
    while (cells[at] != 0) at = (at + 1) % cells.size();
    cells[at] = HashAscii(word);
  }
  return cells;
}();

bool IsLongFunctionWord(uint64_t hash) {
  for (size_t at = hash >> (64 - kFunctionCellBits); kFunctionCells[at] != 0; at = (at + 1) % kFunctionCells.size())
    if (kFunctionCells[at] == hash) return true;
  return false;
}

// For each byte the folded letter or digit, 0 if it is no part of a word, and what it tells of its word.
constexpr uint16_t kFolded = 0xFF, kMarked = 0x100, kDigit = 0x200;  // kMarked: a capital or digit
constexpr auto kAscii = [] {
  std::array<uint16_t, 256> cells{};
  for (uint16_t c = '0'; c <= '9'; ++c) cells[c] = c | kMarked | kDigit;
  for (uint16_t c = 'a'; c <= 'z'; ++c) cells[c] = c;
  for (uint16_t c = 'A'; c <= 'Z'; ++c) cells[c] = static_cast<uint16_t>(c - 'A' + 'a') | kMarked;
  return cells;
}();

constexpr uint32_t kInvalid = 0xFFFFFFFF;

// One code point at `at`, which moves past it; kInvalid for a bad byte, which is skipped.
uint32_t NextCode(std::string_view text, size_t* at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(*at);
  const size_t length = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 0;
  if (length == 1) return byte((*at)++);
  if (length == 0 || lead > 0xF4 || *at + length > text.size()) return ++*at, kInvalid;
  uint32_t code = lead & (0x7Fu >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(*at + i) & 0xC0) != 0x80) return ++*at, kInvalid;
    code = code << 6 | (byte(*at + i) & 0x3Fu);
  }
  *at += length;
  return code;
}

bool IsIdeograph(uint32_t code) {
  return (code >= 0x3041 && code <= 0x30FF) || (code >= 0x3400 && code <= 0x9FFF) || (code >= 0xF900 && code <= 0xFAFF) ||
         (code >= 0x20000 && code <= 0x3FFFF);
}

// Code points whose text must be normalised first: combining marks, voiced kana marks, conjoining Jamo,
// presentation and full-width forms. A cheap test on the lead bytes keeps ICU out of nearly every text.
bool NeedsNormalising(std::string_view text) {
  for (size_t i = 0; i + 1 < text.size(); ++i) {
    for (uint64_t eight; i + 9 < text.size(); i += 8) {
      std::memcpy(&eight, text.data() + i, 8);
      if ((eight & 0x8080808080808080ull) != 0) break;
    }
    const auto a = static_cast<unsigned char>(text[i]), b = static_cast<unsigned char>(text[i + 1]);
    if (a < 0xCC) continue;
    if (a == 0xCC || (a == 0xCD && b <= 0xAF)) return true;
    if (a == 0xE1 && b >= 0x84 && b <= 0x87) return true;
    if (a == 0xE3 && b == 0x82 && i + 2 < text.size() && (static_cast<unsigned char>(text[i + 2]) & 0xFE) == 0x98) return true;
    // Full-width letters and digits, not the full-width comma or colon of ordinary Chinese text.
    if (a == 0xEF && b == 0xAC) return true;
    if (a == 0xEF && (b == 0xBC || b == 0xBD) && i + 2 < text.size()) {
      const uint32_t code = 0xF000u | (b & 0x3Fu) << 6 | (static_cast<unsigned char>(text[i + 2]) & 0x3Fu);
      if (code >= 0xFF10 && u_isalnum(static_cast<UChar32>(code))) return true;
    }
  }
  return false;
}

std::string Normalised(std::string_view text) {
  UErrorCode error = U_ZERO_ERROR;
  const UNormalizer2* form = unorm2_getNFKCInstance(&error);
  std::u16string wide(text.size() + 1, u'\0'), out(text.size() * 3 + 16, u'\0');
  int32_t length = 0;
  u_strFromUTF8WithSub(wide.data(), static_cast<int32_t>(wide.size()), &length, text.data(), static_cast<int32_t>(text.size()), 0x20,
                       nullptr, &error);
  length = unorm2_normalize(form, wide.data(), length, out.data(), static_cast<int32_t>(out.size()), &error);
  std::string utf8(static_cast<size_t>(std::max(length, 0)) * 3 + 1, '\0');
  u_strToUTF8(utf8.data(), static_cast<int32_t>(utf8.size()), &length, out.data(), length, &error);
  if (U_FAILURE(error)) return std::string(text);
  utf8.resize(static_cast<size_t>(length));
  return utf8;
}

// Latin letters with a mark (U+00C0 to U+017F) to their base letter.
constexpr char kLatinBase[] =
    "aaaaaaaceeeeiiiidnooooo ouuuuytsaaaaaaaceeeeiiiidnooooo ouuuuyty"
    "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkkllllllllllnnnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";
static_assert(sizeof(kLatinBase) == 0x180 - 0xC0 + 1);

struct Word {
  uint64_t hash = kSeed;
  uint32_t letters = 0;
  uint16_t told = 0;  // kMarked, kDigit

  void Add(uint32_t folded, bool is_marked) {
    hash = Step(hash, folded);
    ++letters;
    if (is_marked) told |= kMarked;
  }
  // The letters and digits of ASCII from `at` on; returns where they end.
  size_t AddRun(std::string_view text, size_t at) {
    const size_t begin = at;
    uint64_t run = hash;
    uint16_t cells = 0;
    for (uint16_t cell; at < text.size() && ((cell = kAscii[static_cast<unsigned char>(text[at])]) & kFolded) != 0; ++at) {
      run = Step(run, cell & kFolded);
      cells |= cell;
    }
    hash = run;
    told |= cells & (kMarked | kDigit);
    letters += static_cast<uint32_t>(at - begin);
    return at;
  }
  void Flush(std::vector<Token>* tokens) {
    if (letters == 0) return;
    const uint64_t finished = Finish(hash);
    const bool marked = (told & kMarked) != 0, digits = (told & kDigit) != 0;
    const bool function = !digits && (letters <= (marked ? 2u : 3u) || IsLongFunctionWord(finished));
    tokens->push_back({finished, function, digits, marked && !function, false});
    *this = {};
  }
};

// Letters beyond ASCII; anything else ends the word.
void AddCode(uint32_t code, Word* word, std::vector<Token>* tokens) {
  if (IsIdeograph(code)) {
    word->Flush(tokens);
    tokens->push_back({Finish(Step(kSeed, code)), false, false, false, true});
  } else if (code >= 0xC0 && code < 0x180 && kLatinBase[code - 0xC0] != ' ') {
    word->Add(static_cast<uint32_t>(kLatinBase[code - 0xC0]), u_isupper(static_cast<UChar32>(code)));
  } else if (code == 0x2019 || code == 0x2018 || code == 0x00AD || (code >= 0x200B && code <= 0x200D)) {
    // An apostrophe or an invisible joiner inside a word leaves it whole.
  } else if (code != kInvalid && u_isalnum(static_cast<UChar32>(code))) {
    word->Add(static_cast<uint32_t>(u_tolower(static_cast<UChar32>(code))), u_isupper(static_cast<UChar32>(code)) || u_isdigit(static_cast<UChar32>(code)));
  } else {
    word->Flush(tokens);
  }
}

}  // namespace

void AppendTokens(std::string_view text, std::vector<Token>* tokens) {
  std::string normalised;
  if (NeedsNormalising(text)) {
    normalised = Normalised(text);
    text = normalised;
  }
  Word word;
  for (size_t at = 0; at < text.size();) {
    at = word.AddRun(text, at);
    if (at == text.size()) break;
    if (static_cast<unsigned char>(text[at]) >= 0x80) AddCode(NextCode(text, &at), &word, tokens);
    else if (text[at++] != '\'') word.Flush(tokens);
  }
  word.Flush(tokens);
}

std::string_view WithoutOutlet(std::string_view title) {
  size_t cut = std::string_view::npos;
  for (const std::string_view mark : {" | ", " - ", " \xE2\x80\x93 ", " \xE2\x80\x94 "}) {
    const size_t at = title.rfind(mark);
    if (at != std::string_view::npos && (cut == std::string_view::npos || at > cut)) cut = at;
  }
  if (cut == std::string_view::npos) return title;
  std::vector<Token> head, tail;
  AppendTokens(title.substr(0, cut), &head);
  AppendTokens(title.substr(cut), &tail);
  return head.size() >= 4 && tail.size() <= 4 ? title.substr(0, cut) : title;
}

}  // namespace racewatch::store
