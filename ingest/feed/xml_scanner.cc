#include "ingest/feed/xml_scanner.h"

#include <algorithm>
#include <array>

#include "ingest/feed/ascii.h"
#include "ingest/feed/byte_scan.h"

namespace racewatch::ingest::feed {
namespace {

constexpr std::string_view kCDataStart = "<![CDATA[";
constexpr std::string_view kCDataEnd = "]]>";
constexpr size_t kTailBytes = 4096;
constexpr int kStraysMax = 4;           // stray '&' in one name
constexpr size_t kMendedBytesMax = 64;  // a longer name is none of ours
constexpr size_t kDoctypeBytesMax = size_t{1} << 16;

constexpr std::array<bool, 256> MakeNameTable(bool first) {
  std::array<bool, 256> table{};
  for (int c = 0; c < 256; ++c) {
    const char ch = static_cast<char>(c);
    table[c] = IsAlpha(ch) || c == '_' || c == ':' || c >= 0x80 ||
               (!first && (IsDigit(ch) || c == '-' || c == '.'));
  }
  return table;
}
constexpr std::array<bool, 256> kNameFirst = MakeNameTable(true);
constexpr std::array<bool, 256> kNameByte = MakeNameTable(false);

bool IsNameFirst(char c) { return kNameFirst[static_cast<unsigned char>(c)]; }
bool IsNameByte(char c) { return kNameByte[static_cast<unsigned char>(c)]; }

// True when the last end tag is that of a feed's root.
bool EndsWithRoot(std::string_view text) {
  const std::string_view tail = text.substr(text.size() - std::min(text.size(), kTailBytes));
  const size_t at = tail.rfind("</");
  if (at == std::string_view::npos) return false;
  std::string_view name = tail.substr(at + 2);
  name = Trim(name.substr(0, name.find('>')));
  if (const size_t colon = name.find(':'); colon != std::string_view::npos)
    name.remove_prefix(colon + 1);
  return EqualsIgnoreCase(name, "rss") || EqualsIgnoreCase(name, "feed") ||
         EqualsIgnoreCase(name, "rdf");
}

}  // namespace

XmlScanner::XmlScanner(std::string_view text) : text_(text), complete_tail_(EndsWithRoot(text)) {
  attributes_.reserve(16);
}

XmlEvent XmlScanner::Next() {
  XmlEvent event = XmlEvent::kEof;
  while (at_ < text_.size()) {
    token_begin_ = at_;
    if (text_[at_] != '<') return ReadText();
    if (ReadMarkup(&event)) return event;
  }
  token_begin_ = at_;
  return XmlEvent::kEof;
}

// Text up to the next '<' that can begin markup.
XmlEvent XmlScanner::ReadText() {
  at_ = FindByte(text_, '<', at_);
  token_text_ = text_.substr(token_begin_, at_ - token_begin_);
  return XmlEvent::kText;
}

bool XmlScanner::ReadMarkup(XmlEvent* event) {
  const char next = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
  if (IsNameFirst(next)) {
    *event = ReadStart();
    return true;
  }
  if (next == '/' && at_ + 2 < text_.size() && IsNameFirst(text_[at_ + 2])) {
    *event = ReadEnd();
    return true;
  }
  if (next == '!') {
    if (text_.compare(at_, kCDataStart.size(), kCDataStart) == 0) {
      *event = ReadCData();
      return true;
    }
    if (text_.compare(at_, 4, "<!--") == 0) return SkipComment(), false;
    // The cut may lie inside "<![CDATA[" or "<!--".
    if (kCDataStart.starts_with(text_.substr(at_))) {
      *event = Cut();
      return true;
    }
    if (at_ + 2 < text_.size() && IsAlpha(text_[at_ + 2])) return SkipDeclaration(), false;
  }
  if (next == '?') return SkipInstruction(), false;
  if (next == '\0' || (next == '/' && at_ + 2 >= text_.size())) {
    *event = Cut();
    return true;
  }
  if (next == '&' && IsStrayInTag()) {
    ++at_;  // as if the tag began behind the stray '&'
    if (text_[at_ + 1] == ' ') ++at_;
    *event = ReadStart();
    return true;
  }
  // A '<' that begins nothing is text.
  at_ = FindByte(text_, '<', at_ + 1);
  token_text_ = text_.substr(token_begin_, at_ - token_begin_);
  *event = XmlEvent::kText;
  return true;
}

// True at "<&item>" and "<& item>": a stray '&' before the name of a tag without attributes.
bool XmlScanner::IsStrayInTag() const {
  size_t at = at_ + 2;
  if (at < text_.size() && text_[at] == ' ') ++at;
  if (at >= text_.size() || !IsNameFirst(text_[at])) return false;
  const size_t limit = std::min(text_.size(), at + kMendedBytesMax);
  while (at < limit && IsNameByte(text_[at])) ++at;
  return at < limit && text_[at] == '>';
}

XmlEvent XmlScanner::Cut() {
  truncated_ = true;
  at_ = text_.size();
  return XmlEvent::kEof;
}

// Reads the element name at `begin` into name_ and returns the offset behind it. A bare '&' that
// strayed into it, with or without a blank, is left out: no name has one.
size_t XmlScanner::ReadName(size_t begin) {
  size_t end = begin + 1;
  while (end < text_.size() && IsNameByte(text_[end])) ++end;
  name_ = text_.substr(begin, end - begin);
  for (int strays = 0; strays < kStraysMax && name_.size() <= kMendedBytesMax; ++strays) {
    if (end >= text_.size() || text_[end] != '&') break;
    size_t next = end + 1;
    if (next < text_.size() && text_[next] == ' ') ++next;
    size_t rest = next;
    while (rest < text_.size() && rest - next < kMendedBytesMax && IsNameByte(text_[rest])) ++rest;
    mended_names_.push_back(std::string(name_).append(text_, next, rest - next));
    name_ = mended_names_.back();
    end = rest;
  }
  return end;
}

XmlEvent XmlScanner::ReadStart() {
  at_ = ReadName(at_ + 1);
  self_closing_ = false;
  attributes_.clear();
  if (at_ < text_.size() && text_[at_] == '>') return ++at_, XmlEvent::kStart;
  ReadAttributes();
  return truncated_ ? XmlEvent::kEof : XmlEvent::kStart;
}

void XmlScanner::ReadAttributes() {
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == '>') {
      ++at_;
      return;
    }
    if (c == '<') return;  // '>' forgotten
    if (c == '/' && at_ + 1 < text_.size() && text_[at_ + 1] == '>') {
      self_closing_ = true;
      at_ += 2;
      return;
    }
    if (IsNameFirst(c))
      ReadAttribute();
    else
      ++at_;
  }
  Cut();
}

