#include <gtest/gtest.h>

#include "ingest/page/dates.h"

namespace racewatch::ingest::page {
namespace {

std::string Read(std::string_view text, bool day_first = false) {
  const auto time = ParseDate(text, day_first);
  return time ? time->ToString() : "none";
}

TEST(PageDates, IsoFormsAreReadWithTheirZones) {
  EXPECT_EQ(Read("2026-03-14T09:26:53+01:00"), "2026-03-14T08:26:53Z");
  EXPECT_EQ(Read("2026-03-14T09:26:53.123Z"), "2026-03-14T09:26:53Z");
  EXPECT_EQ(Read("2026-03-14 23:30:00 -0500"), "2026-03-15T04:30:00Z");
  EXPECT_EQ(Read("2026/3/4"), "2026-03-04");
  EXPECT_EQ(Read("20260314"), "2026-03-14");
}
TEST(PageDates, WrittenFormsAreRead) {
  EXPECT_EQ(Read("Published: March 14th, 2026 at 3:07 PM EST"), "2026-03-14T20:07:00Z");
  EXPECT_EQ(Read("Sat, 14 Mar 2026 09:26:53 GMT"), "2026-03-14T09:26:53Z");
  EXPECT_EQ(Read("14-Mar-26"), "2026-03-14");
  EXPECT_EQ(Read("3. März 2026"), "2026-03-03");
  EXPECT_EQ(Read("14 de marzo de 2026"), "2026-03-14");
  EXPECT_EQ(Read("1 août 2025"), "2025-08-01");
  EXPECT_EQ(Read("14 марта 2026"), "2026-03-14");
  EXPECT_EQ(Read("2026年3月14日 09:26"), "2026-03-14T09:26:00Z");
}
TEST(PageDates, MonthsAreKnownInTheLanguagesOfNews) {
  for (const char* line : {"14 March 2026", "2026年3月14日", "14 de marzo de 2026", "14 مارس 2026", "14 mars 2026", "14. März 2026", "14 Марта 2026 г.",
                           "14 de Março de 2026", "2026년 3월 14일", "14 MARZO 2026", "14 मार्च 2026", "14 Mart 2026", "14 marca 2026", "14 березня 2026",
                           "14 Μαρτίου 2026", "14. března 2026", "14 maart 2026", "14 Maret 2026"})
    EXPECT_EQ(Read(line), "2026-03-14") << line;
  EXPECT_EQ(Read("2026年3月14日 下午3:07"), "2026-03-14T15:07:00Z");
  EXPECT_EQ(Read("2026년 3월 14일 오후 3:07"), "2026-03-14T15:07:00Z");
}
TEST(PageDates, NumbersWithSlashesFollowTheLanguage) {
  EXPECT_EQ(Read("2/1/2026"), "2026-02-01");
  EXPECT_EQ(Read("2/1/2026", true), "2026-01-02");
  EXPECT_EQ(Read("14/3/2026"), "2026-03-14");
  EXPECT_EQ(Read("3/14/2026", true), "2026-03-14");
  EXPECT_EQ(Read("2.1.2026"), "2026-01-02");
  EXPECT_TRUE(WritesDayFirst("en-gb"));
  EXPECT_FALSE(WritesDayFirst("en-US"));
}
TEST(PageDates, EpochNumbersAreRead) {
  EXPECT_EQ(Read("1773480413"), "2026-03-14T09:26:53Z");
  EXPECT_EQ(Read("1773480413000"), "2026-03-14T09:26:53Z");
}
TEST(PageDates, DaysThatDoNotExistAreNoDates) {
  EXPECT_EQ(Read("2026-02-30"), "none");
  EXPECT_EQ(Read("0000-00-00T00:00:00"), "none");
  EXPECT_EQ(Read("9999-12-31"), "none");
  EXPECT_EQ(Read("5 min read"), "none");
  EXPECT_EQ(Read(""), "none");
  EXPECT_EQ(Read("2024-02-29"), "2024-02-29");
}
TEST(PageDates, AFullDateInThePathCounts) {
  EXPECT_EQ(DateFromUrl("https://a.example/news/2026/03/14/title")->ToString(), "2026-03-14");
  EXPECT_EQ(DateFromUrl("https://a.example/2026-03-14-title")->ToString(), "2026-03-14");
  EXPECT_EQ(DateFromUrl("https://a.example/n/20260314/c1.html")->ToString(), "2026-03-14");
  EXPECT_TRUE(DateFromUrl("https://a.example/2026/03/14/")->from_url);
  EXPECT_FALSE(DateFromUrl("https://a.example/2026/03/title"));
  EXPECT_FALSE(DateFromUrl("https://a.example/item/12345678901"));
}

}  // namespace
}  // namespace racewatch::ingest::page
