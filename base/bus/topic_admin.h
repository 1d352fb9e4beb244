// Makes and verifies the topics of topics.h on an Apache Kafka cluster, over the admin API. Used by
// `racewatch topics` and the tests. Each call makes its own client and blocks until the brokers
// have answered (30 s at most): UNAVAILABLE when they do not. Functions without state, safe from
// any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bus/topics.h"
#include "base/status.h"

namespace racewatch::v1 {
class KafkaConfig;
}

namespace racewatch::base {

class Log;

struct TopicOptions {
  int32_t replication = 1;
  int32_t partitions = 0;  // 0: what topics.h says, per topic
};

// What was done, or what is wrong, about one topic, in words: `made with 8 partitions`.
struct TopicNote {
  std::string topic;
  std::string what;
};

// Makes the missing topics and sets retention, compaction and record size of the others. Never
// changes the partitions of a topic: its keys would move. One note per topic that was touched;
// running it again gives none.
Result<std::vector<TopicNote>> ApplyTopics(const v1::KafkaConfig& config,
                                           const std::vector<TopicSpec>& topics,
                                           const TopicOptions& options, Log* log);

// One note per difference from the table; none when all is as it should be. Changes nothing.
Result<std::vector<TopicNote>> CheckTopics(const v1::KafkaConfig& config,
                                           const std::vector<TopicSpec>& topics,
                                           const TopicOptions& options, Log* log);

// Forgets the records of a partition before `offset`.
Status DeleteRecordsBefore(const v1::KafkaConfig& config, const std::string& topic,
                           int32_t partition, int64_t offset);

}  // namespace racewatch::base
