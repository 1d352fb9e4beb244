#include "ingest/feed/charset.h"

#include <gtest/gtest.h>

namespace racewatch::ingest::feed {
namespace {

struct Decoded {
  std::string text;
  std::string encoding;
};

Decoded Decode(std::string_view bytes, std::string_view content_type = {}) {
  std::string buffer;
  const DecodedText decoded = DecodeText(bytes, content_type, &buffer);
  return {std::string(decoded.text), decoded.encoding};
}

std::string Declared(std::string_view label, std::string_view bytes) {
  return "<?xml version=\"1.0\" encoding=\"" + std::string(label) + "\"?><t>" + std::string(bytes) +
         "</t>";
}

std::string TextOf(const Decoded& decoded) {
  const size_t begin = decoded.text.find("<t>") + 3;
  return decoded.text.substr(begin, decoded.text.find("</t>") - begin);
}

TEST(Charset, ValidUtf8ComesBackWithoutACopy) {
  const std::string bytes = "<t>Grüße</t>";
  std::string buffer;
  EXPECT_EQ(DecodeText(bytes, {}, &buffer).text.data(), bytes.data());
}

TEST(Charset, DeclarationIsBelieved) {
  EXPECT_EQ(TextOf(Decode(Declared("koi8-r", "\xEE\xCF\xD7\xCF\xD3\xD4\xC9"))), "Новости");
  EXPECT_EQ(TextOf(Decode(Declared("euc-kr", "\xB9\xDD\xB5\xB5\xC3\xBC"))), "반도체");
  EXPECT_EQ(TextOf(Decode(Declared("shift_jis", "\x94\xBC\x93\xB1\x91\xCC"))), "半導体");
  EXPECT_EQ(TextOf(Decode(Declared("big5", "\xB4\xB9\xA4\xF9"))), "晶片");
}

TEST(Charset, Latin1LabelsMeanWindows1252) {
  EXPECT_EQ(TextOf(Decode(Declared("iso-8859-1",
                                   "\x93"
                                   "caf\xE9\x94"))),
            "“café”");
}

TEST(Charset, Gb2312LabelMeansGb18030) {
  EXPECT_EQ(TextOf(Decode(Declared("gb2312", "\xE9\x46\xD0\xBE"))), "镕芯");
}

TEST(Charset, HttpCharsetBeatsDeclaration) {
  EXPECT_EQ(TextOf(Decode(Declared("utf-8", "\xEE\xCF\xD7"), "text/xml; charset=\"KOI8-R\"")),
            "Нов");
}

TEST(Charset, BytesBeatAWrongLabel) {
  EXPECT_EQ(TextOf(Decode(Declared("iso-8859-1", "Grüße"))), "Grüße");
  EXPECT_EQ(TextOf(Decode(Declared("utf-16", "Grüße"))), "Grüße");
  EXPECT_EQ(TextOf(Decode(Declared("gb2312", "中文新闻报道"))), "中文新闻报道");
  EXPECT_EQ(TextOf(Decode(Declared("no-such-charset", "Grüße"))), "Grüße");
}

TEST(Charset, WideTextIsReadWithAndWithoutMark) {
  const std::string_view marked("\xFF\xFE<\0t\0>\0\x2D\x4E<\0/\0t\0>\0", 18);
  EXPECT_EQ(TextOf(Decode(marked)), "中");
  EXPECT_EQ(TextOf(Decode(marked.substr(2))), "中");
  const std::string_view wide("\0\0\0<\0\0\0t\0\0\0>\0\0N-\0\0\0<\0\0\0/\0\0\0t\0\0\0>", 32);
  EXPECT_EQ(TextOf(Decode(wide)), "中");
}

TEST(Charset, StrayBytesInUtf8AreReadAsWindows1252) {
  const Decoded decoded = Decode("<t>中文新闻 \x93ok\x94 中文新闻</t>");
  EXPECT_EQ(decoded.encoding, "utf-8");
  EXPECT_EQ(TextOf(decoded), "中文新闻 “ok” 中文新闻");
}

TEST(Charset, UnlabelledWesternTextIsWindows1252) {
  EXPECT_EQ(TextOf(Decode("<t>caf\xE9 d\x92"
                          "Or</t>")),
            "café d’Or");
}

TEST(Charset, C1CodePointsAndControlsAreMended) {
  EXPECT_EQ(TextOf(Decode("<t>don\xC2\x92t\x01\x7F</t>")), "don’t");
}

TEST(Charset, EveryByteStringBecomesCleanUtf8) {
  std::string bytes;
  uint32_t state = 7;
  for (int i = 0; i < 4000; ++i)
    bytes.push_back(static_cast<char>((state = state * 1664525u + 1013904223u) >> 24));
  for (size_t cut = 0; cut < bytes.size(); cut += 97) {
    const Decoded once = Decode(std::string_view(bytes).substr(cut));
    const Decoded twice = Decode(once.text);
    EXPECT_EQ(once.text, twice.text) << cut;
  }
}

}  // namespace
}  // namespace racewatch::ingest::feed
