#include "base/bus/partitioner.h"

#include <gtest/gtest.h>

namespace racewatch::base {
namespace {

// Values of org.apache.kafka.common.utils.UtilsTest.testMurmur2 (signed there).
TEST(Partitioner, Murmur2EqualsKafkasJavaClient) {
  EXPECT_EQ(static_cast<int32_t>(Murmur2("21")), -973932308);
  EXPECT_EQ(static_cast<int32_t>(Murmur2("foobar")), -790332482);
  EXPECT_EQ(static_cast<int32_t>(Murmur2("a-little-bit-long-string")), -985981536);
  EXPECT_EQ(static_cast<int32_t>(Murmur2("a-little-bit-longer-string")), -1486304829);
  EXPECT_EQ(static_cast<int32_t>(Murmur2("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8")),
            -58897971);
  EXPECT_EQ(static_cast<int32_t>(Murmur2("abc")), 479470107);
}

TEST(Partitioner, NegativeHashesMapToAPartitionToo) {
  for (const char* key : {"21", "foobar", "abc", ""}) {
    EXPECT_GE(PartitionForKey(key, 7), 0);
    EXPECT_LT(PartitionForKey(key, 7), 7);
  }
}

}  // namespace
}  // namespace racewatch::base
