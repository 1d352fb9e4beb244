// The listener that a crash helper hands to its source before its loop exists. `loop` is set before the first poll.
#pragma once

#include "base/bus/source.h"
#include "store/store_loop.h"

namespace racewatch::store {

class LoopListener final : public base::AssignmentListener {
 public:
  StoreLoop* loop = nullptr;
  std::map<base::TopicPartition, int64_t> OnAssigned(const std::vector<base::TopicPartition>& partitions) override {
    return loop->OnAssigned(partitions);
  }
  void OnRevoked(const std::vector<base::TopicPartition>& partitions, bool) override { loop->OnRevoked(partitions); }
};

}  // namespace racewatch::store