void XmlScanner::ReadAttribute() {
  const size_t begin = at_;
  while (at_ < text_.size() && IsNameByte(text_[at_])) ++at_;
  const std::string_view name = text_.substr(begin, at_ - begin);
  while (at_ < text_.size() && IsSpace(text_[at_])) ++at_;
  std::string_view value;
  if (at_ < text_.size() && text_[at_] == '=') {
    ++at_;
    while (at_ < text_.size() && IsSpace(text_[at_])) ++at_;
    value = ReadValue();
  }
  if (attributes_.size() < kAttributesMax) attributes_.push_back({name, value});
}

std::string_view XmlScanner::ReadValue() {
  if (at_ >= text_.size()) return {};
  const char quote = text_[at_];
  if (quote == '"' || quote == '\'') {
    const size_t close = FindByte(text_, quote, at_ + 1);
    if (close >= text_.size() && complete_tail_) {  // the quote is forgotten, not cut off
      const size_t end = FindByte(text_, '>', at_);
      const std::string_view value = text_.substr(at_ + 1, end - at_ - 1);
      at_ = end;
      return value;
    }
    const std::string_view value = text_.substr(at_ + 1, close - at_ - 1);
    at_ = std::min(close + 1, text_.size());
    return value;
  }
  const size_t begin = at_;
  while (at_ < text_.size() && !IsSpace(text_[at_]) && text_[at_] != '>' && text_[at_] != '<' &&
         !(text_[at_] == '/' && at_ + 1 < text_.size() && text_[at_ + 1] == '>'))
    ++at_;
  return text_.substr(begin, at_ - begin);
}

