#include "ingest/feed/ninjs.h"

#include <simdjson.h>

#include <initializer_list>
#include <utility>

#include "ingest/feed/ascii.h"
#include "ingest/feed/dates.h"
#include "ingest/feed/entities.h"
#include "ingest/feed/html_text.h"
#include "ingest/feed/links.h"
#include "ingest/feed/sanitise.h"
#include "ingest/feed/text_type.h"

namespace racewatch::ingest::feed {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

std::string String(const object& from, std::string_view key) {
  std::string_view text;
  return from[key].get(text) == simdjson::SUCCESS ? std::string(text) : std::string();
}

// Versions spell members in lower case (1.x, 2.x) or camel case (3.x).
std::string First(const object& from, std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys)
    if (std::string text = String(from, key); !text.empty()) return text;
  return {};
}

// 2.x and 3.x: [{"role", "value", "contenttype"}]; the one with role "main", else the first.
std::optional<object> MainOf(const object& from, std::string_view key) {
  array list;
  if (from[key].get(list) != simdjson::SUCCESS) return std::nullopt;
  std::optional<object> main;
  for (const element one : list) {
    object value;
    if (one.get(value) != simdjson::SUCCESS || String(value, "value").empty()) continue;
    if (!main || String(value, "role") == "main") main = value;
  }
  return main;
}

bool IsItem(const object& item) {
  if (String(item, "uri").empty()) return false;
  element ignored;
  for (const std::string_view key : {"headline", "headlines", "body_text", "body_xhtml", "body_html", "bodies", "pubstatus",
                                     "pubStatus", "versioncreated", "versionCreated"})
    if (item[key].get(ignored) == simdjson::SUCCESS) return true;
  return false;
}

void ReadNames(const object& item, std::string_view key, std::vector<std::string>* out) {
  array list;
  if (item[key].get(list) != simdjson::SUCCESS) return;
  for (const element one : list)
    if (object named; one.get(named) == simdjson::SUCCESS)
      if (std::string name = Collapse(String(named, "name")); !name.empty())
        out->push_back(std::move(name));
}

void ReadBody(const object& item, std::string_view base, FeedEntry* entry) {
  std::string html = First(item, {"body_xhtml", "body_html"});
  std::string text = String(item, "body_text");
  if (const auto body = MainOf(item, "bodies")) {
    const std::string type = First(*body, {"contenttype", "contentType"});
    const bool plain = StartsWithIgnoreCase(type, "text/plain");
    (plain ? text : html) = String(*body, "value");
  }
  if (!html.empty())
    AppendSanitised(html, base, Markup::kHtml, &entry->content);
  else
    AppendEscaped(text, &entry->content);
}

FeedEntry ReadItem(const object& item, std::string_view base) {
  FeedEntry entry;
  entry.id = String(item, "uri");
  entry.title = String(item, "headline");
  if (const auto headline = MainOf(item, "headlines")) entry.title = String(*headline, "value");
  if (entry.title.empty()) entry.title = First(item, {"title", "slugline"});
  entry.title = HtmlToLine(entry.title);
  std::string link = First(item, {"url", "link"});
  if (link.empty() && StartsWithIgnoreCase(entry.id, "http")) link = entry.id;
  if (!link.empty()) entry.link = ResolveUrl(base, link);
  entry.published = ParseDate(First(item, {"firstcreated", "firstCreated", "contentcreated", "contentCreated"}));
  entry.updated = ParseDate(First(item, {"versioncreated", "versionCreated"}));
  if (!entry.published) entry.published = entry.updated;
  entry.author = Collapse(String(item, "byline"));
  entry.language = String(item, "language");
  std::string summary = First(item, {"description_text", "description_xhtml", "description_html"});
  if (const auto description = MainOf(item, "descriptions")) summary = String(*description, "value");
  AppendSanitised(summary, base, Markup::kHtml, &entry.summary);
  ReadBody(item, base, &entry);
  ReadNames(item, "subject", &entry.categories);
  ReadNames(item, "subjects", &entry.categories);
  entry.source.title = Collapse(First(item, {"copyrightholder", "copyrightHolder"}));
  return entry;
}

void Add(const object& item, std::string_view base, Feed* feed) {
  const std::string status = First(item, {"pubstatus", "pubStatus"});
  FeedEntry entry = ReadItem(item, base);
  if (status == "canceled" || status == "cancelled")
    feed->deletions.push_back({std::move(entry.id), std::move(entry.link)});
  else
    feed->entries.push_back(std::move(entry));
}

bool AddAll(const element& list, std::string_view base, Feed* feed) {
  array items;
  if (list.get(items) != simdjson::SUCCESS) return false;
  bool any = false;
  for (const element one : items) {
    object item;
    if (one.get(item) != simdjson::SUCCESS || !IsItem(item)) continue;
    any = true;
    Add(item, base, feed);
  }
  return any;
}

}  // namespace

std::optional<Feed> ReadNinjs(const element& root, std::string_view base) {
  Feed feed;
  feed.format = FeedFormat::kNinjs;
  if (AddAll(root, base, &feed)) return feed;
  object top;
  if (root.get(top) != simdjson::SUCCESS) return std::nullopt;
  if (IsItem(top)) {
    Add(top, base, &feed);
    return feed;
  }
  for (const std::string_view key : {"items", "associations", "results", "docs"})
    if (element list; top[key].get(list) == simdjson::SUCCESS && AddAll(list, base, &feed)) {
      feed.title = HtmlToLine(First(top, {"headline", "title"}));
      return feed;
    }
  return std::nullopt;
}

}  // namespace racewatch::ingest::feed
