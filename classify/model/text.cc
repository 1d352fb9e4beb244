#include "classify/model/text.h"

#include <unicode/uchar.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "classify/model/hash.h"

namespace racewatch::classify {
namespace {

enum class Kind : uint8_t { kSpace, kWord, kUnspaced, kClause, kSentence, kOpen, kClose, kQuote, kSkip, kLine };

constexpr std::array<Kind, 128> MakeAsciiKinds() {
  std::array<Kind, 128> kinds{};
  for (int c = 'a'; c <= 'z'; ++c) kinds[c] = kinds[c - 32] = Kind::kWord;
  for (int c = '0'; c <= '9'; ++c) kinds[c] = Kind::kWord;
  for (char c : {',', ';', ':', '(', ')'}) kinds[static_cast<int>(c)] = Kind::kClause;
  for (char c : {'.', '!', '?'}) kinds[static_cast<int>(c)] = Kind::kSentence;
  kinds['"'] = Kind::kQuote;
  kinds['\n'] = Kind::kLine;
  return kinds;
}
constexpr std::array<Kind, 128> kAscii = MakeAsciiKinds();

// One code point from `p`; advances it by at least one byte. Returns false for an invalid sequence.
bool Decode(const uint8_t*& p, const uint8_t* end, uint32_t* out) {
  const uint8_t lead = *p;
  const int extra = lead >= 0xF0 && lead <= 0xF4 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC2 ? 1 : -1;
  if (extra < 0 || lead > 0xF4 || end - p <= extra) return ++p, false;
  uint32_t c = lead & (0x3F >> extra);
  for (int i = 1; i <= extra; ++i) {
    if ((p[i] & 0xC0) != 0x80) return ++p, false;
    c = c << 6 | (p[i] & 0x3F);
  }
  const bool overlong = (extra == 2 && c < 0x800) || (extra == 3 && c < 0x10000);
  if (overlong || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) return ++p, false;
  p += extra + 1;
  *out = c;
  return true;
}

bool IsIgnorable(uint32_t c) {
  return c == 0xAD || (c >= 0x200B && c <= 0x200F) || (c >= 0x202A && c <= 0x202E) ||
         (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF || (c >= 0x300 && c <= 0x36F) || (c >= 0xFE00 && c <= 0xFE0F) ||
         c == 0x180E || c == 0x61C;
}

Kind Punctuation(uint32_t c) {
  switch (c) {
    case 0x3002: case 0x2026: case 0xFF61: return Kind::kSentence;  // 。 …
    case 0x3001: case 0x2013: case 0x2014: case 0xFF64: return Kind::kClause;  // 、 – —
    case 0x201C: case 0x300C: case 0x300E: case 0x300A: case 0xAB: return Kind::kOpen;
    case 0x201D: case 0x300D: case 0x300F: case 0x300B: case 0xBB: return Kind::kClose;
    case 0x2028: case 0x2029: return Kind::kLine;
    default: return Kind::kSpace;
  }
}

// Kind of a code point above ASCII; `c` is replaced by its folded form.
Kind Classify(uint32_t& c, const FoldTable& fold, ScriptCounts* scripts) {
  if (c >= 0x4E00 && c <= 0x9FFF) {
    ++scripts->han;
    c = fold.Fold(c);
    return Kind::kUnspaced;
  }
  if (c >= 0xFF01 && c <= 0xFF5E) {  // full width ASCII
    c -= 0xFEE0;
    const Kind kind = kAscii[c];
    if (c >= 'A' && c <= 'Z') c += 32;
    return kind;
  }
  if (IsIgnorable(c)) return Kind::kSkip;
  if (c >= 0x2000 && c < 0x3040 && c != 0x3005 && c != 0x3007) return Punctuation(c);
  if ((c >= 0x3400 && c < 0x4E00) || (c >= 0x20000 && c < 0x32000) || (c >= 0xF900 && c < 0xFB00) || c == 0x3007) {
    ++scripts->han;
    c = fold.Fold(c);
    return Kind::kUnspaced;
  }
  if (c >= 0x3040 && c < 0x3100) return ++scripts->kana, Kind::kUnspaced;
  if (c >= 0xAC00 && c <= 0xD7A3) return ++scripts->hangul, Kind::kWord;
  if (!u_isalnum(static_cast<UChar32>(c))) return Punctuation(c);
  if (c < 0x250) ++scripts->latin;
  else if (c >= 0x400 && c < 0x530) ++scripts->cyrillic;
  else if (c >= 0x600 && c < 0x780) ++scripts->arabic;
  else ++scripts->other;
  c = static_cast<uint32_t>(u_tolower(static_cast<UChar32>(c)));
  return Kind::kWord;
}

void AddCodePoint(TokenHasher& hasher, uint32_t c) {
  if (c < 0x80) return hasher.Add(static_cast<uint8_t>(c));
  for (int shift = 0; shift < 24; shift += 8) hasher.Add(static_cast<uint8_t>(c >> shift));
}

constexpr uint8_t Lower(uint8_t c) { return c >= 'A' && c <= 'Z' ? static_cast<uint8_t>(c + 32) : c; }

// The bytes of `eight` that begin a word, ASCII letters and digits, in lower case; the others are zero.
struct WordBytes {
  uint64_t lower;
  unsigned count;
};
WordBytes LeadingWordBytes(uint64_t eight) {
  constexpr uint64_t kOnes = 0x0101010101010101, kHigh = 0x80 * kOnes;
  // The high bit of each byte of `seven` (below 0x80) that lies between the two.
  const auto between = [](uint64_t seven, uint64_t low, uint64_t high) {
    return (seven + (0x80 - low) * kOnes) & ~(seven + (0x7f - high) * kOnes) & kHigh;
  };
  const uint64_t seven = eight & ~kHigh;
  const uint64_t letters = between(seven | 0x20 * kOnes, 'a', 'z') & ~eight;
  const uint64_t others = kHigh & ~(letters | (between(seven, '0', '9') & ~eight));
  const unsigned count = others == 0 ? 8 : static_cast<unsigned>(std::countr_zero(others)) / 8;
  const uint64_t kept = count == 8 ? ~uint64_t{0} : (uint64_t{1} << 8 * count) - 1;
  return {(eight | letters >> 2) & kept, count};
}

uint64_t HashOf(std::string_view word) {
  TokenHasher hasher;
  for (char c : word) hasher.Add(static_cast<uint8_t>(c));
  return hasher.Finish();
}

// Walks one field. State that outlives a token: what the next token starts, and whether a quotation is open.
class Walker {
 public:
  Walker(std::string_view field, uint32_t base, uint16_t flags, const FoldTable& fold, std::vector<Token>* tokens,
         ScriptCounts* scripts)
      : begin_(reinterpret_cast<const uint8_t*>(field.data())), end_(begin_ + field.size()), p_(begin_),
        base_(base), field_flags_(flags), fold_(fold), tokens_(tokens), scripts_(scripts) {}

  void Run() {
    while (p_ < end_) {
      if (*p_ < 0x80) {
        const Kind kind = kAscii[*p_];
        if (kind == Kind::kWord) Word();
        else Mark(kind, *p_++);
      } else {
        const uint8_t* start = p_;
        uint32_t c = 0;
        if (!Decode(p_, end_, &c)) continue;
        const Kind kind = Classify(c, fold_, scripts_);
        if (kind == Kind::kUnspaced) Unspaced(start, c);
        else if (kind == Kind::kWord) p_ = start, Word();
        else Mark(kind, c);
      }
    }
  }

 private:
  void Mark(Kind kind, uint32_t c) {
    switch (kind) {
      case Kind::kSentence: {
        // "3.5" and "U.S." are inside words; here a full stop ends a sentence only before white space or text in Chinese.
        if (c != '.' || p_ >= end_ || *p_ <= ' ' || *p_ >= 0x80 || *p_ == '"') pending_ |= Token::kSentenceStart;
        break;
      }
      case Kind::kLine: pending_ |= Token::kSentenceStart; quoted_ = false; break;
      case Kind::kClause: pending_ |= c == ';' ? Token::kSentenceStart : Token::kClauseStart; break;
      case Kind::kOpen: quoted_ = true; break;
      case Kind::kClose: quoted_ = false; break;
      case Kind::kQuote: quoted_ = !quoted_; break;
      default: break;
    }
  }

  void Push(const uint8_t* start, uint64_t hash, uint16_t flags) {
    uint16_t all = static_cast<uint16_t>(flags | field_flags_ | pending_);
    if (pending_ & Token::kSentenceStart) all |= Token::kClauseStart;
    if (quoted_) all |= Token::kQuoted;
    pending_ = 0;
    const auto length = static_cast<uint16_t>(std::min<ptrdiff_t>(p_ - start, 0xFFFF));
    tokens_->push_back({hash, base_ + static_cast<uint32_t>(start - begin_), length, all});
  }

  void Unspaced(const uint8_t* start, uint32_t c) {
    Push(start, Mix(c + 0x5bd1e995u), Token::kUnspaced);
  }

  // True if the full stop at p_ belongs to the word: between digits, or after a single letter before a letter.
  bool InnerStop(const uint8_t* start) const {
    if (p_ + 1 >= end_ || p_[1] >= 0x80 || kAscii[p_[1]] != Kind::kWord) return false;
    const bool digits = p_[-1] <= '9' && p_[1] <= '9';
    const bool initial = p_ - start == 1 || p_[-2] == '.';
    return digits || initial;
  }

  // Most words: ASCII letters and digits up to something that belongs to no word. False: it is to be read byte by byte.
  bool PlainWord() {
    if (std::endian::native != std::endian::little) return false;
    TokenHasher hasher;
    for (const uint8_t* p = p_; end_ - p >= 8 && p - p_ < 64; p += 8) {
      uint64_t eight;
      std::memcpy(&eight, p, sizeof eight);
      const auto [lower, count] = LeadingWordBytes(eight);
      if (count == 8) {
        hasher.AddEight(lower);
        continue;
      }
      const uint8_t next = p[count];
      const bool ends = next == '.' && count < 7 && p[count + 1] < 0x80 && kAscii[p[count + 1]] != Kind::kWord;
      if (next >= 0x80 || next == '\'' || (next == '.' && !ends)) return false;
      hasher.AddLast(lower, count);
      Finish(p_, p + count, hasher, true);
      return true;
    }
    return false;
  }

  void Word() {
    if (PlainWord()) return;
    const uint8_t* start = p_;
    const uint8_t* last = p_;  // end of the last byte that belongs to the word
    TokenHasher hasher;
    bool plain = true;
    while (p_ < end_ && p_ - start < 0xFF00) {
      const uint8_t byte = *p_;
      if (byte < 0x80) {
        if (kAscii[byte] == Kind::kWord) hasher.Add(Lower(byte));
        else if (byte == '.' && p_ > start && InnerStop(start)) hasher.Add('.');
        else if (byte == '\'' && p_ + 1 < end_ && p_[1] < 0x80 && kAscii[p_[1]] == Kind::kWord && p_ > start) {
          if (Possessive()) { SkipPossessive(); last = p_; break; }
          hasher.Add('\'');
        } else break;
        last = ++p_;
        continue;
      }
      const uint8_t* next = p_;
      uint32_t c = 0;
      if (!Decode(next, end_, &c)) break;
      if (c == 0x2019 && next < end_ && *next < 0x80 && kAscii[*next] == Kind::kWord) {
        p_ = next - 1;  // so that p_[1] is the letter, as with an ASCII apostrophe
        if (Possessive()) { SkipPossessive(); last = p_; break; }
        hasher.Add('\'');
        last = p_ = next;
        continue;
      }
      const Kind kind = Classify(c, fold_, scripts_);
      if (kind == Kind::kSkip) { p_ = next; plain = false; continue; }
      if (kind != Kind::kWord) break;
      AddCodePoint(hasher, c);
      plain = false;
      last = p_ = next;
    }
    Finish(start, last, hasher, plain);
  }

  void Finish(const uint8_t* start, const uint8_t* last, const TokenHasher& hasher, bool plain) {
    p_ = last > start ? last : p_ > start ? p_ : start + 1;
    if (last == start) return;
    scripts_->latin += plain ? static_cast<uint32_t>(last - start) : 0;
    // The country in capitals is not the pronoun.
    static const uint64_t united_states = HashOf("u.s");
    const bool us = last - start == 2 && start[0] == 'U' && start[1] == 'S';
    Push(start, us ? united_states : hasher.Finish(), plain && !us ? Token::kPlain : 0);
  }

  bool Possessive() const {
    const bool s = (p_[1] | 32) == 's';
    return s && (p_ + 2 >= end_ || p_[2] >= 0x80 || kAscii[p_[2]] != Kind::kWord);
  }
  void SkipPossessive() { p_ += 2; }

  const uint8_t* begin_;
  const uint8_t* end_;
  const uint8_t* p_;
  uint32_t base_;
  uint16_t field_flags_;
  const FoldTable& fold_;
  std::vector<Token>* tokens_;
  ScriptCounts* scripts_;
  uint16_t pending_ = Token::kSentenceStart;
  bool quoted_ = false;
};

bool Vowel(char c) { return c == 'a' || c == 'e' || c == 'i' || c == 'o' || c == 'u' || c == 'y'; }

// Cuts `word` to its stem in place. Rules of our own, in the spirit of the first step of Porter (1980).
size_t StemLength(char* w, size_t n) {
  if (n > 4 && w[n - 3] == 'i' && w[n - 2] == 'e' && w[n - 1] == 's') { w[n - 3] = 'y'; n -= 2; }
  else if (n > 3 && w[n - 1] == 's' && w[n - 2] != 's' && w[n - 2] != 'u' && w[n - 2] != 'i') --n;
  size_t cut = 0;
  if (n > 5 && w[n - 3] == 'i' && w[n - 2] == 'n' && w[n - 1] == 'g') cut = 3;
  else if (n > 4 && w[n - 2] == 'e' && w[n - 1] == 'd') cut = 2;
  if (cut) {
    n -= cut;
    if (n > 3 && w[n - 1] == w[n - 2] && !Vowel(w[n - 1]) && w[n - 1] != 's' && w[n - 1] != 'l') --n;
    if (w[n - 1] == 'i') w[n - 1] = 'y';
  }
  if (n > 3 && w[n - 1] == 'e') --n;
  return n;
}

}  // namespace

void Tokenise(std::string_view title, std::string_view text, const FoldTable& fold, std::vector<Token>* tokens,
              ScriptCounts* scripts) {
  tokens->clear();
  *scripts = {};
  const auto text_base = static_cast<uint32_t>(title.size() + 1);
  title = title.substr(0, kReadBytesMax);
  text = text.substr(0, kReadBytesMax - std::min(kReadBytesMax, title.size()));
  Walker(title, 0, Token::kTitle, fold, tokens, scripts).Run();
  Walker(text, text_base, 0, fold, tokens, scripts).Run();
}

uint64_t StemHash(const Token& token, std::string_view bytes) {
  if (!(token.flags & Token::kPlain) || bytes.size() > kStemBytesMax) return token.hash;
  size_t n = bytes.size();
  char word[kStemBytesMax];
  for (size_t i = 0; i < n; ++i) word[i] = static_cast<char>(Lower(static_cast<uint8_t>(bytes[i])));
  if (n > 2 && word[n - 1] == 's' && word[n - 2] == '\'') n -= 2;
  if (n > 4 && word[n - 1] == 's' && bytes.substr(n - 4, 3) == "\u2019") n -= 4;
  for (size_t i = 0; i < n; ++i)
    if (word[i] < 'a') return token.hash;  // digits, stops, apostrophes
  n = StemLength(word, n);
  return HashOf({word, n});
}

std::string_view Bytes(std::string_view title, std::string_view text, uint32_t start, uint32_t length) {
  if (start < title.size()) return title.substr(start, length);
  start -= static_cast<uint32_t>(title.size()) + 1;
  return start < text.size() ? text.substr(start, length) : std::string_view();
}

std::string_view CutAtCharacter(std::string_view text, size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  size_t end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end);
}

}  // namespace racewatch::classify