XmlEvent XmlScanner::ReadEnd() {
  size_t end = ReadName(at_ + 2);
  while (end < text_.size() && text_[end] != '>' && text_[end] != '<') ++end;
  if (end >= text_.size()) return Cut();
  at_ = text_[end] == '>' ? end + 1 : end;
  return XmlEvent::kEnd;
}

XmlEvent XmlScanner::ReadCData() {
  const size_t begin = at_ + kCDataStart.size();
  const size_t end = cdata_ends_ ? FindMark(text_, kCDataEnd, 0, begin) : text_.size();
  if (end >= text_.size()) cdata_ends_ = false;  // not searched for again: keeps the scan linear
  const size_t early = UnclosedCDataEnd(begin, end);
  if (early < end) {
    token_text_ = text_.substr(begin, early - begin);
    at_ = early;
    return XmlEvent::kCData;
  }
  if (end >= text_.size()) return Cut();
  token_text_ = text_.substr(begin, end - begin);
  at_ = end + kCDataEnd.size();
  return XmlEvent::kCData;
}

// Where a CDATA section that lacks its end really ends: at the end tag of the element it is the
// text of. It lacks its end when another section begins before `end` behind that end tag, or when
// there is no end at all; in a cut document that says little if HTML has an element of that name
// too.
size_t XmlScanner::UnclosedCDataEnd(size_t from, size_t end) const {
  if (text_element_.empty()) return end;
  const bool telling = complete_tail_ || !(EqualsIgnoreCase(text_element_, "title") ||
                                           EqualsIgnoreCase(text_element_, "summary"));
  const bool missing = end >= text_.size() && telling;
  size_t limit = missing ? end : from;
  if (!missing) {
    const std::string_view inside = text_.substr(0, end);
    limit = FindMark(inside, kCDataStart, 8, from);
    if (limit >= end) return end;
  }
  const std::string_view inside = text_.substr(0, limit);
  for (size_t at = FindMark(inside, "</", 1, from); at < limit;
       at = FindMark(inside, "</", 1, at + 2))
    if (text_.compare(at + 2, text_element_.size(), text_element_) == 0) return at;
  return end;
}

void XmlScanner::SkipComment() {
  size_t end = comments_end_ ? FindMark(text_, "-->", 0, at_ + 2) : text_.size();
  if (end >= text_.size()) {
    comments_end_ = false;
    if (!complete_tail_) {
      Cut();
      return;
    }
    end = FindByte(text_, '>', at_);
    at_ = std::min(end + 1, text_.size());
    return;
  }
  at_ = end + 3;
}

void XmlScanner::SkipInstruction() {
  const size_t end = FindByte(text_, '>', at_);
  at_ = std::min(end + 1, text_.size());
}

// <!DOCTYPE …> with its internal subset in brackets; quotes inside are respected.
void XmlScanner::SkipDeclaration() {
  const size_t begin = at_;
  const size_t limit = declaration_seen_ ? 0 : std::min(text_.size(), begin + kDoctypeBytesMax);
  declaration_seen_ = true;
  int brackets = 0;
  for (size_t at = at_ + 2; at < limit; ++at) {
    const char c = text_[at];
    if (c == '"' || c == '\'') {
      const size_t close = FindByte(text_, c, at + 1);
      if (close < text_.size()) at = close;
    } else if (c == '[') {
      ++brackets;
    } else if (c == ']') {
      --brackets;
    } else if (c == '>' && brackets <= 0) {
      if (doctype_.empty()) doctype_ = text_.substr(begin, at - begin);
      at_ = at + 1;
      return;
    }
  }
  at_ = std::min(FindByte(text_, '>', begin) + 1, text_.size());
}

}  // namespace racewatch::ingest::feed
