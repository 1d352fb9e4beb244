#include "ingest/feed/json_feed.h"

#include <simdjson.h>

#include <utility>

#include "ingest/feed/ascii.h"
#include "ingest/feed/dates.h"
#include "ingest/feed/entities.h"
#include "ingest/feed/html_text.h"
#include "ingest/feed/links.h"
#include "ingest/feed/ninjs.h"
#include "ingest/feed/sanitise.h"
#include "ingest/feed/text_type.h"

namespace racewatch::ingest::feed {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;

std::string String(const object& from, std::string_view key) {
  std::string_view text;
  if (from[key].get(text) == simdjson::SUCCESS) return std::string(text);
  int64_t number = 0;  // ids are numbers now and then
  if (from[key].get(number) == simdjson::SUCCESS) return std::to_string(number);
  return {};
}

std::string Html(const object& from, std::string_view html_key, std::string_view text_key,
                 std::string_view base) {
  std::string out;
  if (const std::string html = String(from, html_key); !html.empty())
    AppendSanitised(html, base, Markup::kHtml, &out);
  else
    AppendEscaped(String(from, text_key), &out);
  return out;
}

// 1.1 has "authors", 1.0 "author".
std::string Author(const object& from) {
  object person;
  if (from["authors"].at(0).get(person) == simdjson::SUCCESS ||
      from["author"].get(person) == simdjson::SUCCESS)
    return Collapse(String(person, "name"));
  return {};
}

std::optional<FeedTime> Date(const object& from, std::string_view key) {
  return ParseDate(String(from, key));
}

FeedEntry ReadItem(const object& item, std::string_view base) {
  FeedEntry entry;
  entry.id = String(item, "id");
  entry.title = Collapse(String(item, "title"));
  std::string link = String(item, "url");
  if (link.empty()) link = String(item, "external_url");
  if (link.empty() && StartsWithIgnoreCase(entry.id, "http")) link = entry.id;
  if (!link.empty()) entry.link = ResolveUrl(base, link);
  entry.published = Date(item, "date_published");
  entry.updated = Date(item, "date_modified");
  entry.author = Author(item);
  entry.language = String(item, "language");
  AppendEscaped(String(item, "summary"), &entry.summary);
  entry.content = Html(item, "content_html", "content_text", base);
  simdjson::dom::array list;
  if (item["tags"].get(list) == simdjson::SUCCESS)
    for (const element tag : list)
      if (std::string_view text; tag.get(text) == simdjson::SUCCESS)
        entry.categories.emplace_back(Collapse(text));
  if (item["attachments"].get(list) == simdjson::SUCCESS)
    for (const element one : list)
      if (object attachment;
          one.get(attachment) == simdjson::SUCCESS && !String(attachment, "url").empty())
        entry.enclosures.push_back({ResolveUrl(base, String(attachment, "url")),
                                    String(attachment, "mime_type"),
                                    String(attachment, "size_in_bytes")});
  return entry;
}

base::Result<Feed> ReadRoot(const object& root, std::string_view base) {
  Feed feed;
  const std::string version = String(root, "version");
  simdjson::dom::array items;
  const bool has_items = root["items"].get(items) == simdjson::SUCCESS;
  if (version.find("jsonfeed.org") == std::string::npos &&
      !(has_items && !String(root, "title").empty()))
    return base::InvalidArgument("no feed: a JSON object that is no JSON Feed");
  feed.format = version.ends_with("/1") ? FeedFormat::kJson10 : FeedFormat::kJson11;
  feed.title = Collapse(String(root, "title"));
  if (const std::string home = String(root, "home_page_url"); !home.empty())
    feed.link = ResolveUrl(base, home);
  if (const std::string self = String(root, "feed_url"); !self.empty())
    feed.self_link = ResolveUrl(base, self);
  AppendEscaped(String(root, "description"), &feed.description);
  feed.language = String(root, "language");
  feed.author = Author(root);
  simdjson::dom::array hubs;
  if (root["hubs"].get(hubs) == simdjson::SUCCESS)
    for (const element one : hubs)
      if (object hub; one.get(hub) == simdjson::SUCCESS && !String(hub, "url").empty())
        feed.hubs.push_back(ResolveUrl(base, String(hub, "url")));
  if (has_items)
    for (const element one : items)
      if (object item; one.get(item) == simdjson::SUCCESS)
        feed.entries.push_back(ReadItem(item, base));
  return feed;
}

// `text` up to the last complete object of a list in the root object, or of a root that is a list,
// with the brackets closed; empty when there is none.
std::string MendCut(std::string_view text) {
  const bool list = Trim(text.substr(0, 4096)).starts_with('[');
  const int item_depth = list ? 1 : 2;
  int depth = 0;
  bool in_string = false;
  size_t last = 0;
  for (size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (in_string) {
      if (c == '\\')
        ++at;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']') {
      --depth;
      if (c == '}' && depth == item_depth) last = at + 1;
    }
  }
  return last == 0 ? std::string() : std::string(text.substr(0, last)) + (list ? "]" : "]}");
}

}  // namespace

bool IsJson(std::string_view text) {
  text = Trim(text.substr(0, 4096));
  return text.starts_with('{') || text.starts_with('[');
}

base::Result<Feed> ReadJsonFeed(std::string_view text, std::string_view base) {
  simdjson::dom::parser parser;
  element document;
  bool cut = false;
  if (parser.parse(text.data(), text.size()).get(document) != simdjson::SUCCESS) {
    const std::string mended = MendCut(text);
    cut = true;
    if (mended.empty() || parser.parse(mended).get(document) != simdjson::SUCCESS)
      return base::InvalidArgument("no feed: broken JSON");
  }
  if (auto ninjs = ReadNinjs(document, base)) {
    ninjs->truncated = cut;
    return *std::move(ninjs);
  }
  object root;
  if (document.get(root) != simdjson::SUCCESS) return base::InvalidArgument("no feed: a JSON array that holds no news items");
  auto feed = ReadRoot(root, base);
  if (feed.ok()) feed->truncated = cut;
  return feed;
}

}  // namespace racewatch::ingest::feed
