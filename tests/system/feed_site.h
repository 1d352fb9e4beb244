// A news site for system tests: RSS feeds on loopback that grow as the test publishes, with full texts.
// One server thread pool; publish and edit from the test's thread. Every feed lists every item it has,
// newest last, so an ingest that was dead finds what it missed.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace racewatch::system_test {

struct SiteItem {
  std::string link;
  std::string title;
  std::vector<std::string> paragraphs;
  int64_t published_s = 0;
};

class FeedSite {
 public:
  explicit FeedSite(size_t feeds);
  ~FeedSite();

  int port() const;
  size_t feeds() const;
  std::string Url(size_t feed) const;

  // Adds the item to the feed, or replaces the one with the same link.
  void Publish(size_t feed, const SiteItem& item);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace racewatch::system_test
