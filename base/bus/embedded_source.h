// A consumer of the embedded log. Sources of one group in this process share its partitions, and
// hand them over without overlap; a poll takes partitions in turn. Threads and errors as in
// source.h: DATA_LOSS when the log's files are damaged, otherwise nothing here fails. The log
// outlives the source.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/bus/embedded_log.h"
#include "base/bus/source.h"

namespace racewatch::base {

class EmbeddedSource final : public Source {
 public:
  // Topics that the log does not have yet are ignored.
  EmbeddedSource(EmbeddedLog& log, SourceOptions options);
  ~EmbeddedSource() override;

  Result<std::vector<Record>> Poll(const PollLimits& limits,
                                   std::chrono::milliseconds wait) override;
  Status Commit(const std::vector<Position>& next) override;
  Status Pause(const std::vector<TopicPartition>& partitions) override;
  Status Resume(const std::vector<TopicPartition>& partitions) override;
  std::vector<TopicPartition> assignment() const override;
  Result<std::string> ClusterId() override;
  Result<OffsetRange> Range(const TopicPartition& where) override;
  Result<std::vector<TopicPartition>> Partitions() override;
  std::map<TopicPartition, std::optional<int64_t>> Lag() const override;
  int64_t gaps() const override { return gaps_; }
  void Interrupt() override;
  Status Close() override;

 private:
  Status Rebalance();
  void Revoke(const std::vector<TopicPartition>& partitions);
  Status Assign(const std::vector<TopicPartition>& partitions);
  Status Take(const PollLimits& limits, std::vector<Record>* records);
  int64_t StayInRange(const TopicPartition& where, int64_t offset);
  void SetPosition(const TopicPartition& where, int64_t offset);

  EmbeddedLog& log_;
  const SourceOptions options_;
  const GroupCoordinator::MemberId member_;
  mutable std::mutex mutex_;                     // Lag may be asked by a metrics thread
  std::map<TopicPartition, int64_t> positions_;  // of what is assigned
  std::set<TopicPartition> paused_;
  TopicPartition last_turn_;
  std::atomic<int64_t> gaps_{0};
  std::atomic<bool> interrupted_{false};
  bool closed_ = false;
};

}  // namespace racewatch::base
