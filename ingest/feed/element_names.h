// What the elements of a feed mean: qualified names to tags, by namespace URI rather than prefix.
// Prefixes that the document does not declare mean what they commonly mean. One NamespaceScope
// belongs to one parse.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "ingest/feed/xml_scanner.h"

namespace racewatch::ingest::feed {

enum class Ns : uint8_t {
  kCore,  // no namespace, and every namespace of RSS, RDF Site Summary and Atom
  kDc,
  kDcTerms,
  kContent,
  kItunes,
  kMedia,
  kSy,
  kXhtml,
  kRdf,
  kXml,
  kFeedburner,
  kTombstones,
  kOther,
};

enum class Tag : uint8_t {
  kUnknown,  // of the core: its children may still be ours
  kForeign,  // of a namespace we do not read: its children are not ours
  kRss,
  kFeed,
  kRdf,
  kChannel,
  kEntry,
  kItems,
  kTitle,
  kFallbackTitle,
  kLink,
  kId,
  kDescription,
  kSubtitle,
  kFallbackSummary,
  kSummary,
  kContent,
  kBody,
  kAuthor,
  kPersonName,
  kPersonMail,
  kContributor,
  kImage,
  kTextInput,
  kSource,
  kGroup,
  kPublished,
  kUpdated,
  kCreated,
  kDcDate,
  kLastBuild,
  kLanguage,
  kCategory,
  kKeywords,
  kItunesCategory,
  kEnclosure,
  kTtl,
  kUpdatePeriod,
  kUpdateFrequency,
  kSkipHours,
  kHour,
  kSkipDays,
  kDay,
  kManagingEditor,
  kDeletedEntry,
};

// The namespace a URI stands for.
Ns NamespaceOf(std::string_view uri);

class NamespaceScope {
 public:
  static constexpr size_t kBindingsMax = 256;  // further declarations are ignored

  // Takes in the xmlns attributes of a start tag at `depth` (elements open around it). On the root
  // of a feed an unknown default namespace is a slip of its author, so there it stands for the
  // core.
  void Enter(const std::vector<XmlAttribute>& attributes, size_t depth, bool root);
  // Forgets the bindings of elements at `depth` or deeper.
  void Leave(size_t depth) {
    while (!bindings_.empty() && bindings_.back().depth >= depth) bindings_.pop_back();
  }

  // Splits a qualified name; `local` is the part behind the colon.
  Ns Resolve(std::string_view qualified, std::string_view* local) const;
  // The tag of an element name.
  Tag TagOf(std::string_view qualified) const;

 private:
  struct Binding {
    std::string_view prefix;
    Ns ns;
    size_t depth;
  };
  std::vector<Binding> bindings_;
};

}  // namespace racewatch::ingest::feed
