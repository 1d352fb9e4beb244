#include "ingest/feed/dates.h"

#include <gtest/gtest.h>

namespace racewatch::ingest::feed {
namespace {

std::string Read(std::string_view text) {
  const auto time = ParseDate(text);
  return time ? FormatTime(*time) : "none";
}

TimePrecision PrecisionOf(std::string_view text) {
  const auto time = ParseDate(text);
  EXPECT_TRUE(time) << text;
  return time ? time->precision : TimePrecision::kDay;
}

struct Case {
  const char* text;
  const char* want;
};

void ExpectAll(std::initializer_list<Case> cases) {
  for (const Case& c : cases) EXPECT_EQ(Read(c.text), c.want) << c.text;
}

TEST(Dates, Rfc822AndItsSlipsAreRead) {
  ExpectAll({{"Tue, 03 Nov 2026 09:15:00 GMT", "2026-11-03T09:15:00Z"},
             {"Tue, 3 Nov 2026 09:15 +0100", "2026-11-03T08:15:00Z"},
             {"03 Nov 26 09:15:00 EST", "2026-11-03T14:15:00Z"},
             {"Tues, 03 November 2026 09:15:00 -05:30", "2026-11-03T14:45:00Z"},
             {"Tue,03 Nov 2026 09:15:00Z", "2026-11-03T09:15:00Z"},
             {"Nov 3, 2026 9:15 PM", "2026-11-03T21:15:00Z"},
             {"Tuesday, November 3rd, 2026 12:05 a.m. UTC", "2026-11-03T00:05:00Z"},
             {"3-Nov-2026 09:15:00", "2026-11-03T09:15:00Z"},
             {"Tue Nov  3 09:15:00 2026", "2026-11-03T09:15:00Z"},
             {"Tue Nov 03 09:15:00 GMT+08:00 2026", "2026-11-03T01:15:00Z"},
             {"Thu, 01 Jan 99 00:00:00 GMT", "1999-01-01T00:00:00Z"},
             {"Tue, 03 Nov 2026 24:00:00 GMT", "2026-11-04T00:00:00Z"},
             {"Tue, 03 Nov 2026 09.15.30 GMT", "2026-11-03T09:15:30Z"},
             {"Tue, 03 Nov 2026 0915 EST", "2026-11-03T14:15:00Z"},
             {"Tue, 03 Nov 2026 09:15:00 (CET)", "2026-11-03T08:15:00Z"},
             {"Tue, 03 Nov 2026 09:15:00 UTC+8", "2026-11-03T01:15:00Z"},
             {"Tue, 03 Nov 2026 23:59:60 GMT", "2026-11-03T23:59:59Z"}});
}

TEST(Dates, Rfc3339AndItsRelativesAreRead) {
  ExpectAll({{"2026-11-03T09:15:00Z", "2026-11-03T09:15:00Z"},
             {"2026-11-03T09:15:00.250+05:30", "2026-11-03T03:45:00Z"},
             {"2026-11-03t09:15:00z", "2026-11-03T09:15:00Z"},
             {"2026-11-03 09:15:00 -0800", "2026-11-03T17:15:00Z"},
             {"2026-11-03T09:15", "2026-11-03T09:15:00Z"},
             {"2026-11-03T09:15:00+0900", "2026-11-03T00:15:00Z"},
             {"2026-11-03T09:15:00 EST", "2026-11-03T14:15:00Z"},
             {"20261103T091500Z", "2026-11-03T09:15:00Z"},
             {"20261103", "2026-11-03T00:00:00Z"},
             {"20261103091500", "2026-11-03T09:15:00Z"},
             {"2026/11/03 09:15:00", "2026-11-03T09:15:00Z"},
             {"26-11-03", "2026-11-03T00:00:00Z"},
             {"2026-11", "2026-11-01T00:00:00Z"},
             {"2026", "2026-01-01T00:00:00Z"},
             {"2026-307", "2026-11-03T00:00:00Z"}});
}

TEST(Dates, NumbersAloneAreEpochSecondsOrMilliseconds) {
  ExpectAll({{"1793697300", "2026-11-03T09:15:00Z"},
             {"1793697300000", "2026-11-03T09:15:00Z"},
             {"1793697300.5", "2026-11-03T09:15:00Z"}});
}

TEST(Dates, DayAndMonthAreToldApartBySeparatorAndRange) {
  ExpectAll({{"03.11.2026 09:15", "2026-11-03T09:15:00Z"},
             {"11/03/2026 09:15", "2026-11-03T09:15:00Z"},
             {"23/11/2026", "2026-11-23T00:00:00Z"},
             {"03-11-2026", "2026-11-03T00:00:00Z"}});
}

TEST(Dates, MonthNamesOfManyLanguagesAreRead) {
  ExpectAll({{"Di, 03 Mär 2026 09:15:00 +0100", "2026-03-03T08:15:00Z"},
             {"3. Dezember 2026", "2026-12-03T00:00:00Z"},
             {"mar. 3 nov. 2026 09:15:00 +0100", "2026-11-03T08:15:00Z"},
             {"lundi 3 août 2026", "2026-08-03T00:00:00Z"},
             {"mié, 3 sep 2026 09:15:00 GMT", "2026-09-03T09:15:00Z"},
             {"3 de febrero de 2026", "2026-02-03T00:00:00Z"},
             {"gio, 03 set 2026 09:15:00 +0200", "2026-09-03T07:15:00Z"},
             {"Ter, 03 Out 2026 09:15:00 -0300", "2026-10-03T12:15:00Z"},
             {"3 mei 2026", "2026-05-03T00:00:00Z"},
             {"3 października 2026", "2026-10-03T00:00:00Z"},
             {"Вт, 03 ноя 2026 09:15:00 +0300", "2026-11-03T06:15:00Z"},
             {"3 Мая 2026", "2026-05-03T00:00:00Z"},
             {"03 Şub 2026", "2026-02-03T00:00:00Z"},
             {"3 Kasım 2026", "2026-11-03T00:00:00Z"},
             {"3 Agustus 2026", "2026-08-03T00:00:00Z"},
             {"3 نوفمبر 2026", "2026-11-03T00:00:00Z"},
             {"3 tháng 11, 2026", "2026-11-03T00:00:00Z"},
             {"٣ نوفمبر ٢٠٢٦ 09:15", "2026-11-03T09:15:00Z"},
             {"星期二, 03 十一月 2026 09:15:00 +0800", "2026-11-03T01:15:00Z"},
             {"3 août 2026 à 09h15", "2026-08-03T09:15:00Z"},
             {"3 noiembrie 2026", "2026-11-03T00:00:00Z"},
             {"3. marraskuuta 2026", "2026-11-03T00:00:00Z"},
             {"Παρ, 3 Ιουλ 2026 09:15:00 GMT", "2026-07-03T09:15:00Z"}});
}

TEST(Dates, EastAsianMarksSayWhatANumberIs) {
  ExpectAll({{"2026年11月3日", "2026-11-03T00:00:00Z"},
             {"2026年11月03日 09:15", "2026-11-03T09:15:00Z"},
             {"2026年11月3日 下午3时5分", "2026-11-03T15:05:00Z"},
             {"2026년 11월 3일 오후 9:15", "2026-11-03T21:15:00Z"},
             {"2026年11月3日 09:15:00 +0800", "2026-11-03T01:15:00Z"}});
}

TEST(Dates, PrecisionFollowsWhatIsWritten) {
  EXPECT_EQ(PrecisionOf("2026-11-03"), TimePrecision::kDay);
  EXPECT_EQ(PrecisionOf("2026-11-03T09:15Z"), TimePrecision::kMinute);
  EXPECT_EQ(PrecisionOf("Tue, 03 Nov 2026 09:15:00 GMT"), TimePrecision::kSecond);
  EXPECT_EQ(PrecisionOf("2026年11月3日"), TimePrecision::kDay);
}

TEST(Dates, WhatIsNoDateIsNone) {
  ExpectAll({{"", "none"},
             {"soon", "none"},
             {"31 Feb 2026", "none"},
             {"2026-13-01", "none"},
             {"0000-00-00T00:00:00Z", "none"},
             {"12345", "none"},
             {"99999999999999999999999", "none"},
             {"Tue, 03 Nov 2026 99:15:00 GMT", "none"}});
}

TEST(Dates, FarYearsAreKept) {
  EXPECT_EQ(Read("9999-12-31T23:59:59Z"), "9999-12-31T23:59:59Z");
  EXPECT_EQ(Read("0001-01-01T00:00:00Z"), "0001-01-01T00:00:00Z");
}

}  // namespace
}  // namespace racewatch::ingest::feed
