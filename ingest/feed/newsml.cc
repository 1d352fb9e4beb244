#include "ingest/feed/newsml.h"

#include <utility>

#include "ingest/feed/ascii.h"
#include "ingest/feed/dates.h"
#include "ingest/feed/entities.h"
#include "ingest/feed/html_text.h"
#include "ingest/feed/links.h"
#include "ingest/feed/sanitise.h"
#include "ingest/feed/text_type.h"
#include "ingest/feed/xml_walk.h"

namespace racewatch::ingest::feed {
namespace {

bool Is(std::string_view name, std::string_view what) { return EqualsIgnoreCase(name, what); }

// "stat:canceled", "http://…/pubstatusg2/canceled"
bool IsCancelled(std::string_view status) {
  const size_t from = status.find_last_of(":/#");
  status = from == std::string_view::npos ? status : status.substr(from + 1);
  return Is(status, "canceled") || Is(status, "cancelled") || Is(status, "withheld");
}

// The body of an XHTML or NITF document: its head is no text of the article.
std::string_view BodyOf(std::string_view markup) {
  for (const std::string_view tag : {"<body.content", "<body"}) {
    size_t at = markup.find(tag);
    if (at == std::string_view::npos) continue;
    at = markup.find('>', at);
    if (at == std::string_view::npos) return {};
    markup.remove_prefix(at + 1);
    break;
  }
  for (const std::string_view tag : {"</body.content", "</body"})
    if (const size_t end = markup.find(tag); end != std::string_view::npos)
      return markup.substr(0, end);
  return markup;
}

class NewsMlReader {
 public:
  NewsMlReader(std::string_view text, std::string_view base) : walk_(text), base_(base) {
    feed_.format = FeedFormat::kNewsMl;
  }

  Feed Read() {
    for (XmlWalk::Step step; (step = walk_.Next()) != XmlWalk::Step::kDone;) {
      if (step == XmlWalk::Step::kStart)
        OnStart(walk_.name());
      else if (Is(walk_.name(), "newsItem"))
        Close();
    }
    feed_.truncated = walk_.truncated();
    if (feed_.truncated && feed_.entries.empty()) Close();
    return std::move(feed_);
  }

 private:
  void OnStart(std::string_view name) {
    if (Is(name, "newsItem")) {
      Close();  // the one before lacks its end tag
      in_item_ = true;
      entry_.id = walk_.Attribute("guid");
      entry_.language = walk_.Attribute("lang");
      return;
    }
    if (!in_item_) {
      if (Is(name, "sent")) feed_.updated = ParseDate(walk_.Plain());
      if (Is(name, "origin") && feed_.title.empty()) feed_.title = HtmlToLine(walk_.Plain());
      return;
    }
    const std::string_view parent = walk_.parent();
    if (Is(parent, "itemMeta"))
      ItemMeta(name);
    else if (Is(parent, "contentMeta"))
      ContentMeta(name);
    else if (Is(parent, "contentSet"))
      Content(name);
    else if (Is(name, "name"))
      Name(parent);
  }

  void ItemMeta(std::string_view name) {
    if (Is(name, "versionCreated")) entry_.updated = ParseDate(walk_.Plain());
    if (Is(name, "firstCreated")) entry_.published = ParseDate(walk_.Plain());
    if (Is(name, "title") && title_.empty()) title_ = HtmlToLine(walk_.Plain());
    if (Is(name, "pubStatus")) {
      std::string status = walk_.Attribute("qcode");
      if (status.empty()) status = walk_.Attribute("uri");
      cancelled_ = IsCancelled(status);
    }
    if (Is(name, "provider") && entry_.source.title.empty())
      entry_.source.title = HtmlToLine(walk_.Attribute("literal"));
    if (Is(name, "link") && StartsWithIgnoreCase(walk_.Attribute("contenttype"), "text/html"))
      SetLink(walk_.Attribute("href"));
  }

