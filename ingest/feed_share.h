// How several ingest processes share one feed list: the compacted topic racewatch.feeds.v1 is the seen-set as a log.
// Each of its records is one row of the seen-set (same key, same value), in the partition of its feed. Every process
// reads all of it into its own seen-set, so that each knows what all have sent; membership of a consumer group over the
// same partitions says who fetches which feeds. A partition that is taken over is fetched only when everything that lay
// in it at that moment has been read.
//
// Two sources, one thread of its own that owns both. The loop takes what came in (Take), and answers a request to let
// partitions go with Released. A process that stood still (SIGSTOP, a long swap) starts no fetch before its membership
// can have been checked again (MayFetch). Sources outlive the share. Errors of the bus are passing: they are logged and
// tried again; being fenced ends the share, and `fatal` says so.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/bus/source.h"
#include "base/log.h"
#include "base/status.h"

namespace racewatch::ingest {

class FeedShare final : public base::AssignmentListener {
 public:
  struct Event {
    enum class Kind { kRows, kAssigned, kRevoked };
    Kind kind = Kind::kRows;
    std::vector<base::Record> rows;       // kRows, in offset order per partition
    std::map<int32_t, int64_t> until;     // kAssigned: partition → end of its log at that moment; -1: it is empty
    std::vector<int32_t> partitions;      // kRevoked
    bool lost = false;                    // kRevoked: somebody else has them already; no answer is waited for
  };
  // Where reading goes on: next offset by partition, valid under `cluster_id` only.
  struct Positions {
    std::string cluster_id;
    std::map<int32_t, int64_t> next;
  };

  FeedShare(base::Log& log, std::function<void()> wake);
  ~FeedShare() override;

  // `membership`: with a group and this object as listener. `rows`: without a group, its listener RowsListener().
  void SetSources(base::Source& membership, base::Source& rows);
  base::AssignmentListener& RowsListener() { return rows_listener_; }

  // `positions`: what the seen-set has taken in already.
  void Start(Positions positions);
  void Stop();

  // -- loop thread --
  std::vector<Event> Take();
  // Everything about revoked partitions has come to rest.
  void Released();
  bool MayFetch() const;
  // Partitions of the topic; 0 until the bus has answered.
  int32_t partitions() const;
  std::string cluster_id() const;
  base::Status fatal() const;

  // AssignmentListener of the membership source.
  std::map<base::TopicPartition, int64_t> OnAssigned(const std::vector<base::TopicPartition>& partitions) override;
  void OnRevoked(const std::vector<base::TopicPartition>& partitions, bool lost) override;

 private:
  class Rows final : public base::AssignmentListener {
   public:
    explicit Rows(FeedShare& share) : share_(share) {}
    std::map<base::TopicPartition, int64_t> OnAssigned(const std::vector<base::TopicPartition>& partitions) override;
    void OnRevoked(const std::vector<base::TopicPartition>&, bool) override {}

   private:
    FeedShare& share_;
  };
  void Run(const std::stop_token& stop);
  bool ReadRows();
  bool CheckMembership();
  void Push(Event event);
  void Fail(const base::Status& status);

  base::Log& log_;
  const std::function<void()> wake_;
  Rows rows_listener_{*this};
  base::Source* membership_ = nullptr;
  base::Source* rows_ = nullptr;
  Positions positions_;
  std::vector<base::TopicPartition> to_pause_;
  std::chrono::steady_clock::time_point last_round_{};

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Event> events_;
  size_t held_bytes_ = 0;
  bool releasing_ = false;
  bool stopping_ = false;
  int32_t partition_count_ = 0;
  std::string cluster_id_;
  base::Status fatal_;
  std::chrono::steady_clock::time_point checked_{};       // last round in which the membership was asked
  std::chrono::steady_clock::time_point fetch_from_{};    // after a standstill: not before
  std::jthread thread_;  // last: ends first
};

}  // namespace racewatch::ingest
