// A tolerant pull scanner over XML-like text: yields start tags, end tags, text and CDATA as views
// into the input and never fails. It decodes nothing and builds no tree, so it reads a feed at
// memory speed; what a strict parser would refuse (bare '<', unquoted attributes, a cut tail, CDATA
// without end) it reads as its author meant. Linear time; memory: the attributes of one tag, at
// most kAttributesMax. One scanner, one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace racewatch::ingest::feed {

struct XmlAttribute {
  std::string_view name;   // with its prefix
  std::string_view value;  // not decoded
};

enum class XmlEvent : uint8_t { kStart, kEnd, kText, kCData, kEof };

class XmlScanner {
 public:
  static constexpr size_t kAttributesMax = 256;  // further ones of a tag are skipped

  // `text` must outlive the scanner.
  explicit XmlScanner(std::string_view text);

  // Moves to the next token. Comments, processing instructions and DOCTYPE are passed over.
  XmlEvent Next();

  std::string_view name() const { return name_; }        // of kStart and kEnd, with its prefix
  std::string_view text() const { return token_text_; }  // of kText and kCData, not decoded
  bool self_closing() const { return self_closing_; }    // of kStart
  const std::vector<XmlAttribute>& attributes() const { return attributes_; }
  size_t token_begin() const { return token_begin_; }  // offset of the token's first byte
  size_t position() const { return at_; }              // offset behind the token
  // The text of [begin, end).
  std::string_view Slice(size_t begin, size_t end) const {
    return text_.substr(begin, end - begin);
  }
  // Goes back so that Next() yields the token at `offset`.
  void Rewind(size_t offset) { at_ = offset; }

  // Text between `<!DOCTYPE` and its '>' when one was passed; empty before.
  std::string_view doctype() const { return doctype_; }
  // True once a token was met that the end of the text cuts (tag, comment or CDATA without end).
  bool truncated() const { return truncated_; }
  // Name of the element whose text is being read: where CDATA without end stops.
  void set_text_element(std::string_view name) { text_element_ = name; }

 private:
  XmlEvent ReadText();
  bool ReadMarkup(XmlEvent* event);  // false: not markup, or passed over
  bool IsStrayInTag() const;
  size_t ReadName(size_t begin);
  XmlEvent ReadStart();
  XmlEvent ReadEnd();
  XmlEvent ReadCData();
  void ReadAttributes();
  void ReadAttribute();
  std::string_view ReadValue();
  void SkipComment();
  void SkipInstruction();
  void SkipDeclaration();
  size_t UnclosedCDataEnd(size_t from, size_t end) const;
  XmlEvent Cut();

  std::string_view text_;
  size_t at_ = 0;
  size_t token_begin_ = 0;
  std::string_view name_;
  std::string_view token_text_;
  std::string_view doctype_;
  std::string_view text_element_;
  std::vector<XmlAttribute> attributes_;
  std::deque<std::string> mended_names_;  // storage of names that are not in the text as they stand
  bool self_closing_ = false;
  bool truncated_ = false;
  bool complete_tail_ = false;  // the document ends with the end tag of a feed's root
  bool cdata_ends_ = true;      // false once a search for "]]>" failed
  bool comments_end_ = true;    // false once a search for "-->" failed
  bool declaration_seen_ = false;
};

}  // namespace racewatch::ingest::feed
