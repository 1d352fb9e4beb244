// The loop's side of a shared feed list (feed_share.h): which partitions are ours, what others have learned, the rows we
// write for them, and the claim that goes out before each fetch, so that whoever takes a feed over from a dead process
// keeps its interval. Loop thread only. Feeds of one registrable domain lie in one partition, so that the limits of a
// host are kept by one process; loopback hosts, which are not spaced, are spread by feed.
// Errors: of the seen-set's disk, and FAILED_PRECONDITION when another instance fenced this one.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/bus/sink.h"
#include "base/clock.h"
#include "base/log.h"
#include "ingest/feed_list.h"
#include "ingest/feed_share.h"
#include "ingest/ingest_metrics.h"
#include "ingest/outbox.h"
#include "ingest/seen_set.h"

namespace racewatch::ingest {

class SharedFeeds {
 public:
  struct Hooks {
    std::function<void(uint64_t feed)> claimed;          // the claim is acknowledged: fetch
    std::function<void()> assignment_changed;            // ask Owns again for every feed
    std::function<bool(int32_t partition)> in_use;       // a fetch or a document of this partition is on its way
    std::function<void(const v1::FeedState&)> state;     // another process wrote it
    std::function<void(const v1::ListedFeed&)> listed;
  };

  // All references outlive this object.
  SharedFeeds(SeenSet& seen, base::Sink& sink, const base::Clock& clock, IngestMetrics& metrics, base::Log& log,
              std::function<void()> wake, Hooks hooks);
  ~SharedFeeds();

  FeedShare& share() { return share_; }
  // Goes on where the seen-set stopped reading.
  base::Status Start();
  // Leaves the group. After it nothing is ours.
  void Stop();

  // What came in since the last call. Once per round of the loop.
  base::Status Step();

  // The key that partitions feeds.
  static uint64_t KeyOf(const FeedSpec& spec);
  int32_t PartitionOf(uint64_t key) const;
  // Ours, and everything that is known of it has been read: may be fetched.
  bool Owns(int32_t partition) const { return owned_.contains(partition); }
  // Ours, or being handed over: what is on its way may still be written.
  bool MayWrite(int32_t partition) const { return owned_.contains(partition) || releasing_.contains(partition); }
  bool MayFetch() const { return share_.MayFetch(); }

  void Claim(uint64_t feed, int32_t partition, const v1::FeedState& state);
  void Publish(int32_t partition, const SeenUpdate& update);

  size_t claims() const { return claims_.size(); }
  bool blocked() const { return outbox_.blocked(); }
  bool busy() const { return outbox_.in_flight() > 0 || !taking_.empty(); }

 private:
  base::Status OnRows(const std::vector<base::Record>& rows);
  void OnAssigned(const std::map<int32_t, int64_t>& until);
  void OnRevoked(const std::vector<int32_t>& partitions, bool lost);
  void FinishTaking();
  void FinishReleasing();
  void Send(int32_t partition, SeenRow row, uint64_t ticket);

  SeenSet& seen_;
  const base::Clock& clock_;
  IngestMetrics& metrics_;
  base::Log& log_;
  const Hooks hooks_;
  FeedShare share_;
  Outbox outbox_;
  v1::SharedPositions positions_;
  std::set<int32_t> owned_;
  std::map<int32_t, int64_t> taking_;  // assigned, still to be read up to this offset
  std::set<int32_t> releasing_;
  std::unordered_map<uint64_t, uint64_t> claims_;  // ticket → feed
  uint64_t next_ticket_ = 1;
};

}  // namespace racewatch::ingest
