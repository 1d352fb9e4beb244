// Shares the partitions of topics among the consumers of one process: the groups of the embedded
// log and of FakeLog. Range assignment per topic, and a cooperative hand-over: a partition moves
// only after its old owner has finished with it. One per log; outlives its members. Thread-safe; it
// never calls a member except through `wake`, and that without holding its lock. Nothing here can
// fail.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/bus/record.h"

namespace racewatch::base {

class GroupCoordinator {
 public:
  using MemberId = int64_t;

  // What a member must do next: first finish and Release `revoked`, then take `assigned`, which is
  // its own from now on.
  struct Change {
    std::vector<TopicPartition> revoked;
    std::vector<TopicPartition> assigned;
  };

  // `partitions`: everything the member wants to read. `wake` is called from any thread whenever
  // Sync has something new, even shortly after Leave: it must not call back, nor hold what dies
  // with the member.
  MemberId Join(const std::string& group, std::vector<TopicPartition> partitions,
                std::function<void()> wake);
  // Frees whatever the member still owns.
  void Leave(MemberId member);

  Change Sync(MemberId member);
  void Release(MemberId member, const std::vector<TopicPartition>& partitions);
  bool Owns(MemberId member, const TopicPartition& where) const;

 private:
  struct Member {
    std::string group;
    std::set<TopicPartition> wanted;
    std::set<TopicPartition> target;  // what it shall own in the end
    std::function<void()> wake;
  };
  using Wakes = std::vector<std::function<void()>>;

  void Reassign(const std::string& group);        // under mutex_
  Wakes WakesOf(const std::string& group) const;  // under mutex_

  mutable std::mutex mutex_;
  MemberId next_id_ = 1;
  std::map<MemberId, Member> members_;
  std::map<std::pair<std::string, TopicPartition>, MemberId> owners_;  // by group and partition
};

}  // namespace racewatch::base
