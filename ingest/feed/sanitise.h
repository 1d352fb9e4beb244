// HTML of a feed made safe to show and its links absolute: script, style, applet and everything
// else that loads or runs code goes, with every on* and style attribute; href and src are resolved.
// A filter over the text, no tree: linear time, the output never much longer than the input. Any
// thread.
#pragma once

#include <string>
#include <string_view>

namespace racewatch::ingest::feed {

enum class Markup : unsigned char {
  kHtml,  // as browsers read it
  kXml,   // inline XHTML: prefixes on names are dropped, <div/> is an empty element, CDATA is text
};

// Appends the clean form of `html` to `out`. `base` resolves relative links; empty leaves them.
void AppendSanitised(std::string_view html, std::string_view base, Markup markup, std::string* out);

}  // namespace racewatch::ingest::feed
