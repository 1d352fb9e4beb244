#include "base/bus/group_coordinator.h"

#include <utility>

namespace racewatch::base {

GroupCoordinator::MemberId GroupCoordinator::Join(const std::string& group,
                                                  std::vector<TopicPartition> partitions,
                                                  std::function<void()> wake) {
  Wakes wakes;
  MemberId id = 0;
  {
    std::lock_guard lock(mutex_);
    id = next_id_++;
    members_[id] = {group, {partitions.begin(), partitions.end()}, {}, std::move(wake)};
    Reassign(group);
    wakes = WakesOf(group);
  }
  for (const auto& w : wakes) w();
  return id;
}

void GroupCoordinator::Leave(MemberId member) {
  Wakes wakes;
  {
    std::lock_guard lock(mutex_);
    const auto it = members_.find(member);
    if (it == members_.end()) return;
    const std::string group = it->second.group;
    members_.erase(it);
    std::erase_if(owners_, [member](const auto& entry) { return entry.second == member; });
    Reassign(group);
    wakes = WakesOf(group);
  }
  for (const auto& w : wakes) w();
}

GroupCoordinator::Change GroupCoordinator::Sync(MemberId member) {
  std::lock_guard lock(mutex_);
  Change change;
  const auto it = members_.find(member);
  if (it == members_.end()) return change;
  const Member& m = it->second;
  for (const auto& [key, owner] : owners_)
    if (owner == member && !m.target.contains(key.second)) change.revoked.push_back(key.second);
  for (const TopicPartition& where : m.target)
    if (owners_.try_emplace({m.group, where}, member).second) change.assigned.push_back(where);
  return change;
}

void GroupCoordinator::Release(MemberId member, const std::vector<TopicPartition>& partitions) {
  Wakes wakes;
  {
    std::lock_guard lock(mutex_);
    const auto it = members_.find(member);
    if (it == members_.end()) return;
    for (const TopicPartition& where : partitions) {
      const auto owner = owners_.find({it->second.group, where});
      if (owner != owners_.end() && owner->second == member) owners_.erase(owner);
    }
    wakes = WakesOf(it->second.group);
  }
  for (const auto& w : wakes) w();
}

bool GroupCoordinator::Owns(MemberId member, const TopicPartition& where) const {
  std::lock_guard lock(mutex_);
  const auto it = members_.find(member);
  if (it == members_.end()) return false;
  const auto owner = owners_.find({it->second.group, where});
  return owner != owners_.end() && owner->second == member;
}

// Range: per topic, the members that want it (by age) get consecutive shares of its partitions.
void GroupCoordinator::Reassign(const std::string& group) {
  std::map<std::string, std::vector<MemberId>> readers;
  std::map<std::string, std::set<TopicPartition>> topics;
  for (auto& [id, member] : members_) {
    if (member.group != group) continue;
    member.target.clear();
    for (const TopicPartition& where : member.wanted) {
      auto& ids = readers[where.topic];
      if (ids.empty() || ids.back() != id) ids.push_back(id);
      topics[where.topic].insert(where);
    }
  }
  for (const auto& [topic, partitions] : topics) {
    const auto& ids = readers[topic];
    size_t i = 0;
    for (const TopicPartition& where : partitions)
      members_[ids[i++ * ids.size() / partitions.size()]].target.insert(where);
  }
}

GroupCoordinator::Wakes GroupCoordinator::WakesOf(const std::string& group) const {
  Wakes wakes;
  for (const auto& [id, member] : members_)
    if (member.group == group) wakes.push_back(member.wake);
  return wakes;
}

}  // namespace racewatch::base
