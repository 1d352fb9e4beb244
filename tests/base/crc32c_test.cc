#include "base/crc32c.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace racewatch::base {
namespace {

TEST(Crc32cTest, EqualsTheVectorsOfRfc3720) {
  for (const auto crc : {Crc32c, Crc32cByTable}) {
    EXPECT_EQ(crc(std::string(32, '\0'), 0), 0x8a9136aau);
    EXPECT_EQ(crc(std::string(32, '\xff'), 0), 0x62a8ab43u);
    EXPECT_EQ(crc("123456789", 0), 0xe3069283u);
    EXPECT_EQ(crc("", 0), 0u);
  }
}

TEST(Crc32cTest, IsTheSameByInstructionAndByTableAtEveryLengthAndPlace) {
  std::mt19937 dice(3);
  std::string bytes(300, '\0');
  for (char& c : bytes) c = static_cast<char>(dice());
  for (size_t at = 0; at < 9; ++at)
    for (size_t n = 0; at + n <= bytes.size(); ++n) {
      const std::string_view part = std::string_view(bytes).substr(at, n);
      ASSERT_EQ(Crc32c(part, 77), Crc32cByTable(part, 77)) << at << " " << n;
    }
}

TEST(Crc32cTest, GoesOnWhereItStopped) {
  EXPECT_EQ(Crc32c("6789", Crc32c("12345")), Crc32c("123456789"));
}

}  // namespace
}  // namespace racewatch::base
