#include "base/bus/partitioner.h"

#include <cstddef>

namespace racewatch::base {

namespace {

uint32_t Byte(std::string_view data, size_t i) { return static_cast<unsigned char>(data[i]); }

}  // namespace

uint32_t Murmur2(std::string_view data) {
  constexpr uint32_t kSeed = 0x9747b28c;
  constexpr uint32_t kMix = 0x5bd1e995;
  uint32_t hash = kSeed ^ static_cast<uint32_t>(data.size());
  size_t i = 0;
  for (; i + 4 <= data.size(); i += 4) {
    uint32_t k =
        Byte(data, i) | Byte(data, i + 1) << 8 | Byte(data, i + 2) << 16 | Byte(data, i + 3) << 24;
    k *= kMix;
    k ^= k >> 24;
    k *= kMix;
    hash *= kMix;
    hash ^= k;
  }
  const size_t left = data.size() - i;
  if (left >= 3) hash ^= Byte(data, i + 2) << 16;
  if (left >= 2) hash ^= Byte(data, i + 1) << 8;
  if (left >= 1) {
    hash ^= Byte(data, i);
    hash *= kMix;
  }
  hash ^= hash >> 13;
  hash *= kMix;
  hash ^= hash >> 15;
  return hash;
}

int32_t PartitionForKey(std::string_view key, int32_t partitions) {
  return static_cast<int32_t>((Murmur2(key) & 0x7fffffff) % static_cast<uint32_t>(partitions));
}

}  // namespace racewatch::base
