// Small documents for the tests of the feed room.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "ingest/feed/feed_parser.h"

namespace racewatch::ingest {

// An RSS 2.0 document around `items`, with the common namespaces declared.
inline std::string Rss(std::string_view items) {
  return std::string(
             "<?xml version=\"1.0\"?><rss version=\"2.0\" "
             "xmlns:dc=\"http://purl.org/dc/elements/1.1/\" "
             "xmlns:content=\"http://purl.org/rss/1.0/modules/content/\" "
             "xmlns:media=\"http://search.yahoo.com/mrss/\"><channel><title>Chip Desk</title>"
             "<link>https://desk.example/</link>") +
         std::string(items) + "</channel></rss>";
}

inline std::string Item(std::string_view inside) {
  return "<item>" + std::string(inside) + "</item>";
}

inline std::string Atom(std::string_view entries) {
  return "<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>Policy Wire</title>" +
         std::string(entries) + "</feed>";
}

inline std::string Entry(std::string_view inside) {
  return "<entry>" + std::string(inside) + "</entry>";
}

// The feed, or a test failure and an empty one.
inline Feed MustParse(std::string_view bytes, const ParseOptions& options = {}) {
  auto feed = ParseFeed(bytes, options);
  if (!feed.ok()) {
    ADD_FAILURE() << feed.status().ToString();
    return {};
  }
  return *std::move(feed);
}

// The first entry of the feed; a test failure when there is none.
inline FeedEntry FirstEntry(std::string_view bytes, const ParseOptions& options = {}) {
  Feed feed = MustParse(bytes, options);
  if (feed.entries.empty()) {
    ADD_FAILURE() << "no entry in " << bytes.substr(0, 300);
    return {};
  }
  return feed.entries[0];
}

inline FeedEntry FirstItem(std::string_view inside) { return FirstEntry(Rss(Item(inside))); }

}  // namespace racewatch::ingest
