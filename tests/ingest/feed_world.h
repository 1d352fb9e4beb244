// A news web for the simulated day: thousands of feeds on made-up hosts behind one loopback server, each with a rhythm of
// publication, a length of its list and a way to behave. Everything follows from the number of a feed and from the clock,
// which the test moves. One server thread; the test reads the tallies while nothing is in flight.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"

namespace racewatch::ingest {

enum class Habit {
  kEtag,
  kLastModified,
  kNoValidators,  // every answer is a whole document
  kLying,         // one ETag for ever
  kFlaky,         // 500 now and then
  kThrottling,    // 429 with Retry-After when asked twice in half an hour
  kSlow,
  kMoved,         // 301 to another host
  kGone,
  kHtml,          // a page in place of the feed
};
std::string HabitName(Habit habit);

struct WorldFeed {
  std::string host;
  std::string path;
  Habit habit = Habit::kEtag;
  size_t listed = 0;                   // entries in its document
  std::vector<base::UnixMs> items;     // times of publication, ascending, before and during the day
  bool readable() const { return habit != Habit::kGone && habit != Habit::kHtml; }
  std::string url() const { return "http://" + host + path; }
};

// What the servers saw.
struct WorldTally {
  uint64_t requests = 0;
  uint64_t not_modified = 0;
  uint64_t with_news = 0;  // 200 with entries not shown to this client before
  uint64_t same_again = 0;
  std::map<int, uint64_t> other;           // by status
  std::map<Habit, uint64_t> useless;       // requests that were neither 304 nor news
  int64_t closest_ms = INT64_MAX;          // two requests to one host
  std::string closest_host;
};

class FeedWorld {
 public:
  // Publication goes on until `end_ms`; the clock outlives the world.
  FeedWorld(size_t feeds, base::UnixMs start_ms, base::UnixMs end_ms, const base::Clock& clock);
  ~FeedWorld();

  const std::vector<WorldFeed>& feeds() const;
  std::string address() const;
  static std::string Title(size_t feed, size_t item);

  // The oldest entry that stood in the feed's list when it was first read; 0: it never was.
  size_t OldestShown(size_t number) const;

  // Tallies since the last reset; distances between requests are kept over it.
  WorldTally tally() const;
  void ResetTally();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace racewatch::ingest
