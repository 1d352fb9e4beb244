#include "ingest/feed_list.h"

#include <fstream>
#include <iterator>
#include <pugixml.hpp>
#include <sstream>
#include <unordered_set>

#include "ingest/entry_filter.h"
#include "ingest/feed/charset.h"
#include "ingest/feed_access.h"
#include "racewatch/v1/config.pb.h"

namespace racewatch::ingest {
namespace {

// OPML in the wild spells attributes in any case.
std::string Attribute(const pugi::xml_node& node, std::string_view name) {
  for (const auto& attribute : node.attributes()) {
    const std::string_view n = attribute.name();
    if (n.size() != name.size()) continue;
    bool same = true;
    for (size_t i = 0; i < n.size(); ++i) same = same && (n[i] | 0x20) == (name[i] | 0x20);
    if (same) return attribute.value();
  }
  return {};
}

constexpr size_t kFoldersNamed = 16;  // deeper ones count to the folder above

struct Level {
  pugi::xml_node node;
  std::string folder;
};

FeedSpec ToSpec(const pugi::xml_node& outline, std::string url, const std::string& folder) {
  FeedSpec feed;
  feed.id = feed.url = std::move(url);
  feed.title = Attribute(outline, "title");
  if (feed.title.empty()) feed.title = Attribute(outline, "text");
  feed.folder = folder;
  feed.language = Attribute(outline, "language");
  feed.group = Attribute(outline, "publisherGroup");
  return feed;
}

pugi::xml_node NewOpml(std::string_view title, pugi::xml_document* document) {
  pugi::xml_node opml = document->append_child("opml");
  opml.append_attribute("version") = "2.0";
  opml.append_child("head").append_child("title").text() = std::string(title).c_str();
  return opml.append_child("body");
}

void Append(const FeedSpec& feed, pugi::xml_node* body) {
  pugi::xml_node parent = *body;
  if (!feed.folder.empty()) {
    parent = body->find_child_by_attribute("outline", "text", feed.folder.c_str());
    if (!parent) {
      parent = body->append_child("outline");
      parent.append_attribute("text") = feed.folder.c_str();
    }
  }
  pugi::xml_node outline = parent.append_child("outline");
  outline.append_attribute("type") = "rss";
  outline.append_attribute("text") = (feed.title.empty() ? feed.url : feed.title).c_str();
  outline.append_attribute("xmlUrl") = feed.url.c_str();
  if (!feed.language.empty()) outline.append_attribute("language") = feed.language.c_str();
  if (!feed.group.empty()) outline.append_attribute("publisherGroup") = feed.group.c_str();
}

std::string ToString(const pugi::xml_document& document) {
  std::ostringstream out;
  document.save(out, "  ");
  return out.str();
}

}  // namespace

bool FeedSpec::is_file() const { return url.size() > 5 && (url.starts_with("file:") || url.starts_with("FILE:")); }

base::Result<std::vector<FeedSpec>> ParseOpml(std::string_view bytes) {
  pugi::xml_document document;
  std::string buffer;
  const std::string_view text = feed::DecodeText(bytes, "", &buffer).text;  // lists come in as many charsets as feeds
  const auto parsed = document.load_buffer(text.data(), text.size(), pugi::parse_default, pugi::encoding_utf8);
  const pugi::xml_node body = document.child("opml").child("body");
  if (!body) return base::InvalidArgument(parsed ? "no opml/body element" : std::string(parsed.description()) + " at byte " + std::to_string(parsed.offset));
  std::vector<FeedSpec> feeds;
  std::vector<Level> stack = {{body.first_child(), ""}};  // an explicit stack: nesting is the author's choice
  while (!stack.empty()) {
    Level& level = stack.back();
    const pugi::xml_node node = level.node;
    if (!node) {
      stack.pop_back();
      continue;
    }
    level.node = node.next_sibling();
    if (std::string_view(node.name()) != "outline") continue;
    const std::string folder = level.folder;
    std::string url = Attribute(node, "xmlUrl");
    const bool is_feed = !url.empty();
    if (is_feed) feeds.push_back(ToSpec(node, std::move(url), folder));
    if (node.first_child()) {  // some lists hang feeds below a feed
      std::string name = Attribute(node, "text");
      if (name.empty()) name = Attribute(node, "title");
      const bool named = !is_feed && !name.empty() && stack.size() <= kFoldersNamed;
      stack.push_back({node.first_child(), !named ? folder : folder.empty() ? name : folder + "/" + name});
    }
  }
  return feeds;
}

std::string WriteOpml(const std::vector<FeedSpec>& feeds, std::string_view title) {
  pugi::xml_document document;
  pugi::xml_node body = NewOpml(title, &document);
  for (const FeedSpec& feed : feeds) Append(feed, &body);
  return ToString(document);
}

base::Result<std::string> AddToOpml(std::string_view list, const std::vector<FeedSpec>& feeds, size_t* added) {
  *added = 0;
  std::unordered_set<std::string> known;
  pugi::xml_document document;
  pugi::xml_node body;
  if (list.empty()) {
    body = NewOpml("racewatch feeds", &document);
  } else {
    std::string buffer;
    const std::string_view text = feed::DecodeText(list, "", &buffer).text;
    const auto parsed = document.load_buffer(text.data(), text.size(), pugi::parse_full, pugi::encoding_utf8);
    if (!parsed) return base::InvalidArgument(std::string(parsed.description()) + " at byte " + std::to_string(parsed.offset));
    if (pugi::xml_node head = document.first_child(); head.type() == pugi::node_declaration && head.attribute("encoding"))
      head.attribute("encoding") = "UTF-8";
    body = document.child("opml").child("body");
    RW_ASSIGN_OR_RETURN(const std::vector<FeedSpec> listed, ParseOpml(list));
    for (const FeedSpec& feed : listed) known.insert(feed.url);
  }
  for (const FeedSpec& feed : feeds) {
    if (!known.insert(feed.url).second) continue;
    Append(feed, &body);
    ++*added;
  }
  return ToString(document);
}

base::Result<std::vector<FeedSpec>> ReadFeedList(const v1::IngestConfig& config) {
  std::vector<FeedSpec> all;
  for (const v1::FeedConfig& f : config.feeds()) {
    FeedSpec feed;
    feed.id = feed.url = f.url();
    feed.title = f.title();
    feed.group = f.publisher_group();
    feed.language = f.language();
    feed.interval_s = f.interval_s();
    feed.fetch_pages = feed.is_file() ? f.fetch_pages() : true;
    feed.link_selector = f.link_selector();
    if (f.has_access()) {
      auto access = ReadFeedAccess(f.access());
      if (!access.ok()) return access.status().Annotate("feed " + f.url());
      feed.access = std::make_shared<const FeedAccess>(std::move(*access));
    }
    if (f.include_size() + f.exclude_size() > 0) {
      auto filter = EntryFilter::Compile(f.include(), f.exclude());
      if (!filter.ok()) return filter.status().Annotate("feed " + f.url());
      feed.filter = std::make_shared<const EntryFilter>(std::move(*filter));
    }
    all.push_back(std::move(feed));
  }
  for (const std::string& path : config.opml()) {
    std::ifstream in(path, std::ios::binary);
    if (!in) return base::NotFound("feed list " + path + ": cannot be read");
    const std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    auto feeds = ParseOpml(bytes);
    if (!feeds.ok()) return feeds.status().Annotate("feed list " + path);
    for (FeedSpec& feed : *feeds) {
      feed.fetch_pages = !feed.is_file();
      all.push_back(std::move(feed));
    }
  }
  std::vector<FeedSpec> unique;
  std::unordered_set<std::string> seen;
  for (FeedSpec& feed : all)
    if (seen.insert(feed.id).second) unique.push_back(std::move(feed));
  return unique;
}

}  // namespace racewatch::ingest