  void ContentMeta(std::string_view name) {
    if (Is(name, "headline") && entry_.title.empty()) entry_.title = HtmlToLine(walk_.Plain());
    if (Is(name, "by") && entry_.author.empty()) entry_.author = HtmlToLine(walk_.Plain());
    if (Is(name, "contentCreated") && !entry_.published)
      entry_.published = ParseDate(walk_.Plain());
    if (Is(name, "slugline") && slug_.empty()) slug_ = HtmlToLine(walk_.Plain());
    if (Is(name, "language")) entry_.language = walk_.Attribute("tag");
    if (Is(name, "keyword"))
      if (std::string word = HtmlToLine(walk_.Plain()); !word.empty())
        entry_.categories.push_back(std::move(word));
    if (Is(name, "description") && entry_.summary.empty()) {
      const std::string text(walk_.Plain());
      AppendEscaped(text, &entry_.summary);
    }
    if (Is(name, "creditline") && entry_.source.title.empty())
      entry_.source.title = HtmlToLine(walk_.Plain());
  }

  void Name(std::string_view parent) {
    if (Is(parent, "subject")) {
      if (std::string word = HtmlToLine(walk_.Plain()); !word.empty())
        entry_.categories.push_back(std::move(word));
    } else if (Is(parent, "provider") && entry_.source.title.empty()) {
      entry_.source.title = HtmlToLine(walk_.Plain());
    } else if (Is(parent, "creator") && entry_.author.empty()) {
      entry_.author = HtmlToLine(walk_.Plain());
    }
  }

  void Content(std::string_view name) {
    if (Is(name, "remoteContent") &&
        StartsWithIgnoreCase(walk_.Attribute("contenttype"), "text/html"))
      SetLink(walk_.Attribute("href"));
    if (!entry_.content.empty()) return;
    if (Is(name, "inlineXML")) {
      const ElementText markup = walk_.Inline();
      if (markup.complete)
        AppendSanitised(BodyOf(markup.text), base_, Markup::kXml, &entry_.content);
    } else if (Is(name, "inlineData")) {
      const std::string type = walk_.Attribute("contenttype");
      const std::string text(walk_.Plain());
      if (type.empty() || StartsWithIgnoreCase(type, "text/plain"))
        AppendEscaped(text, &entry_.content);
      else if (StartsWithIgnoreCase(type, "text/html"))
        AppendSanitised(BodyOf(text), base_, Markup::kHtml, &entry_.content);
    }
  }

  void SetLink(const std::string& href) {
    if (entry_.link.empty() && !href.empty()) entry_.link = ResolveUrl(base_, href);
  }

  void Close() {
    FeedEntry entry = std::exchange(entry_, {});
    const std::string title = std::exchange(title_, {}), slug = std::exchange(slug_, {});
    const bool cancelled = std::exchange(cancelled_, false);
    if (!std::exchange(in_item_, false)) return;
    if (entry.link.empty() && StartsWithIgnoreCase(entry.id, "http")) entry.link = entry.id;
    if (cancelled) {
      feed_.deletions.push_back({std::move(entry.id), std::move(entry.link)});
      return;
    }
    if (entry.title.empty()) entry.title = title.empty() ? slug : title;
    if (!entry.published) entry.published = entry.updated;
    feed_.entries.push_back(std::move(entry));
  }

  XmlWalk walk_;
  const std::string_view base_;
  Feed feed_;
  FeedEntry entry_;
  std::string title_, slug_;  // what stands in for a headline
  bool in_item_ = false;
  bool cancelled_ = false;
};

}  // namespace

bool IsNewsMlRoot(std::string_view root) {
  return Is(root, "newsMessage") || Is(root, "newsItem") || Is(root, "packageItem");
}

base::Result<Feed> ReadNewsMl(std::string_view text, std::string_view base) {
  return NewsMlReader(text, base).Read();
}

}  // namespace racewatch::ingest::feed
