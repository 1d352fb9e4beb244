// One tag of an HTML fragment, read tolerantly: shared by the sanitiser and the text extractor.
#pragma once

#include <cstddef>
#include <string_view>

namespace racewatch::ingest::feed {

struct HtmlTag {
  std::string_view name;  // as written, with its prefix if it has one
  std::string_view
      attributes;        // raw text between name and '>', without the '/' of a self-closing tag
  bool closing = false;  // </name>
  bool self_closing = false;  // <name/>
  size_t length = 0;          // of the whole tag; 0 when the text is no tag
};

// Reads the tag at `at`, where html[at] == '<' . Quoted attribute values may hold '>'.
HtmlTag ReadHtmlTag(std::string_view html, size_t at);

struct HtmlAttribute {
  std::string_view name;
  std::string_view value;  // not decoded, quotes taken off
  bool has_value = false;
};

// Takes the next attribute off the front of `attributes`; false at the end.
bool NextHtmlAttribute(std::string_view* attributes, HtmlAttribute* attribute);

// Length of the comment, declaration, processing instruction or CDATA mark at `at`; 0 when it is
// text.
size_t SkipHtmlDeclaration(std::string_view html, size_t at);

// End of the raw text element `name` (script, style) whose start tag ends at `from`: the offset
// behind its end tag, or html.size() when that is missing.
size_t SkipRawText(std::string_view html, std::string_view name, size_t from);

// True for the elements of HTML, SVG and MathML: what may be taken for a tag in a text that may be
// plain.
bool IsHtmlElement(std::string_view name);

// True for HTML's elements that never have content (br, img, …).
bool IsVoidElement(std::string_view name);

}  // namespace racewatch::ingest::feed
