#include "base/percent_encoding.h"

#include <gtest/gtest.h>

namespace racewatch::base {
namespace {

TEST(PercentEncodingTest, LeavesUnreservedCharactersAndWritesTheOthersInCapitals) {
  EXPECT_EQ(PercentEncode("Az09-_.~"), "Az09-_.~");
  EXPECT_EQ(PercentEncode("a b/c?d=e&f+g%"), "a%20b%2Fc%3Fd%3De%26f%2Bg%25");
  EXPECT_EQ(PercentEncode("芯"), "%E8%8A%AF");
  EXPECT_EQ(PercentEncode(std::string_view("\0\xff", 2)), "%00%FF");
}

TEST(PercentEncodingTest, DecodesWhatIsAnEscapeAndNothingElse) {
  EXPECT_EQ(PercentDecode("a%20b%2fc%E8%8a%AF"), "a b/c芯");
  EXPECT_EQ(PercentDecode("100%, %, %2, %2x, %x2, %%41"), "100%, %, %2, %2x, %x2, %A");
  EXPECT_EQ(PercentDecode("%4"), "%4");
  EXPECT_EQ(PercentDecode("%41"), "A");
}

TEST(PercentEncodingTest, DecodingUndoesEncodingOfEveryByte) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all.push_back(static_cast<char>(byte));
  EXPECT_EQ(PercentDecode(PercentEncode(all)), all);
}

}  // namespace
}  // namespace racewatch::base
