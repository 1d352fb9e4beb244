// Atom's text constructs and their relatives in other formats: from an element's attributes and raw
// text to a plain title or sanitised HTML (RFC 4287, sections 3.1 and 4.1.3; Atom 0.3 `mode`).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ingest/feed/text_reader.h"

namespace racewatch::ingest::feed {

struct TextType {
  enum class Kind : uint8_t { kText, kHtml, kXhtml };
  Kind kind = Kind::kText;
  bool base64 = false;
  bool explicit_type =
      false;  // the document said so; otherwise text that looks like HTML is taken for HTML

  TextMode mode() const { return kind == Kind::kXhtml ? TextMode::kInline : TextMode::kEscaped; }
};

// The type that `type` and `mode` attributes give; `fallback` when there is no `type`.
TextType ReadTextType(const std::vector<XmlAttribute>& attributes, TextType::Kind fallback);

// True when a text that may be plain is HTML: it has an end tag or a known character reference, and
// no tag that HTML lacks.
bool LooksLikeHtml(std::string_view text);

// One line of plain text.
std::string PlainText(const ElementText& element, const TextType& type);

// Sanitised HTML with links resolved against `base`, appended to `out`.
void AppendHtml(const ElementText& element, const TextType& type, std::string_view base,
                std::string* out);

// White space runs as one blank, none at the ends.
std::string Collapse(std::string_view text);

}  // namespace racewatch::ingest::feed
