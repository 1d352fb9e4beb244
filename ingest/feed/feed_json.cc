#include "ingest/feed/feed_json.h"

#include <optional>

#include "ingest/feed/byte_scan.h"
#include "ingest/feed/dates.h"

namespace racewatch::ingest {
namespace {

// Writes members of one JSON object; absent values are skipped.
class ObjectWriter {
 public:
  explicit ObjectWriter(std::string* out) : out_(out) { out_->push_back('{'); }
  void Close() { out_->push_back('}'); }

  void Key(std::string_view name) {
    if (!first_) out_->push_back(',');
    first_ = false;
    out_->push_back('"');
    out_->append(name).append("\":");
  }
  void Text(std::string_view name, std::string_view value) {
    if (value.empty()) return;
    Key(name);
    AppendJsonString(value, out_);
  }
  void Number(std::string_view name, std::optional<int64_t> value) {
    if (!value) return;
    Key(name);
    out_->append(std::to_string(*value));
  }
  void Time(std::string_view name, const std::optional<FeedTime>& time) {
    if (time) Text(name, feed::FormatTime(*time));
  }

 private:
  std::string* out_;
  bool first_ = true;
};

void AppendLists(const FeedEntry& entry, ObjectWriter* object, std::string* out) {
  if (!entry.categories.empty()) {
    object->Key("categories");
    char separator = '[';
    for (const std::string& category : entry.categories) {
      out->push_back(separator);
      AppendJsonString(category, out);
      separator = ',';
    }
    out->push_back(']');
  }
  if (entry.enclosures.empty()) return;
  object->Key("enclosures");
  char separator = '[';
  for (const FeedEnclosure& enclosure : entry.enclosures) {
    out->push_back(separator);
    ObjectWriter inner(out);
    inner.Text("url", enclosure.url);
    inner.Text("type", enclosure.type);
    inner.Text("length", enclosure.length);
    inner.Close();
    separator = ',';
  }
  out->push_back(']');
}

void AppendEntry(const FeedEntry& entry, std::string* out) {
  ObjectWriter object(out);
  object.Text("id", entry.id);
  object.Text("title", entry.title);
  object.Text("link", entry.link);
  object.Time("published", entry.published);
  if (entry.published)
    object.Text("published_precision", TimePrecisionName(entry.published->precision));
  object.Time("updated", entry.updated);
  object.Text("author", entry.author);
  object.Text("summary", entry.summary);
  object.Text("content", entry.content);
  object.Text("language", entry.language);
  AppendLists(entry, &object, out);
  if (!entry.source.title.empty() || !entry.source.link.empty()) {
    object.Key("source");
    ObjectWriter inner(out);
    inner.Text("title", entry.source.title);
    inner.Text("link", entry.source.link);
    inner.Close();
  }
  object.Close();
}

// What a sitemap index lists, and what the publisher took back.
void AppendChildren(const Feed& feed, ObjectWriter* object, std::string* out) {
  if (!feed.children.empty()) {
    object->Key("children");
    char separator = '[';
    for (const FeedChild& child : feed.children) {
      out->push_back(separator);
      ObjectWriter inner(out);
      inner.Text("link", child.link);
      inner.Time("updated", child.updated);
      inner.Close();
      separator = ',';
    }
    out->push_back(']');
  }
  if (feed.deletions.empty()) return;
  object->Key("deletions");
  char separator = '[';
  for (const FeedDeletion& deletion : feed.deletions) {
    out->push_back(separator);
    ObjectWriter inner(out);
    inner.Text("id", deletion.id);
    inner.Text("link", deletion.link);
    inner.Close();
    separator = ',';
  }
  out->push_back(']');
}

}  // namespace

void AppendJsonString(std::string_view text, std::string* out) {
  out->push_back('"');
  feed::AppendJsonEscaped(text, out);
  out->push_back('"');
}

void AppendFeedJson(const Feed& feed, std::string_view file, std::string* out) {
  ObjectWriter object(out);
  object.Text("file", file);
  object.Key("feed");
  ObjectWriter head(out);
  head.Text("format", FeedFormatName(feed.format));
  head.Text("title", feed.title);
  head.Text("link", feed.link);
  head.Text("description", feed.description);
  head.Text("language", feed.language);
  head.Time("updated", feed.updated);
  head.Number("ttl_s", feed.ttl_s);
  head.Close();
  object.Key("entries");
  out->push_back('[');
  for (size_t i = 0; i < feed.entries.size(); ++i) {
    if (i > 0) out->push_back(',');
    AppendEntry(feed.entries[i], out);
  }
  out->push_back(']');
  AppendChildren(feed, &object, out);
  object.Close();
}

}  // namespace racewatch::ingest
