// A consumer of Apache Kafka over librdkafka. Commits only what Commit is given; a position outside
// of the log is never skipped silently: it resumes at the log's start and counts (gaps). Handles
// eager and cooperative rebalances with its own callback, static membership, and reading every
// partition without a group (partitions added to a topic later are found at the next start).
// Threads and errors as in source.h; Lag, gaps and assignment may be asked from any thread.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/bus/source.h"

struct rd_kafka_s;
struct rd_kafka_topic_partition_list_s;

namespace racewatch::v1 {
class KafkaConfig;
}

namespace racewatch::base {

class Log;

class KafkaSource final : public Source {
 public:
  // `role` names the client when the configuration does not; `options.group` is the full group
  // name. `log` may be null, else outlives the source. Needs no broker yet. INVALID_ARGUMENT: a
  // mistake in the configuration.
  static Result<std::unique_ptr<KafkaSource>> Create(const v1::KafkaConfig& config,
                                                     const std::string& role, SourceOptions options,
                                                     Log* log);
  ~KafkaSource() override;

  Result<std::vector<Record>> Poll(const PollLimits& limits,
                                   std::chrono::milliseconds wait) override;
  Status Commit(const std::vector<Position>& next) override;
  Status Pause(const std::vector<TopicPartition>& partitions) override;
  Status Resume(const std::vector<TopicPartition>& partitions) override;
  std::vector<TopicPartition> assignment() const override;
  Result<std::string> ClusterId() override;
  Result<OffsetRange> Range(const TopicPartition& where) override;
  Result<std::vector<TopicPartition>> Partitions() override;
  Status Rejoin() override;
  std::map<TopicPartition, std::optional<int64_t>> Lag() const override;
  int64_t gaps() const override { return gaps_; }
  void Interrupt() override;
  Status Close() override;

 private:
  using PartitionList = std::vector<TopicPartition>;
  struct Client;  // librdkafka's handles
  KafkaSource(SourceOptions options, Log* log);

  static void OnRebalance(rd_kafka_s* client, int event,
                          rd_kafka_topic_partition_list_s* partitions, void* opaque);
  static int OnStatistics(rd_kafka_s* client, char* json, size_t size, void* opaque);
  static void OnError(rd_kafka_s* client, int error, const char* reason, void* opaque);
  static void OnLog(const rd_kafka_s* client, int level, const char* facility, const char* text);

  Status Subscribe();
  Status AssignEverything();  // without a group; UNAVAILABLE until every topic is known
  void Assign(const PartitionList& partitions);
  void Revoke(const PartitionList& partitions, bool lost);
  std::map<TopicPartition, int64_t> StartPositions(const PartitionList& partitions);
  std::map<TopicPartition, int64_t> CommittedPositions(const PartitionList& partitions);
  int64_t StayInRange(const TopicPartition& where, int64_t offset);
  void RestartAtBeginning(const TopicPartition& where);
  bool Cooperative() const;  // how the group rebalances

  // One message from librdkafka: appended to `records`, held back, or an error. False: nothing
  // there.
  Result<bool> TakeOne(std::chrono::milliseconds wait, const PollLimits& limits,
                       std::vector<Record>* records);
  Status HandleError(int error, const TopicPartition& where, const char* reason);
  void TakeHeld(const PollLimits& limits, std::vector<Record>* records);
  bool Fits(const Record& record, const PollLimits& limits,
            const std::vector<Record>& records) const;
  void HandOut(Record record, std::vector<Record>* records);
  void Hold(Record record);

  const SourceOptions options_;
  Log* const log_;
  std::unique_ptr<Client> client_;
  bool started_ = false;
  bool closed_ = false;
  Status fatal_;                      // sticks
  bool away_ = false;                 // no broker answers
  size_t poll_bytes_ = 0;             // handed out by this Poll
  std::set<TopicPartition> paused_;   // by our caller
  std::set<TopicPartition> stopped_;  // of these, what librdkafka no longer fetches
  // Came for a paused partition, or did not fit into its Poll; handed out before anything newer.
  std::map<TopicPartition, std::deque<Record>> held_;
  std::map<TopicPartition, size_t> held_bytes_;
  std::atomic<int64_t> gaps_{0};
  std::atomic<bool> interrupted_{false};
  mutable std::mutex mutex_;                     // what other threads may ask for:
  std::map<TopicPartition, int64_t> positions_;  // next to hand out, of what is assigned
  std::map<TopicPartition, int64_t> ends_;       // as last heard from the brokers
};

}  // namespace racewatch::base
