// Cuts HTML into start tags, end tags and text, in one forward pass, and hands them to `sink`:
//   sink.StartTag(Tag, attrs), sink.EndTag(Tag), sink.Text(view), sink.RawText(Tag, view), bool sink.full().
// It follows the tokenizer of the HTML standard (13.2.5) for everything that decides where a tag ends; comments,
// doctypes and processing instructions vanish, unknown attributes are skipped. Never fails: any bytes give tokens.
#pragma once

#include <cstddef>
#include <cstring>
#include <string_view>
#include <vector>

#include "ingest/page/html_tree.h"

namespace racewatch::ingest::page {

template <typename Sink>
class Tokenizer {
 public:
  Tokenizer(std::string_view html, Sink* sink) : at_(html.data()), end_(html.data() + html.size()), sink_(sink) {}

  void Run() {
    while (at_ < end_ && !sink_->full()) {
      const char* open = Find('<', at_);
      if (open == end_) return EmitText(at_, end_);
      if (!StartsMarkup(open)) {  // a bare '<' is text
        const char* next = Find('<', open + 1);
        EmitText(at_, next);
        at_ = next;
        continue;
      }
      EmitText(at_, open);
      at_ = open + 1;
      if (*at_ == '!' || *at_ == '?') SkipDeclaration();
      else if (*at_ == '/') ReadEndTag();
      else ReadStartTag();
    }
  }

 private:
  static bool IsLetter(char c) { return (c | 32) >= 'a' && (c | 32) <= 'z'; }
  static bool IsSpace(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f'; }

  const char* Find(char c, const char* from) const {
    const void* hit = from < end_ ? std::memchr(from, c, end_ - from) : nullptr;
    return hit ? static_cast<const char*>(hit) : end_;
  }

  // memmem is linear for short needles.
  const char* Find(std::string_view needle, const char* from) const {
    const void* hit = from < end_ ? memmem(from, end_ - from, needle.data(), needle.size()) : nullptr;
    return hit ? static_cast<const char*>(hit) : end_;
  }

  bool StartsMarkup(const char* open) const {
    if (open + 1 >= end_) return false;
    const char c = open[1];
    return IsLetter(c) || c == '!' || c == '?' || (c == '/' && open + 2 < end_ && IsLetter(open[2]));
  }

  void EmitText(const char* from, const char* to) {
    if (to > from) sink_->Text({from, static_cast<size_t>(to - from)});
  }

  void SkipDeclaration() {
    const std::string_view rest(at_, end_ - at_);
    if (rest.starts_with("!--")) {
      at_ += 3;
      if (at_ < end_ && *at_ == '>') ++at_;  // <!--> is a whole comment
      else at_ = After(Find("-->", at_), 3);
    } else if (rest.starts_with("![CDATA[")) {
      const char* close = Find("]]>", at_);
      EmitText(at_ + 8 < close ? at_ + 8 : close, close);
      at_ = After(close, 3);
    } else {
      at_ = After(Find('>', at_), 1);
    }
  }

  const char* After(const char* hit, std::ptrdiff_t length) const { return end_ - hit > length ? hit + length : end_; }

  std::string_view ReadName() {
    const char* start = at_;
    while (at_ < end_ && !IsSpace(*at_) && *at_ != '>' && *at_ != '/') ++at_;
    return {start, static_cast<size_t>(at_ - start)};
  }

  void ReadEndTag() {
    ++at_;
    const Tag tag = TagByName(ReadName());
    at_ = After(Find('>', at_), 1);
    sink_->EndTag(tag);
  }

  void ReadStartTag() {
    const Tag tag = TagByName(ReadName());
    attrs_.clear();
    while (ReadAttr()) {}
    sink_->StartTag(tag, attrs_);
    if (TagBits(tag) & tag_bits::kRaw) ReadRaw(tag);
  }

  // One attribute or the tag's end; false after the end.
  bool ReadAttr() {
    while (at_ < end_ && (IsSpace(*at_) || *at_ == '/')) ++at_;
    if (at_ == end_) return false;
    if (*at_ == '>') {
      ++at_;
      return false;
    }
    const char* start = at_++;  // a leading '=' belongs to the name
    while (at_ < end_ && !IsSpace(*at_) && *at_ != '>' && *at_ != '/' && *at_ != '=') ++at_;
    const std::string_view name(start, at_ - start);
    while (at_ < end_ && IsSpace(*at_)) ++at_;
    std::string_view value;
    if (at_ < end_ && *at_ == '=') {
      ++at_;
      value = ReadValue();
    }
    if (attrs_.size() < kAttrsPerElementMax)
      if (const Attr attr = AttrByName(name); attr != Attr::kNone) attrs_.push_back({attr, value});
    return true;
  }

  std::string_view ReadValue() {
    while (at_ < end_ && IsSpace(*at_)) ++at_;
    if (at_ == end_) return {};
    if (*at_ == '"' || *at_ == '\'') {
      const char* start = at_ + 1;
      const char* close = Find(*at_, start);
      at_ = After(close, 1);
      return {start, static_cast<size_t>(close - start)};
    }
    const char* start = at_;
    while (at_ < end_ && !IsSpace(*at_) && *at_ != '>') ++at_;
    return {start, static_cast<size_t>(at_ - start)};
  }

  // Text up to the element's own end tag, which stays to be read.
  void ReadRaw(Tag tag) {
    const char* start = at_;
    const char* close = at_;
    for (;; close += 2) {
      close = Find("</", close);
      if (close == end_) break;
      const char* name_end = close + 2;
      while (name_end < end_ && IsLetter(*name_end) && name_end - close < 12) ++name_end;
      if (TagByName({close + 2, static_cast<size_t>(name_end - close - 2)}) == tag) break;
    }
    sink_->RawText(tag, {start, static_cast<size_t>(close - start)});
    at_ = close;
  }

  const char* at_;
  const char* end_;
  Sink* sink_;
  std::vector<HtmlAttr> attrs_;
};

}  // namespace racewatch::ingest::page
