// Which partition a key belongs to, the same in the embedded log, in Kafka (librdkafka's
// `murmur2_random`) and in Kafka's Java client, so that records of one key never change their order
// when a deployment moves between them. Pure functions, no threads.
#pragma once

#include <cstdint>
#include <string_view>

namespace racewatch::base {

// MurmurHash2, 32 bit, with the seed of org.apache.kafka.common.utils.Utils.murmur2.
uint32_t Murmur2(std::string_view data);

// Partition of a key, as Kafka's default partitioner: toPositive(murmur2(key)) % partitions.
int32_t PartitionForKey(std::string_view key, int32_t partitions);

}  // namespace racewatch::base
