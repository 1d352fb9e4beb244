// A walk over the elements of a small vocabulary (sitemaps, NewsML-G2) by local name: start and end
// of each element in order, with the names around it and the text of leaves. As tolerant as
// XmlScanner below it: missing end tags end with the element around, a cut tail ends the walk. One
// walk per document, one thread, linear time, at most kDepthMax open elements tracked.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ingest/feed/element_names.h"
#include "ingest/feed/entities.h"
#include "ingest/feed/text_reader.h"
#include "ingest/feed/xml_scanner.h"

namespace racewatch::ingest::feed {

class XmlWalk {
 public:
  static constexpr size_t kDepthMax = 256;
  enum class Step : uint8_t { kStart, kEnd, kDone };

  // `text` is clean UTF-8 and outlives the walk.
  explicit XmlWalk(std::string_view text);

  // The next start or end tag. An element that lacks its end tag gets none.
  Step Next();

  // Of the current tag: its name without prefix.
  std::string_view name() const { return local_; }
  // Of a start tag: the local name of the element around it, empty at the root.
  std::string_view parent() const;
  // Of a start tag: the attribute's value, decoded; `name` without prefix, any case.
  std::string Attribute(std::string_view name) const;

  // Of a start tag, at most once: the text up to its end tag, which is passed over. Markup inside is
  // dropped by Plain, kept as it stands by Inline. Views live until the next call.
  std::string_view Plain();
  ElementText Inline();

  // True once the document turned out to end early.
  bool truncated() const { return scanner_.truncated() || (done_ && !open_.empty()); }

 private:
  XmlScanner scanner_;
  NamespaceScope scope_;
  DtdEntities dtd_;
  std::vector<std::string_view> open_;
  TextReader text_reader_;
  std::string_view local_;
  size_t too_deep_ = 0;
  bool pending_ = false;  // the current start tag is not yet in open_
  bool done_ = false;
};

// The first element's local name, empty when there is none in the first kilobytes.
std::string RootName(std::string_view text);

}  // namespace racewatch::ingest::feed
