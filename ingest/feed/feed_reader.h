// Walks the elements of an RSS, RDF, Atom or CDF document and fills a Feed. One vocabulary for all
// of them: what an element means hangs on its namespace and on where it stands (feed, entry,
// source), not on the root, because real feeds mix them. Recovers from missing end tags at the next
// entry or at the end of an element around. One reader per document, one thread; linear time; at
// most kDepthMax elements are tracked.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "ingest/feed/element_names.h"
#include "ingest/feed/entities.h"
#include "ingest/feed/feed.h"
#include "ingest/feed/text_reader.h"
#include "ingest/feed/text_type.h"
#include "ingest/feed/xml_scanner.h"

namespace racewatch::ingest::feed {

class FeedReader {
 public:
  static constexpr size_t kDepthMax = 256;  // deeper elements are counted, not tracked

  // `text` is clean UTF-8 and outlives the reader; `base` is the document's address or empty.
  FeedReader(std::string_view text, std::string base);

  // Reads the whole document. Fails when there is no feed in it. Call once.
  base::Result<Feed> Read();

 private:
  enum class Where : uint8_t { kOutside, kFeed, kEntry, kSource, kIgnored };
  struct Frame {
    Tag tag;
    Where where;
    bool has_base;
  };

  // Elements.
  void OnStart();
  void OnEnd(std::string_view name);
  bool OnRoot(Tag tag);
  void Push(std::string_view name, Tag tag, Where where);
  void PopTo(size_t depth);
  void OpenEntry();
  void CloseEntry();
  void Dispatch(std::string_view name, Tag tag, Where where);
  bool DispatchFeed(std::string_view name, Tag tag);
  bool DispatchEntry(std::string_view name, Tag tag);
  bool DispatchSource(std::string_view name, Tag tag);
  bool DispatchIgnored(std::string_view name, Tag tag);
  void Finish();

  // Attributes of the current start tag.
  std::string Attribute(std::string_view name) const;
  void ReadCommonAttributes(Where where);
  FeedFormat FormatOf(Tag root, std::string_view qualified) const;

  // Leaves of the current element: each reads up to its end tag.
  std::string ReadPlain(std::string_view name);
  std::string ReadTitle(std::string_view name);
  std::string ReadHtml(std::string_view name, TextType::Kind fallback);
  std::string ReadPerson(std::string_view name);
  void ReadDate(std::string_view name, std::optional<FeedTime>* time);
  void ReadLink(std::string_view name, std::string* link, bool* strong);
  void ReadLinkRelation(const std::string& href, std::string* link, bool strong);
  void ReadId(std::string_view name);
  void ReadSource(std::string_view name);
  void ReadEnclosure();
  void ReadSummary(std::string_view name, TextType::Kind fallback);
  void ReadCategory(std::string_view name, std::vector<std::string>* categories);
  void ReadKeywords(std::string_view name, std::vector<std::string>* categories);
  void ReadTtl(std::string_view name);
  void ReadSkip(std::string_view name, Tag tag);
  ElementText ReadElement(std::string_view name, TextMode mode);
  std::string_view CurrentBase() const {
    return element_base_.empty() ? std::string_view(bases_.back()) : element_base_;
  }

  XmlScanner scanner_;
  NamespaceScope scope_;
  DtdEntities dtd_;
  std::vector<std::string_view> open_;  // names of the open elements; parallel to frames_
  std::vector<Frame> frames_;
  size_t too_deep_ = 0;  // open elements beyond kDepthMax
  std::vector<std::string>
      bases_;                 // xml:base of the open elements that have one, over the document's
  std::string element_base_;  // base of the element being read when it has its own
  TextReader text_reader_;

  Feed feed_;
  FeedEntry entry_;
  // Second choices for the entry: what fills a field that nothing better filled.
  std::string fallback_title_, fallback_summary_;
  std::optional<FeedTime> fallback_published_;
  bool in_entry_ = false;
  bool entry_link_strong_ = false;  // <link>text</link> beats a related href
  std::string feed_fallback_description_, feed_fallback_title_;
  std::optional<FeedTime> feed_published_;
  bool feed_link_strong_ = false;
  bool root_seen_ = false;
  bool atom_ = false;
  std::string first_element_;
  std::string update_period_, update_frequency_;
};

}  // namespace racewatch::ingest::feed
