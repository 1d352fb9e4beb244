#include <gtest/gtest.h>

#include "ingest/page/charset.h"

namespace racewatch::ingest::page {
namespace {

constexpr std::string_view kGbkHello = "\xC4\xE3\xBA\xC3\xA3\xAC\xCA\xC0\xBD\xE7";  // 你好，世界

std::string Decode(std::string bytes, std::string_view content_type = {}) {
  std::string buffer;
  return std::string(DecodeToUtf8(bytes, content_type, &buffer));
}

TEST(PageCharset, HttpHeaderDecides) { EXPECT_EQ(Decode(std::string(kGbkHello), "text/html; charset=GBK"), "你好，世界"); }
TEST(PageCharset, MetaDecidesWithoutHeader) {
  EXPECT_EQ(Decode("<meta charset=gb2312>" + std::string(kGbkHello)), "<meta charset=gb2312>你好，世界");
}
TEST(PageCharset, HeaderWinsOverMeta) {
  EXPECT_EQ(Decode("<meta charset=windows-1252>" + std::string(kGbkHello), "text/html;charset=\"gb18030\""),
            "<meta charset=windows-1252>你好，世界");
}
TEST(PageCharset, ValidUtf8WinsOverAWrongLabel) { EXPECT_EQ(Decode("<meta charset=gbk>世界 é"), "<meta charset=gbk>世界 é"); }
TEST(PageCharset, ByteOrderMarkWins) {
  EXPECT_EQ(Decode("\xEF\xBB\xBF" "abc é", "text/html; charset=big5"), "abc é");
  EXPECT_EQ(Decode(std::string("\xFF\xFE" "a\0\x16\x4E", 6)), "a世");
  EXPECT_EQ(Decode(std::string("\xFE\xFF" "\0a\x4E\x16", 6)), "a世");
}
TEST(PageCharset, Latin1MeansWindows1252) { EXPECT_EQ(Decode("<meta charset=iso-8859-1>\x93x\x94"), "<meta charset=iso-8859-1>“x”"); }
TEST(PageCharset, Big5IsRead) { EXPECT_EQ(Decode("\xA4\xA4\xA4\xE5", "text/html; charset=big5"), "中文"); }
TEST(PageCharset, ACutCharacterDoesNotChangeUtf8) {
  std::string text;
  for (int i = 0; i < 30; ++i) text += "世界";
  EXPECT_EQ(Decode(text + "\xE4\xB8"), text + "\xEF\xBF\xBD");
}
TEST(PageCharset, UnknownLabelFallsBackToTheDetector) {
  std::string text;
  for (int i = 0; i < 20; ++i) text += "\xD5\xE2\xCA\xC7\xD2\xBB\xB8\xF6\xB9\xD8\xD3\xDA\xD0\xBE\xC6\xAC\xB5\xC4\xB9\xCA\xCA\xC2\xA1\xA3";
  EXPECT_EQ(Decode(text, "text/html; charset=no-such").substr(0, 9), "这是一");
}

}  // namespace
}  // namespace racewatch::ingest::page
