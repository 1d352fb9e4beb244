// What we read from librdkafka's statistics (STATISTICS.md of librdkafka): whether a broker
// answers, and where each partition ends. Pure function; malformed JSON gives an empty result.
#pragma once

#include <cstdint>
#include <map>
#include <string_view>

#include "base/bus/record.h"

namespace racewatch::base {

struct KafkaStatistics {
  bool broker_up = false;
  // Offset after the last record that consumers may read; partitions whose end is unknown are
  // absent.
  std::map<TopicPartition, int64_t> ends;
};

KafkaStatistics ParseKafkaStatistics(std::string_view json);

}  // namespace racewatch::base
