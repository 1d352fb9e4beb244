#include "ingest/feed/feed_reader.h"

#include <algorithm>
#include <utility>

#include "ingest/feed/ascii.h"
#include "ingest/feed/dates.h"
#include "ingest/feed/links.h"

namespace racewatch::ingest::feed {
namespace {

void KeepFirst(std::string value, std::string* field) {
  if (field->empty()) *field = std::move(value);
}

void KeepLonger(std::string value, std::string* field) {
  if (value.size() > field->size()) *field = std::move(value);
}

void KeepLast(std::string value, std::string* field) {
  if (!value.empty()) *field = std::move(value);
}

}  // namespace

FeedReader::FeedReader(std::string_view text, std::string base)
    : scanner_(text), text_reader_(&scanner_, &scope_, &dtd_, &open_) {
  bases_.push_back(std::move(base));
}

base::Result<Feed> FeedReader::Read() {
  for (bool more = true; more;) {
    switch (scanner_.Next()) {
      case XmlEvent::kStart:
        OnStart();
        break;
      case XmlEvent::kEnd:
        OnEnd(scanner_.name());
        break;
      case XmlEvent::kEof:
        more = false;
        break;
      case XmlEvent::kText:
      case XmlEvent::kCData:
        break;
    }
    if (!root_seen_ && EqualsIgnoreCase(first_element_, "html"))
      return base::InvalidArgument("no feed but an HTML page");
  }
  if (!root_seen_) {
    return base::InvalidArgument(first_element_.empty()
                                     ? "no feed: no XML element and no JSON object found"
                                     : "no feed: the document is <" + first_element_ + ">");
  }
  Finish();
  return std::move(feed_);
}

void FeedReader::OnStart() {
  const std::string_view name = scanner_.name();
  const bool has_attributes = !scanner_.attributes().empty();
  if (first_element_.empty()) {
    first_element_ = name;
    dtd_.Read(scanner_.doctype());
  }
  if (has_attributes) scope_.Enter(scanner_.attributes(), frames_.size(), !root_seen_);
  const Tag tag = scope_.TagOf(name);
  element_base_.clear();
  if (!root_seen_) {
    if (OnRoot(tag)) return;
    if (has_attributes) scope_.Leave(frames_.size());
    return;
  }
  const Where where = frames_.empty() ? Where::kFeed : frames_.back().where;
  if (tag == Tag::kEntry && (where != Where::kIgnored || !in_entry_)) {
    OpenEntry();
  } else {
    if (has_attributes) ReadCommonAttributes(Where::kIgnored);
    Dispatch(name, tag, where);
  }
  if (has_attributes) scope_.Leave(frames_.size());
}

// The root, wherever it comes: junk before it is passed over. False when `tag` is no root.
bool FeedReader::OnRoot(Tag tag) {
  const std::string_view name = scanner_.name();
  if (tag != Tag::kRss && tag != Tag::kFeed && tag != Tag::kRdf && tag != Tag::kChannel)
    return false;
  root_seen_ = true;
  feed_.format = FormatOf(tag, name);
  atom_ = tag == Tag::kFeed;
  ReadCommonAttributes(Where::kFeed);
  if (feed_.format == FeedFormat::kCdf) {
    feed_.link = ResolveUrl(CurrentBase(), Attribute("href"));
    feed_.updated = ParseDate(Attribute("lastmod"));
  }
  Push(name, tag, Where::kFeed);
  return true;
}

FeedFormat FeedReader::FormatOf(Tag root, std::string_view qualified) const {
  if (root == Tag::kChannel) return FeedFormat::kCdf;
  const std::string version = Attribute("version");
  if (root == Tag::kRss) {
    if (version == "2.0" || version == "2.00") return FeedFormat::kRss20;
    if (version == "0.90") return FeedFormat::kRss090;
    if (version == "0.91") return FeedFormat::kRss091;
    if (version == "0.92") return FeedFormat::kRss092;
    if (version == "0.93") return FeedFormat::kRss093;
    if (version == "0.94") return FeedFormat::kRss094;
    return FeedFormat::kRss;
  }
  const size_t colon = qualified.find(':');
  const std::string own = colon == std::string_view::npos
                              ? "xmlns"
                              : "xmlns:" + std::string(qualified.substr(0, colon));
  if (root == Tag::kRdf) {
    for (const XmlAttribute& attribute : scanner_.attributes())
      if (attribute.value.find("netscape.com") != std::string_view::npos)
        return FeedFormat::kRss090;
    return FeedFormat::kRss10;
  }
  const std::string uri = Attribute(own);
  if (EqualsIgnoreCase(uri, "http://www.w3.org/2005/Atom")) return FeedFormat::kAtom10;
  return version == "0.3" ? FeedFormat::kAtom03 : FeedFormat::kAtom;
}

void FeedReader::Push(std::string_view name, Tag tag, Where where) {
  if (scanner_.self_closing()) {
    if (tag == Tag::kEntry) CloseEntry();
    return;
  }
  if (frames_.size() >= kDepthMax) {
    ++too_deep_;
    return;
  }
  const bool has_base = !element_base_.empty();
  if (has_base) bases_.push_back(element_base_);
  frames_.push_back({tag, where, has_base});
  open_.push_back(name);
}

void FeedReader::PopTo(size_t depth) {
  while (frames_.size() > depth) {
    const Frame frame = frames_.back();
    frames_.pop_back();
    open_.pop_back();
    if (frame.has_base) bases_.pop_back();
    if (frame.tag == Tag::kEntry) CloseEntry();
  }
  scope_.Leave(depth);
}

// Closes the nearest open element of that name and whatever is open inside it; a stray end tag does
// nothing.
void FeedReader::OnEnd(std::string_view name) {
  if (too_deep_ > 0) {
    --too_deep_;
    return;
  }
  for (size_t depth = frames_.size(); depth-- > 0;)
    if (EqualsIgnoreCase(open_[depth], name)) return PopTo(depth);
}

void FeedReader::OpenEntry() {
  const std::string_view name = scanner_.name();
  // An entry never lies in another, nor in what we ignore: what is open there lacks its end tag.
  size_t depth = 0;
  while (depth < frames_.size() && frames_[depth].tag != Tag::kEntry &&
         frames_[depth].where != Where::kIgnored)
    ++depth;
  if (depth < frames_.size()) {
    PopTo(depth);
    scope_.Enter(scanner_.attributes(), frames_.size(), false);
  }
  too_deep_ = 0;
  if (frames_.size() >= kDepthMax) PopTo(1);  // what is open was never closed: back to the root
  in_entry_ = true;
  entry_ = FeedEntry();
  entry_link_strong_ = false;
  fallback_title_.clear();
  fallback_summary_.clear();
  fallback_published_.reset();
  if (!scanner_.attributes().empty()) {
    ReadCommonAttributes(Where::kEntry);
    for (const XmlAttribute& attribute : scanner_.attributes()) {
      std::string_view local;
      const Ns ns = scope_.Resolve(attribute.name, &local);
      if (ns == Ns::kRdf && local == "about") entry_.id = Attribute(attribute.name);
    }
    if (feed_.format == FeedFormat::kCdf) {
      entry_.link = ResolveUrl(CurrentBase(), Attribute("href"));
      entry_.updated = ParseDate(Attribute("lastmod"));
    }
  }
  Push(name, Tag::kEntry, Where::kEntry);
}

void FeedReader::CloseEntry() {
  in_entry_ = false;
  if (entry_.title.empty()) entry_.title = std::move(fallback_title_);
  if (entry_.summary.empty() && !fallback_summary_.empty())
    entry_.summary = std::move(fallback_summary_);
  if (!entry_.published) entry_.published = fallback_published_;
  if (entry_.link.empty() && entry_.id_is_permalink && StartsWithIgnoreCase(entry_.id, "http"))
    entry_.link = entry_.id;
  feed_.entries.push_back(std::move(entry_));
  entry_ = FeedEntry();
}

// What the end of the document leaves open.
void FeedReader::Finish() {
  const bool cut = scanner_.truncated() || !frames_.empty();
  feed_.truncated = cut;
  if (in_entry_) {
    // An entry cut in the middle would come back whole at the next fetch; it is worth keeping only
    // when it is all there is.
    const bool keep = feed_.entries.empty() && !entry_.title.empty() &&
                      (!entry_.link.empty() || !entry_.id.empty());
    if (keep) CloseEntry();
  }
  if (feed_.title.empty()) feed_.title = std::move(feed_fallback_title_);
  if (feed_.description.empty()) feed_.description = std::move(feed_fallback_description_);
  if (!feed_.updated) feed_.updated = feed_published_;
  static constexpr std::pair<std::string_view, int64_t> kPeriods[] = {{"hourly", 3600},
                                                                      {"daily", 86400},
                                                                      {"weekly", 604800},
                                                                      {"monthly", 2592000},
                                                                      {"yearly", 31536000}};
  for (const auto& [name, seconds] : kPeriods) {
    if (!EqualsIgnoreCase(update_period_, name)) continue;
    const int64_t frequency = std::strtol(update_frequency_.c_str(), nullptr, 10);
    feed_.update_period_s = seconds / std::clamp<int64_t>(frequency, 1, seconds);
  }
}

void FeedReader::Dispatch(std::string_view name, Tag tag, Where where) {
  if (where == Where::kIgnored || tag == Tag::kForeign)
    return Push(name, Tag::kForeign, Where::kIgnored);
  bool handled = false;
  switch (where) {
    case Where::kEntry:
      handled = DispatchEntry(name, tag);
      break;
    case Where::kSource:
      handled = DispatchSource(name, tag);
      break;
    default:
      handled = DispatchFeed(name, tag);
      break;
  }
  if (!handled) Push(name, tag, where);
}

// Elements whose titles and links are not those of the feed or entry they lie in.
bool FeedReader::DispatchIgnored(std::string_view name, Tag tag) {
  if (tag != Tag::kImage && tag != Tag::kTextInput && tag != Tag::kItems &&
      tag != Tag::kContributor)
    return false;
  Push(name, tag, Where::kIgnored);
  return true;
}

bool FeedReader::DispatchFeed(std::string_view name, Tag tag) {
  const TextType::Kind kind = atom_ ? TextType::Kind::kText : TextType::Kind::kHtml;
  switch (tag) {
    case Tag::kTitle:
      KeepFirst(ReadTitle(name), &feed_.title);
      return true;
    case Tag::kFallbackTitle:
      KeepFirst(ReadTitle(name), &feed_fallback_title_);
      return true;
    case Tag::kLink:
      ReadLink(name, &feed_.link, &feed_link_strong_);
      return true;
    case Tag::kDescription:
    case Tag::kSubtitle:
      KeepFirst(ReadHtml(name, kind), &feed_.description);
      return true;
    case Tag::kFallbackSummary:
      KeepLonger(ReadHtml(name, TextType::Kind::kHtml), &feed_fallback_description_);
      return true;
    case Tag::kPublished:
    case Tag::kCreated:
      ReadDate(name, &feed_published_);
      return true;
    case Tag::kUpdated:
    case Tag::kLastBuild:
    case Tag::kDcDate:
      ReadDate(name, &feed_.updated);
      return true;
    case Tag::kLanguage:
      KeepLast(ReadPlain(name), &feed_.language);
      return true;
    case Tag::kAuthor:
    case Tag::kManagingEditor:
      KeepFirst(ReadPerson(name), &feed_.author);
      return true;
    case Tag::kTtl:
      ReadTtl(name);
      return true;
    case Tag::kUpdatePeriod:
      update_period_ = ReadPlain(name);
      return true;
    case Tag::kUpdateFrequency:
      update_frequency_ = ReadPlain(name);
      return true;
    case Tag::kHour:
    case Tag::kDay:
      ReadSkip(name, tag);
      return true;
    case Tag::kDeletedEntry:
      // RFC 6721: `ref` is the id of the entry that was.
      if (std::string ref = Attribute("ref"); !ref.empty()) feed_.deletions.push_back({std::move(ref), {}});
      Push(name, tag, Where::kIgnored);
      return true;
    default:
      return DispatchIgnored(name, tag);
  }
}

bool FeedReader::DispatchEntry(std::string_view name, Tag tag) {
  const TextType::Kind kind = atom_ ? TextType::Kind::kText : TextType::Kind::kHtml;
  switch (tag) {
    case Tag::kTitle:
      KeepFirst(ReadTitle(name), &entry_.title);
      return true;
    case Tag::kFallbackTitle:
      KeepFirst(ReadTitle(name), &fallback_title_);
      return true;
    case Tag::kLink:
      ReadLink(name, &entry_.link, &entry_link_strong_);
      return true;
    case Tag::kId:
      ReadId(name);
      return true;
    case Tag::kDescription:
    case Tag::kSummary:
    case Tag::kSubtitle:
      ReadSummary(name, kind);
      return true;
    case Tag::kFallbackSummary:
      KeepLonger(ReadHtml(name, TextType::Kind::kHtml), &fallback_summary_);
      return true;
    case Tag::kContent:
      KeepFirst(ReadHtml(name, kind), &entry_.content);
      return true;
    case Tag::kBody:
      KeepFirst(ReadHtml(name, TextType::Kind::kHtml), &entry_.content);
      return true;
    case Tag::kPublished:
      ReadDate(name, &entry_.published);
      return true;
    case Tag::kCreated:
      ReadDate(name, &fallback_published_);
      return true;
    case Tag::kUpdated:
    case Tag::kLastBuild:
      ReadDate(name, &entry_.updated);
      return true;
    case Tag::kDcDate:
      ReadDate(name, &fallback_published_);
      if (fallback_published_) entry_.updated = fallback_published_;
      return true;
    case Tag::kAuthor:
      KeepFirst(ReadPerson(name), &entry_.author);
      return true;
    case Tag::kLanguage:
      KeepLast(ReadPlain(name), &entry_.language);
      return true;
    case Tag::kEnclosure:
      ReadEnclosure();
      return false;
    case Tag::kSource:
      if (atom_)
        Push(name, tag, Where::kSource);
      else
        ReadSource(name);
      return true;
    case Tag::kCategory:
      ReadCategory(name, &entry_.categories);
      return true;
    case Tag::kKeywords:
      ReadKeywords(name, &entry_.categories);
      return true;
    case Tag::kItunesCategory:
      if (std::string text = Attribute("text"); !text.empty())
        entry_.categories.push_back(std::move(text));
      return false;  // categories lie in one another
    default:
      return DispatchIgnored(name, tag);
  }
}

bool FeedReader::DispatchSource(std::string_view name, Tag tag) {
  bool strong = false;
  switch (tag) {
    case Tag::kTitle:
      entry_.source.title = ReadTitle(name);
      return true;
    case Tag::kLink:
      ReadLink(name, &entry_.source.link, &strong);
      return true;
    case Tag::kAuthor:
    case Tag::kContributor:
      Push(name, tag, Where::kIgnored);
      return true;
    default:
      return false;
  }
}

}  // namespace racewatch::ingest::feed
