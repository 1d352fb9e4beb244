// Reads the text of one element: decodes it the way its type asks for, keeps or drops child tags,
// and notices an end tag that is missing. Used by FeedReader for every leaf of a feed. What it
// returns lives until the next call; plain text and CDATA come back as views into the document
// without a copy.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ingest/feed/element_names.h"
#include "ingest/feed/entities.h"
#include "ingest/feed/xml_scanner.h"

namespace racewatch::ingest::feed {

enum class TextMode : uint8_t {
  kPlain,    // references decoded, tags dropped
  kEscaped,  // references decoded, child tags kept as they stand: HTML
  kInline,   // nothing decoded, CDATA escaped: XHTML
};

struct ElementText {
  std::string_view text;
  bool has_markup = false;  // the element had child elements
  bool complete = true;     // false when the document ends inside
};

class TextReader {
 public:
  // All three must outlive the reader. `open` are the names of the elements around.
  TextReader(XmlScanner* scanner, const NamespaceScope* scope, const DtdEntities* dtd,
             const std::vector<std::string_view>* open)
      : scanner_(scanner), scope_(scope), dtd_(dtd), open_(open) {}

  // Reads up to and including the end tag of element `name`, whose start tag was the last token
  // (and was not self-closing). An entry that begins, or the end of an element around, ends it too.
  ElementText Read(std::string_view name, TextMode mode);

 private:
  void AddText(std::string_view text, bool cdata);
  void AddTag();
  void AddPiece(std::string_view piece, bool decode, bool escape);
  bool EndsElementAround(std::string_view name) const;

  XmlScanner* scanner_;
  const NamespaceScope* scope_;
  const DtdEntities* dtd_;
  const std::vector<std::string_view>* open_;
  TextMode mode_ = TextMode::kPlain;
  std::string buffer_;
  std::string_view single_;  // the only piece so far, when it needs no work
  bool has_single_ = false;
  bool has_markup_ = false;
  bool blank_before_ = false;
};

}  // namespace racewatch::ingest::feed
