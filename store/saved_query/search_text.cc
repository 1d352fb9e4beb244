#include "store/saved_query/search_text.h"

#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>
#include <unicode/utf8.h>

#include <array>
#include <functional>

namespace racewatch::store {
namespace {

// Written without spaces between words, or with endings that belong to other words.
bool IsUnspaced(UChar32 c) {
  struct Range {
    UChar32 first, last;
  };
  static constexpr Range kRanges[] = {{0x0e00, 0x109f}, {0x1100, 0x11ff}, {0x1780, 0x17ff}, {0x2e80, 0xa4cf}, {0xa960, 0xa97f},
                                      {0xac00, 0xd7ff}, {0xf900, 0xfaff}, {0x20000, 0x3ffff}};
  for (const Range& range : kRanges)
    if (c >= range.first && c <= range.last) return true;
  return false;
}

bool IsWordCharacter(UChar32 c) {
  constexpr uint32_t kMarks = U_GC_MN_MASK | U_GC_MC_MASK | U_GC_ME_MASK;
  return u_isalnum(c) || (U_GET_GC_MASK(c) & kMarks) != 0;
}

// What each ASCII byte becomes; 0: a space.
constexpr std::array<char, 128> MakeAsciiTable() {
  std::array<char, 128> table{};
  for (char c = '0'; c <= '9'; ++c) table[static_cast<size_t>(c)] = c;
  for (char c = 'a'; c <= 'z'; ++c) table[static_cast<size_t>(c)] = table[static_cast<size_t>(c - 'a' + 'A')] = c;
  return table;
}
constexpr std::array<char, 128> kAscii = MakeAsciiTable();

// Appends to a text that always ends with a space or a word character.
class Writer {
 public:
  explicit Writer(std::string* out) : out_(out) { out_->assign(1, ' '); }
  void Ascii(char byte) {
    const char c = kAscii[static_cast<unsigned char>(byte)];
    if (c == 0) return Space();
    if (unspaced_) Space();
    unspaced_ = false;
    out_->push_back(c);
  }
  void Character(UChar32 c) {
    if (!IsWordCharacter(c)) return Space();
    const bool unspaced = IsUnspaced(c);
    if (unspaced != unspaced_ && out_->back() != ' ') Space();
    unspaced_ = unspaced;
    char bytes[U8_MAX_LENGTH];
    int32_t n = 0;
    U8_APPEND_UNSAFE(bytes, n, c);
    out_->append(bytes, static_cast<size_t>(n));
  }
  void Space() {
    unspaced_ = false;
    if (out_->back() != ' ') out_->push_back(' ');
  }

 private:
  std::string* out_;
  bool unspaced_ = false;
};

uint32_t HashOf(std::string_view word) { return static_cast<uint32_t>(std::hash<std::string_view>()(word)); }

// Calls `visit` with each word that has a space on both sides.
template <typename Visit>
void ForEachWord(std::string_view text, const Visit& visit) {
  for (size_t start = text.find(' '); start != std::string_view::npos && start + 1 < text.size();) {
    const size_t end = text.find(' ', start + 1);
    if (end == std::string_view::npos) return;
    visit(text.substr(start + 1, end - start - 1));
    start = end;
  }
}

void Normalise(std::string_view text, std::string* out) {
  out->reserve(text.size() + 2);
  Writer writer(out);
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* fold = icu::Normalizer2::getNFKCCasefoldInstance(error);
  for (size_t i = 0; i < text.size();) {
    // An ASCII byte before another one can have no mark upon it.
    if (static_cast<unsigned char>(text[i]) < 0x80 && (i + 1 == text.size() || static_cast<unsigned char>(text[i + 1]) < 0x80)) {
      writer.Ascii(text[i++]);
      continue;
    }
    size_t end = i + 1;
    while (end < text.size() && static_cast<unsigned char>(text[end]) >= 0x80) ++end;
    const auto piece = icu::UnicodeString::fromUTF8({text.data() + i, static_cast<int32_t>(end - i)});
    const icu::UnicodeString folded = U_SUCCESS(error) ? fold->normalize(piece, error) : piece;
    for (int32_t at = 0; at < folded.length(); at = folded.moveIndex32(at, 1)) writer.Character(folded.char32At(at));
    i = end;
  }
  writer.Space();
}

}  // namespace

std::string NormaliseForSearch(std::string_view text) {
  std::string out;
  Normalise(text, &out);
  return out;
}

SearchTerm::SearchTerm(std::string_view text, bool prefix) {
  const std::string normal = NormaliseForSearch(text);
  if (normal.size() <= 2) return;
  const auto characters = icu::UnicodeString::fromUTF8(normal);
  const bool edge_before = !IsUnspaced(characters.char32At(1));
  const bool edge_after = !prefix && !IsUnspaced(characters.char32At(characters.moveIndex32(characters.length() - 1, -1)));
  pattern_ = normal.substr(edge_before ? 0 : 1, normal.size() - (edge_before ? 0 : 1) - (edge_after ? 0 : 1));
  ForEachWord(pattern_, [this](std::string_view word) { words_.push_back(HashOf(word)); });
}

void SearchText::Set(std::string_view text) {
  Normalise(text, &text_);
  words_.reset();
  ForEachWord(text_, [this](std::string_view word) { words_.set(HashOf(word) % kBits); });
}

bool SearchText::Has(const SearchTerm& term) const {
  for (const uint32_t word : term.words_)
    if (!words_.test(word % kBits)) return false;
  return text_.find(term.pattern_) != std::string::npos;
}

}  // namespace racewatch::store
