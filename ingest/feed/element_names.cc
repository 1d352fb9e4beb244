#include "ingest/feed/element_names.h"

#include <array>
#include <string>

#include "ingest/feed/ascii.h"

namespace racewatch::ingest::feed {
namespace {

struct KnownUri {
  std::string_view uri;  // lower case, without a trailing slash
  Ns ns;
};

// Variants seen in feeds included; URIs are compared without case and trailing '/' or '#'.
constexpr std::array kUris = {
    KnownUri{"http://www.w3.org/2005/atom", Ns::kCore},
    KnownUri{"https://www.w3.org/2005/atom", Ns::kCore},
    KnownUri{"http://purl.org/atom/ns", Ns::kCore},
    KnownUri{"http://purl.org/rss/1.0", Ns::kCore},
    KnownUri{"http://purl.org/net/rss1.1", Ns::kCore},
    KnownUri{"http://channel.netscape.com/rdf/simple/0.9", Ns::kCore},
    KnownUri{"http://my.netscape.com/rdf/simple/0.9", Ns::kCore},
    KnownUri{"http://my.netscape.com/publish/formats/rss-0.91.dtd", Ns::kCore},
    KnownUri{"http://example.com/newformat", Ns::kCore},
    KnownUri{"http://example.com/necho", Ns::kCore},
    KnownUri{"http://purl.org/echo", Ns::kCore},
    KnownUri{"uri/of/echo/namespace", Ns::kCore},
    KnownUri{"http://purl.org/pie", Ns::kCore},
    KnownUri{"http://backend.userland.com/rss2", Ns::kCore},
    KnownUri{"http://backend.userland.com/rss", Ns::kCore},
    KnownUri{"http://blogs.law.harvard.edu/tech/rss", Ns::kCore},
    KnownUri{"http://cyber.law.harvard.edu/rss", Ns::kCore},
    KnownUri{"http://purl.org/dc/elements/1.1", Ns::kDc},
    KnownUri{"http://purl.org/dc/elements/1.0", Ns::kDc},
    KnownUri{"http://purl.org/dc/terms", Ns::kDcTerms},
    KnownUri{"http://purl.org/rss/1.0/modules/content", Ns::kContent},
    KnownUri{"http://www.itunes.com/dtds/podcast-1.0.dtd", Ns::kItunes},
    KnownUri{"http://example.com/dtds/podcast-1.0.dtd", Ns::kItunes},
    KnownUri{"http://search.yahoo.com/mrss", Ns::kMedia},
    KnownUri{"https://search.yahoo.com/mrss", Ns::kMedia},
    KnownUri{"http://purl.org/rss/1.0/modules/syndication", Ns::kSy},
    KnownUri{"http://www.w3.org/1999/xhtml", Ns::kXhtml},
    KnownUri{"http://www.w3.org/1999/02/22-rdf-syntax-ns", Ns::kRdf},
    KnownUri{"http://www.w3.org/xml/1998/namespace", Ns::kXml},
    KnownUri{"http://rssnamespace.org/feedburner/ext/1.0", Ns::kFeedburner},
    KnownUri{"http://purl.org/atompub/tombstones/1.0", Ns::kTombstones},
};

struct KnownPrefix {
  std::string_view prefix;
  Ns ns;
};
constexpr std::array kPrefixes = {
    KnownPrefix{"dc", Ns::kDc},           KnownPrefix{"dcterms", Ns::kDcTerms},
    KnownPrefix{"content", Ns::kContent}, KnownPrefix{"itunes", Ns::kItunes},
    KnownPrefix{"media", Ns::kMedia},     KnownPrefix{"sy", Ns::kSy},
    KnownPrefix{"xhtml", Ns::kXhtml},     KnownPrefix{"rdf", Ns::kRdf},
    KnownPrefix{"xml", Ns::kXml},         KnownPrefix{"atom", Ns::kCore},
    KnownPrefix{"atom10", Ns::kCore},     KnownPrefix{"a10", Ns::kCore},
    KnownPrefix{"rss", Ns::kCore},        KnownPrefix{"feedburner", Ns::kFeedburner},
    KnownPrefix{"at", Ns::kTombstones},
};

struct KnownElement {
  Ns ns;
  std::string_view local;  // lower case
  Tag tag;
};
constexpr std::array kElements = {
    KnownElement{Ns::kCore, "rss", Tag::kRss},
    KnownElement{Ns::kCore, "feed", Tag::kFeed},
    KnownElement{Ns::kCore, "rdf", Tag::kRdf},
    KnownElement{Ns::kRdf, "rdf", Tag::kRdf},
    KnownElement{Ns::kCore, "channel", Tag::kChannel},
    KnownElement{Ns::kCore, "item", Tag::kEntry},
    KnownElement{Ns::kCore, "entry", Tag::kEntry},
    KnownElement{Ns::kCore, "product", Tag::kEntry},
    KnownElement{Ns::kCore, "title", Tag::kTitle},
    KnownElement{Ns::kDc, "title", Tag::kTitle},
    KnownElement{Ns::kMedia, "title", Tag::kFallbackTitle},
    KnownElement{Ns::kItunes, "title", Tag::kFallbackTitle},
    KnownElement{Ns::kCore, "link", Tag::kLink},
    KnownElement{Ns::kCore, "guid", Tag::kId},
    KnownElement{Ns::kCore, "id", Tag::kId},
    KnownElement{Ns::kCore, "description", Tag::kDescription},
    KnownElement{Ns::kDc, "description", Tag::kDescription},
    KnownElement{Ns::kCore, "abstract", Tag::kDescription},
    KnownElement{Ns::kCore, "subtitle", Tag::kSubtitle},
    KnownElement{Ns::kCore, "tagline", Tag::kSubtitle},
    KnownElement{Ns::kItunes, "subtitle", Tag::kFallbackSummary},
    KnownElement{Ns::kItunes, "summary", Tag::kFallbackSummary},
    KnownElement{Ns::kMedia, "description", Tag::kFallbackSummary},
    KnownElement{Ns::kMedia, "text", Tag::kFallbackSummary},
    KnownElement{Ns::kCore, "summary", Tag::kSummary},
    KnownElement{Ns::kCore, "content", Tag::kContent},
    KnownElement{Ns::kContent, "encoded", Tag::kBody},
    KnownElement{Ns::kXhtml, "body", Tag::kBody},
    KnownElement{Ns::kXhtml, "div", Tag::kBody},
    KnownElement{Ns::kCore, "body", Tag::kBody},
    KnownElement{Ns::kCore, "fullitem", Tag::kBody},
    KnownElement{Ns::kCore, "prodlink", Tag::kLink},
    KnownElement{Ns::kCore, "author", Tag::kAuthor},
    KnownElement{Ns::kDc, "creator", Tag::kAuthor},
    KnownElement{Ns::kDc, "author", Tag::kAuthor},
    KnownElement{Ns::kItunes, "author", Tag::kAuthor},
    KnownElement{Ns::kCore, "managingeditor", Tag::kManagingEditor},
    KnownElement{Ns::kCore, "name", Tag::kPersonName},
    KnownElement{Ns::kCore, "email", Tag::kPersonMail},
    KnownElement{Ns::kCore, "contributor", Tag::kContributor},
    KnownElement{Ns::kDc, "contributor", Tag::kContributor},
    KnownElement{Ns::kItunes, "owner", Tag::kContributor},
    KnownElement{Ns::kCore, "image", Tag::kImage},
    KnownElement{Ns::kCore, "textinput", Tag::kTextInput},
    KnownElement{Ns::kCore, "source", Tag::kSource},
    KnownElement{Ns::kCore, "items", Tag::kItems},
    KnownElement{Ns::kMedia, "group", Tag::kGroup},
    KnownElement{Ns::kMedia, "content", Tag::kGroup},
    KnownElement{Ns::kCore, "published", Tag::kPublished},
    KnownElement{Ns::kCore, "issued", Tag::kPublished},
    KnownElement{Ns::kCore, "pubdate", Tag::kPublished},
    KnownElement{Ns::kDcTerms, "issued", Tag::kPublished},
    KnownElement{Ns::kCore, "updated", Tag::kUpdated},
    KnownElement{Ns::kCore, "modified", Tag::kUpdated},
    KnownElement{Ns::kDcTerms, "modified", Tag::kUpdated},
    KnownElement{Ns::kCore, "lastbuilddate", Tag::kLastBuild},
    KnownElement{Ns::kCore, "created", Tag::kCreated},
    KnownElement{Ns::kDcTerms, "created", Tag::kCreated},
    KnownElement{Ns::kDc, "date", Tag::kDcDate},
    KnownElement{Ns::kCore, "date", Tag::kDcDate},
    KnownElement{Ns::kCore, "language", Tag::kLanguage},
    KnownElement{Ns::kDc, "language", Tag::kLanguage},
    KnownElement{Ns::kCore, "category", Tag::kCategory},
    KnownElement{Ns::kDc, "subject", Tag::kCategory},
    KnownElement{Ns::kMedia, "category", Tag::kCategory},
    KnownElement{Ns::kItunes, "category", Tag::kItunesCategory},
    KnownElement{Ns::kCore, "tags", Tag::kKeywords},
    KnownElement{Ns::kCore, "keywords", Tag::kKeywords},
    KnownElement{Ns::kItunes, "keywords", Tag::kKeywords},
    KnownElement{Ns::kMedia, "keywords", Tag::kKeywords},
    KnownElement{Ns::kCore, "enclosure", Tag::kEnclosure},
    KnownElement{Ns::kCore, "ttl", Tag::kTtl},
    KnownElement{Ns::kSy, "updateperiod", Tag::kUpdatePeriod},
    KnownElement{Ns::kSy, "updatefrequency", Tag::kUpdateFrequency},
    KnownElement{Ns::kCore, "skiphours", Tag::kSkipHours},
    KnownElement{Ns::kCore, "hour", Tag::kHour},
    KnownElement{Ns::kCore, "skipdays", Tag::kSkipDays},
    KnownElement{Ns::kCore, "day", Tag::kDay},
    KnownElement{Ns::kTombstones, "deleted-entry", Tag::kDeletedEntry},
};

constexpr uint32_t HashName(Ns ns, std::string_view local) {
  uint32_t hash = 2166136261u ^ static_cast<uint32_t>(ns);
  for (const char c : local) hash = (hash ^ static_cast<unsigned char>(ToLower(c))) * 16777619u;
  return hash ^ (hash >> 15);
}

constexpr size_t kSlots = 512;

// Open addressing over kElements, built by the compiler; 0 is empty, else index + 1.
constexpr std::array<uint8_t, kSlots> MakeSlots() {
  std::array<uint8_t, kSlots> slots{};
  for (size_t i = 0; i < kElements.size(); ++i) {
    size_t at = HashName(kElements[i].ns, kElements[i].local) % kSlots;
    while (slots[at] != 0) at = (at + 1) % kSlots;
    slots[at] = static_cast<uint8_t>(i + 1);
  }
  return slots;
}
constexpr std::array<uint8_t, kSlots> kElementSlots = MakeSlots();

Tag Find(Ns ns, std::string_view local) {
  for (size_t at = HashName(ns, local) % kSlots; kElementSlots[at] != 0; at = (at + 1) % kSlots) {
    const KnownElement& known = kElements[kElementSlots[at] - 1];
    if (known.ns == ns && EqualsIgnoreCase(known.local, local)) return known.tag;
  }
  return Tag::kUnknown;
}

}  // namespace

Ns NamespaceOf(std::string_view uri) {
  uri = Trim(uri);
  while (!uri.empty() && (uri.back() == '/' || uri.back() == '#')) uri.remove_suffix(1);
  for (const KnownUri& known : kUris)
    if (EqualsIgnoreCase(known.uri, uri)) return known.ns;
  for (const std::string_view core :
       {"http://backend.userland.com/rss", "http://blogs.law.harvard.edu/tech/rss"})
    if (StartsWithIgnoreCase(uri, core)) return Ns::kCore;
  return uri.empty() ? Ns::kCore : Ns::kOther;
}

void NamespaceScope::Enter(const std::vector<XmlAttribute>& attributes, size_t depth, bool root) {
  for (const XmlAttribute& attribute : attributes) {
    if (!attribute.name.starts_with("xmlns") || bindings_.size() >= kBindingsMax) continue;
    const Ns ns = NamespaceOf(attribute.value);
    if (attribute.name.size() == 5)
      bindings_.push_back({{}, root && ns == Ns::kOther ? Ns::kCore : ns, depth});
    else if (attribute.name[5] == ':')
      bindings_.push_back({attribute.name.substr(6), ns, depth});
  }
}

Ns NamespaceScope::Resolve(std::string_view qualified, std::string_view* local) const {
  const size_t colon = qualified.find(':');
  const std::string_view prefix =
      colon == std::string_view::npos ? std::string_view() : qualified.substr(0, colon);
  *local = colon == std::string_view::npos ? qualified : qualified.substr(colon + 1);
  for (size_t i = bindings_.size(); i-- > 0;)
    if (bindings_[i].prefix == prefix) return bindings_[i].ns;
  if (prefix.empty()) return Ns::kCore;
  for (const KnownPrefix& known : kPrefixes)
    if (EqualsIgnoreCase(known.prefix, prefix)) return known.ns;
  return Ns::kOther;
}

Tag NamespaceScope::TagOf(std::string_view qualified) const {
  std::string_view local;
  const Ns ns = Resolve(qualified, &local);
  if (ns == Ns::kOther) return Tag::kForeign;
  const Tag tag = Find(ns, local);
  return tag == Tag::kUnknown && ns != Ns::kCore ? Tag::kForeign : tag;
}

}  // namespace racewatch::ingest::feed
