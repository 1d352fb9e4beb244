#include "store/syndication/document.h"

#define XXH_INLINE_ALL
#include <google/protobuf/util/time_util.h>
#include <xxhash.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <pugixml.hpp>
#include <sstream>

namespace racewatch::store {
namespace {

using Json = nlohmann::ordered_json;
using google::protobuf::util::TimeUtil;

std::string Time(base::UnixMs ms) { return TimeUtil::ToString(TimeUtil::MillisecondsToTimestamp(ms)); }

base::UnixMs UpdatedOf(const SyndicationFeed& feed) {
  base::UnixMs latest = 0;
  for (const SyndicationEntry& entry : feed.entries) latest = std::max(latest, entry.updated);
  return latest;
}

// XML 1.0 has no place for control characters, nor for U+FFFE and U+FFFF.
std::string ForXml(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') continue;
    if (const auto three = text.substr(i, 3); three == "\xef\xbf\xbe" || three == "\xef\xbf\xbf") {
      i += 2;
      continue;
    }
    out.push_back(text[i]);
  }
  return out;
}

void AddText(pugi::xml_node parent, const char* name, std::string_view text, const char* type = nullptr) {
  pugi::xml_node node = parent.append_child(name);
  if (type) node.append_attribute("type") = type;
  node.text() = ForXml(text).c_str();
}

void AddLink(pugi::xml_node parent, const char* rel, const std::string& url, const char* type = nullptr) {
  if (url.empty()) return;
  pugi::xml_node node = parent.append_child("link");
  node.append_attribute("rel") = rel;
  if (type) node.append_attribute("type") = type;
  node.append_attribute("href") = ForXml(url).c_str();
}

void AddEntry(pugi::xml_node feed, const SyndicationEntry& entry) {
  pugi::xml_node node = feed.append_child("entry");
  if (!entry.language.empty()) node.append_attribute("xml:lang") = entry.language.c_str();
  AddText(node, "id", entry.id);
  AddText(node, "title", entry.title);
  AddText(node, "updated", Time(entry.updated));
  if (entry.published) AddText(node, "published", Time(*entry.published));
  AddText(node.append_child("author"), "name", entry.author);
  AddLink(node, "alternate", entry.url);
  for (const std::string& tag : entry.tags) node.append_child("category").append_attribute("term") = ForXml(tag).c_str();
  if (!entry.html.empty()) AddText(node, "content", entry.html, "html");
  // Without a link to read on, the entry must hold what there is (RFC 4287, 4.1.2).
  else if (entry.url.empty()) AddText(node, "content", entry.summary, "text");
  if (!entry.summary.empty() && (!entry.url.empty() || !entry.html.empty())) AddText(node, "summary", entry.summary, "text");
}

std::string Print(const pugi::xml_document& document) {
  std::ostringstream out;
  document.save(out, "", pugi::format_raw, pugi::encoding_utf8);
  return out.str() + "\n";
}

void AddDeclaration(pugi::xml_document* document) {
  pugi::xml_node declaration = document->append_child(pugi::node_declaration);
  declaration.append_attribute("version") = "1.0";
  declaration.append_attribute("encoding") = "utf-8";
}

Json ItemOf(const SyndicationEntry& entry) {
  Json item{{"id", entry.id}};
  if (!entry.url.empty()) item["url"] = entry.url;
  item["title"] = entry.title;
  item[entry.html.empty() ? "content_text" : "content_html"] = entry.html.empty() ? entry.summary : entry.html;
  if (!entry.html.empty() && !entry.summary.empty()) item["summary"] = entry.summary;
  if (entry.published) item["date_published"] = Time(*entry.published);
  item["date_modified"] = Time(entry.updated);
  item["authors"] = Json::array({{{"name", entry.author}}});
  if (!entry.language.empty()) item["language"] = entry.language;
  item["tags"] = entry.tags;
  return item;
}

}  // namespace

std::string ToAtom(const SyndicationFeed& feed) {
  pugi::xml_document document;
  AddDeclaration(&document);
  pugi::xml_node root = document.append_child("feed");
  root.append_attribute("xmlns") = "http://www.w3.org/2005/Atom";
  AddText(root, "id", feed.id);
  AddText(root, "title", feed.title);
  AddText(root, "subtitle", feed.description);
  AddText(root, "updated", Time(UpdatedOf(feed)));
  AddText(root.append_child("author"), "name", "racewatch");
  AddText(root, "generator", "racewatch");
  AddLink(root, "self", feed.self_url, "application/atom+xml");
  AddLink(root, "alternate", feed.home_url, "text/html");
  AddLink(root, "first", feed.first_url, "application/atom+xml");
  AddLink(root, "next", feed.next_url, "application/atom+xml");
  for (const SyndicationEntry& entry : feed.entries) AddEntry(root, entry);
  return Print(document);
}

std::string ToJsonFeed(const SyndicationFeed& feed) {
  Json out{{"version", "https://jsonfeed.org/version/1.1"},
           {"title", feed.title},
           {"home_page_url", feed.home_url},
           {"feed_url", feed.self_url},
           {"description", feed.description}};
  if (!feed.next_url.empty()) out["next_url"] = feed.next_url;
  out["authors"] = Json::array({{{"name", "racewatch"}}});
  out["items"] = Json::array();
  for (const SyndicationEntry& entry : feed.entries) out["items"].push_back(ItemOf(entry));
  return out.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string ToOpml(std::string_view title, const std::vector<StreamLink>& streams) {
  pugi::xml_document document;
  AddDeclaration(&document);
  pugi::xml_node root = document.append_child("opml");
  root.append_attribute("version") = "2.0";
  AddText(root.append_child("head"), "title", title);
  pugi::xml_node body = root.append_child("body");
  for (const StreamLink& stream : streams) {
    pugi::xml_node outline = body.append_child("outline");
    outline.append_attribute("type") = "rss";  // OPML's word for every kind of feed
    outline.append_attribute("text") = ForXml(stream.title).c_str();
    outline.append_attribute("xmlUrl") = ForXml(stream.url).c_str();
  }
  return Print(document);
}

std::string UrnOfHex(std::string_view hex) {
  std::string urn = "urn:uuid:";
  for (size_t i = 0; i < hex.size(); ++i) {
    if (i == 8 || i == 12 || i == 16 || i == 20) urn.push_back('-');
    urn.push_back(hex[i]);
  }
  return urn;
}

std::string UrnOfText(std::string_view text) {
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  char hex[33];
  std::snprintf(hex, sizeof hex, "%016llx%016llx", static_cast<unsigned long long>(hash.high64),
                static_cast<unsigned long long>(hash.low64));
  return UrnOfHex(hex);
}

std::string EscapeHtml(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') out += "&amp;";
    else if (c == '<') out += "&lt;";
    else if (c == '>') out += "&gt;";
    else if (c == '"') out += "&quot;";
    else out.push_back(c);
  }
  return out;
}

}  // namespace racewatch::store
