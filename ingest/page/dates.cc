#include "ingest/page/dates.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>
#include <vector>

#include "ingest/page/text.h"

namespace racewatch::ingest::page {
namespace {

constexpr int64_t kDayMs = 86'400'000;
constexpr size_t kDateTextMax = 160;

// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil.
int64_t DaysFromCivil(int64_t y, int m, int d) {
  y -= m <= 2;
  const int64_t era = y / 400;
  const int64_t yoe = y - era * 400;
  const int64_t doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
  return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

bool ValidDay(int y, int m, int d) {
  if (y < 1990 || y > 2099 || m < 1 || m > 12 || d < 1) return false;
  constexpr std::array<int, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return d <= kDays[m - 1] + (m == 2 && (y % 4 == 0 && (y % 100 != 0 || y % 400 == 0)));
}

struct MonthName {
  std::string_view prefix;  // lower case; a word that starts with it names the month
  int month;
};

// English, German, French, Spanish, Italian, Portuguese, Dutch, Nordic, Russian, Ukrainian, Polish, Czech, Greek, Turkish,
// Indonesian, Arabic, Hindi.
constexpr MonthName kMonths[] = {
    {"jan", 1}, {"jän", 1}, {"ene", 1}, {"gen", 1}, {"янв", 1}, {"sty", 1}, {"oca", 1},
    {"feb", 2}, {"fév", 2}, {"fev", 2}, {"фев", 2}, {"lut", 2}, {"şub", 2}, {"peb", 2},
    {"mär", 3}, {"mars", 3}, {"mrt", 3}, {"maa", 3}, {"mar", 3}, {"мар", 3},
    {"avr", 4}, {"abr", 4}, {"apr", 4}, {"апр", 4}, {"kwi", 4}, {"nis", 4},
    {"may", 5}, {"mai", 5}, {"mag", 5}, {"mei", 5}, {"мая", 5}, {"май", 5}, {"maj", 5},
    {"juin", 6}, {"jun", 6}, {"giu", 6}, {"июн", 6}, {"cze", 6}, {"haz", 6},
    {"juil", 7}, {"jul", 7}, {"lug", 7}, {"июл", 7}, {"lip", 7}, {"tem", 7},
    {"aug", 8}, {"aoû", 8}, {"aou", 8}, {"ago", 8}, {"авг", 8}, {"sie", 8}, {"ağu", 8}, {"agu", 8},
    {"sep", 9}, {"set", 9}, {"сен", 9}, {"wrz", 9}, {"eyl", 9},
    {"oct", 10}, {"okt", 10}, {"ott", 10}, {"out", 10}, {"окт", 10}, {"paź", 10}, {"eki", 10},
    {"nov", 11}, {"ноя", 11}, {"lis", 11}, {"kas", 11}, {"nop", 11},
    {"dec", 12}, {"dez", 12}, {"déc", 12}, {"dic", 12}, {"дек", 12}, {"gru", 12}, {"ara", 12}, {"des", 12},
    {"січ", 1}, {"лют", 2}, {"берез", 3}, {"квіт", 4}, {"трав", 5}, {"черв", 6}, {"лип", 7}, {"серп", 8}, {"верес", 9}, {"жов", 10}, {"листоп", 11},
    {"груд", 12}, {"ledna", 1}, {"úno", 2}, {"břez", 3}, {"dubna", 4}, {"květ", 5}, {"červenc", 7}, {"června", 6}, {"srpna", 8}, {"září", 9}, {"říj", 10},
    {"prosin", 12},
    {"ιαν", 1}, {"φεβ", 2}, {"μαρ", 3}, {"μάρ", 3}, {"απρ", 4}, {"μαΐ", 5}, {"μάι", 5}, {"μαι", 5}, {"ιουν", 6}, {"ιούν", 6}, {"ιουλ", 7}, {"ιούλ", 7},
    {"αυγ", 8}, {"αύγ", 8}, {"σεπ", 9}, {"οκτ", 10}, {"νοε", 11}, {"δεκ", 12},
    {"يناير", 1}, {"فبراير", 2}, {"مارس", 3}, {"أبريل", 4}, {"ابريل", 4}, {"إبريل", 4}, {"مايو", 5}, {"يونيو", 6}, {"يوليو", 7}, {"أغسطس", 8}, {"اغسطس", 8},
    {"سبتمبر", 9}, {"أكتوبر", 10}, {"اكتوبر", 10}, {"نوفمبر", 11}, {"ديسمبر", 12},
    {"जनवरी", 1}, {"फ़रवरी", 2}, {"फरवरी", 2}, {"मार्च", 3}, {"अप्रैल", 4}, {"मई", 5}, {"जून", 6}, {"जुलाई", 7}, {"अगस्त", 8}, {"सितंबर", 9}, {"सितम्बर", 9},
    {"अक्टूबर", 10}, {"अक्तूबर", 10}, {"नवंबर", 11}, {"नवम्बर", 11}, {"दिसंबर", 12}, {"दिसम्बर", 12},
};

int MonthByName(std::string_view word) {
  if (word.size() > 40) return 0;
  const std::string lower = LowerUnicode(word);
  for (const MonthName& m : kMonths)
    if (lower.starts_with(m.prefix)) return m.month;
  return 0;
}

struct Piece {
  enum Kind { kNumber, kWord, kMark } kind;
  std::string_view text;
  int64_t value = 0;
};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Numbers, words and single marks; spaces vanish. At most 48 pieces.
std::vector<Piece> Cut(std::string_view text) {
  std::vector<Piece> pieces;
  for (size_t at = 0; at < text.size() && pieces.size() < 48;) {
    const auto c = static_cast<uint8_t>(text[at]);
    size_t stop = at + 1;
    if (IsDigit(text[at])) {
      while (stop < text.size() && IsDigit(text[stop])) ++stop;
      int64_t value = 0;
      for (size_t i = at; i < stop && i < at + 15; ++i) value = value * 10 + (text[i] - '0');
      pieces.push_back({Piece::kNumber, text.substr(at, stop - at), value});
    } else if (c >= 0xE3 && c <= 0xED && at + 3 <= text.size()) {  // Han and kana stand alone: 年 月 日
      stop = at + 3;
      pieces.push_back({Piece::kMark, text.substr(at, 3)});
    } else if (isalpha(c) || c >= 0x80) {
      while (stop < text.size() && !IsDigit(text[stop]) &&
             (isalpha(static_cast<uint8_t>(text[stop])) || (static_cast<uint8_t>(text[stop]) >= 0x80 &&
              (static_cast<uint8_t>(text[stop]) < 0xE3 || static_cast<uint8_t>(text[stop]) > 0xED)))) ++stop;
      pieces.push_back({Piece::kWord, text.substr(at, stop - at)});
    } else if (c > ' ') {
      pieces.push_back({Piece::kMark, text.substr(at, 1)});
    }
    at = stop;
  }
  return pieces;
}

class DateReader {
 public:
  DateReader(std::string_view text, bool day_first) : pieces_(Cut(text)), day_first_(day_first) {}

  std::optional<PageTime> Read() {
    for (size_t i = 0; i < pieces_.size(); ++i) {
      const size_t used = ReadDay(i);
      if (used == 0 || !ValidDay(year_, month_, day_)) continue;
      PageTime time{.time_ms = DaysFromCivil(year_, month_, day_) * kDayMs, .precision = PagePrecision::kDay};
      ReadClock(i + used, &time);
      return time;
    }
    return std::nullopt;
  }

 private:
  bool Number(size_t i, size_t digits_min, size_t digits_max) const {
    return i < pieces_.size() && pieces_[i].kind == Piece::kNumber && pieces_[i].text.size() >= digits_min &&
           pieces_[i].text.size() <= digits_max;
  }
  bool Mark(size_t i, std::string_view mark) const { return i < pieces_.size() && pieces_[i].text == mark; }
  int Month(size_t i) const {
    return i < pieces_.size() && pieces_[i].kind == Piece::kWord ? MonthByName(pieces_[i].text) : 0;
  }
  int Value(size_t i) const { return static_cast<int>(pieces_[i].value); }
  size_t SkipMarks(size_t i) const {
    while (i < pieces_.size() && (Mark(i, ",") || Mark(i, ".") || Mark(i, "-") || Mark(i, "/") || IsOrdinal(i))) ++i;
    return i;
  }
  bool IsOrdinal(size_t i) const {
    const std::string_view t = pieces_[i].text;
    return t == "st" || t == "nd" || t == "rd" || t == "th" || t == "de" || t == "of" || t == "del" || t == "º";
  }

  // Number of pieces that make a day at `i`, 0 when none; sets year_, month_, day_.
  size_t ReadDay(size_t i) {
    if (size_t n = ReadYearFirst(i)) return n;
    if (const int month = Month(i)) {  // January 29, 2025
      size_t at = SkipMarks(i + 1);
      if (!Number(at, 1, 2)) return 0;
      const int day = Value(at);
      at = SkipMarks(at + 1);
      if (!Number(at, 4, 4)) return 0;
      return Set(Value(at), month, day, at + 1 - i);
    }
    if (!Number(i, 1, 2)) return 0;
    const size_t at = SkipMarks(i + 1);
    if (const int month = at < pieces_.size() ? Month(at) : 0) {  // 29 January 2025, 29-Jan-25
      const size_t y = SkipMarks(at + 1);
      if (Number(y, 4, 4)) return Set(Value(y), month, Value(i), y + 1 - i);
      if (Number(y, 2, 2) && !Mark(y + 1, ":")) return Set(2000 + Value(y), month, Value(i), y + 1 - i);
      return 0;
    }
    if (!Number(i + 2, 1, 2) || !Number(i + 4, 4, 4)) return 0;
    if (Mark(i + 1, ".") && Mark(i + 3, ".")) return Set(Value(i + 4), Value(i + 2), Value(i), 5);
    const bool dashes = Mark(i + 1, "-") && Mark(i + 3, "-");
    if (dashes || (Mark(i + 1, "/") && Mark(i + 3, "/"))) {
      const bool day_first = Value(i) > 12 || ((dashes || day_first_) && Value(i + 2) <= 12);
      return Set(Value(i + 4), day_first ? Value(i + 2) : Value(i), day_first ? Value(i) : Value(i + 2), 5);
    }
    return 0;
  }

  // 2025-01-29, 2025/1/29, 2025.1.29, 2025年1月29日, 20250129.
  size_t ReadYearFirst(size_t i) {
    if (Number(i, 8, 8) || Number(i, 14, 14)) {
      const std::string_view t = pieces_[i].text;
      const int64_t ymd = pieces_[i].value / (t.size() == 14 ? 1'000'000 : 1);
      return Set(static_cast<int>(ymd / 10000), ymd / 100 % 100, ymd % 100, 1);
    }
    if (!Number(i, 4, 4) || !Number(i + 2, 1, 2) || !Number(i + 4, 1, 2)) return 0;
    const bool same = Mark(i + 1, "-") || Mark(i + 1, "/") || Mark(i + 1, ".");
    if (same && pieces_[i + 3].text == pieces_[i + 1].text) return Set(Value(i), Value(i + 2), Value(i + 4), 5);
    if ((Mark(i + 1, "年") && Mark(i + 3, "月")) || (Mark(i + 1, "년") && Mark(i + 3, "월")))
      return Set(Value(i), Value(i + 2), Value(i + 4), Mark(i + 5, "日") || Mark(i + 5, "号") || Mark(i + 5, "일") ? 6 : 5);
    return 0;
  }

  size_t Set(int year, int month, int day, size_t used) {
    year_ = year;
    month_ = month;
    day_ = day;
    return used;
  }

  // A clock within the next few pieces, with its zone.
  void ReadClock(size_t from, PageTime* time) const {
    for (size_t i = from; i < from + 6 && i + 2 < pieces_.size(); ++i) {
      const bool colon = Mark(i + 1, ":") || Mark(i + 1, "时") || Mark(i + 1, "時") || Mark(i + 1, "시");
      if (!Number(i, 1, 2) || !colon || !Number(i + 2, 2, 2) || Value(i) > 24 || Value(i + 2) > 59) continue;
      int64_t seconds = Value(i) * 3600 + Value(i + 2) * 60;
      size_t at = i + 3;
      time->precision = PagePrecision::kMinute;
      if (Mark(at, ":") && Number(at + 1, 2, 2)) {
        seconds += std::min(Value(at + 1), 59);
        time->precision = PagePrecision::kSecond;
        at += 2;
      }
      if (Mark(at, ".") && Number(at + 1, 1, 9)) at += 2;
      const bool afternoon = (i >= 2 && ((Mark(i - 2, "下") && Mark(i - 1, "午")) || (Mark(i - 2, "午") && Mark(i - 1, "後")) ||
                                          (Mark(i - 2, "오") && Mark(i - 1, "후"))));
      if ((afternoon || (at < pieces_.size() && EqualsIgnoreCase(pieces_[at].text, "pm"))) && Value(i) < 12) seconds += 43200;
      if (at < pieces_.size() && EqualsIgnoreCase(pieces_[at].text, "am") && Value(i) == 12) seconds -= 43200;
      time->zone_s = ZoneSeconds(at);
      time->time_ms += (seconds - time->zone_s.value_or(0)) * 1000;
      return;
    }
  }

  // Seconds east of UTC; nothing when no zone follows.
  std::optional<int32_t> ZoneSeconds(size_t at) const {
    if (at < pieces_.size() && (EqualsIgnoreCase(pieces_[at].text, "pm") || EqualsIgnoreCase(pieces_[at].text, "am"))) ++at;
    const bool utc = at < pieces_.size() && (Mark(at, "Z") || Mark(at, "GMT") || Mark(at, "UTC"));
    if (utc) ++at;
    const std::optional<int32_t> none = utc ? std::optional<int32_t>(0) : std::nullopt;
    if (at >= pieces_.size()) return none;
    const int sign = Mark(at, "+") ? 1 : Mark(at, "-") ? -1 : 0;
    if (sign != 0 && Number(at + 1, 4, 4)) return sign * (Value(at + 1) / 100 * 3600 + Value(at + 1) % 100 * 60);
    if (sign != 0 && Number(at + 1, 1, 2)) {
      const bool minutes = Mark(at + 2, ":") && Number(at + 3, 2, 2);
      return sign * (Value(at + 1) * 3600 + (minutes ? Value(at + 3) * 60 : 0));
    }
    struct Zone { std::string_view name; int hours; };
    constexpr Zone kZones[] = {{"EST", -5}, {"EDT", -4}, {"ET", -5}, {"CST", -6}, {"CDT", -5}, {"PST", -8}, {"PDT", -7},
                               {"PT", -8}, {"MST", -7}, {"MDT", -6}, {"BST", 1}, {"CET", 1}, {"CEST", 2}, {"JST", 9},
                               {"HKT", 8}, {"SGT", 8}, {"KST", 9}, {"MSK", 3}, {"EET", 2}, {"EEST", 3}, {"AEST", 10}, {"AEDT", 11}};
    for (const Zone& zone : kZones)
      if (Mark(at, zone.name)) return zone.hours * 3600;
    return none;
  }

  std::vector<Piece> pieces_;
  bool day_first_;
  int year_ = 0, month_ = 0, day_ = 0;
};

std::optional<PageTime> ParseEpoch(std::string_view text) {
  if (text.size() != 10 && text.size() != 13) return std::nullopt;
  int64_t value = 0;
  for (const char c : text) {
    if (!IsDigit(c)) return std::nullopt;
    value = value * 10 + (c - '0');
  }
  if (text.size() == 10) value *= 1000;
  if (value < 631152000000 || value > 4102444800000) return std::nullopt;  // 1990 to 2099
  return PageTime{.time_ms = value, .precision = PagePrecision::kSecond, .zone_s = 0};
}

}  // namespace

std::optional<PageTime> ParseDate(std::string_view text, bool day_first) {
  text = Trim(text);
  if (auto epoch = ParseEpoch(text)) return epoch;
  text = text.substr(0, kDateTextMax);
  return DateReader(text, day_first).Read();
}

bool WritesDayFirst(std::string_view language) {
  const std::string lower = LowerAscii(language);
  if (lower.empty() || lower == "en" || lower == "en-us" || lower.starts_with("zh") || lower.starts_with("ja")) return false;
  return true;
}

std::optional<int32_t> ZoneOfDomain(std::string_view url) {
  const size_t host = url.find("://");
  if (host == url.npos) return std::nullopt;
  std::string_view name = url.substr(host + 3);
  name = name.substr(0, name.find_first_of("/?#:"));
  struct Country { std::string_view domain; int32_t zone_s; };
  constexpr int32_t kHour = 3600;
  constexpr Country kCountries[] = {{".cn", 8 * kHour}, {".hk", 8 * kHour}, {".mo", 8 * kHour}, {".tw", 8 * kHour}, {".sg", 8 * kHour},
                                    {".my", 8 * kHour}, {".ph", 8 * kHour}, {".jp", 9 * kHour}, {".kr", 9 * kHour}, {".in", 19800},
                                    {".th", 7 * kHour}, {".vn", 7 * kHour}, {".tr", 3 * kHour}, {".ae", 4 * kHour}};
  for (const Country& country : kCountries)
    if (name.size() > country.domain.size() && EqualsIgnoreCase(name.substr(name.size() - country.domain.size()), country.domain))
      return country.zone_s;
  return std::nullopt;
}

void SettleZone(std::optional<int32_t> zone_s, PageTime* time) {
  if (time->precision == PagePrecision::kDay || time->zone_s) return;
  if (zone_s) {
    time->time_ms -= int64_t{*zone_s} * 1000;
    time->zone_s = zone_s;
    return;
  }
  time->time_ms -= time->time_ms % kDayMs + (time->time_ms % kDayMs < 0 ? kDayMs : 0);
  time->precision = PagePrecision::kDay;
}

std::optional<PageTime> DateFromUrl(std::string_view url) {
  const size_t host = url.find("://");
  size_t at = url.find('/', host == url.npos ? 0 : host + 3);
  for (; at != url.npos && at + 9 <= url.size(); at = url.find('/', at + 1)) {
    const std::string_view rest = url.substr(at + 1, 11);
    if (!IsDigit(rest[0])) continue;
    size_t digits = 0;
    while (digits < rest.size() && IsDigit(rest[digits])) ++digits;
    if (digits != 4 && digits != 8) continue;
    auto time = DateReader(rest, false).Read();
    if (!time) continue;
    time->precision = PagePrecision::kDay;
    time->from_url = true;
    return time;
  }
  return std::nullopt;
}

}  // namespace racewatch::ingest::page

namespace racewatch::ingest {

std::string PageTime::ToString() const {
  int64_t seconds = time_ms / 1000 - (time_ms % 1000 < 0);
  const int64_t days = (seconds >= 0 ? seconds : seconds - 86399) / 86400;
  seconds -= days * 86400;
  // Hinnant's civil_from_days.
  const int64_t z = days + 719468;
  const int64_t era = z / 146097, doe = z - era * 146097;
  const int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  const int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
  const int day = static_cast<int>(doy - (153 * mp + 2) / 5 + 1), month = static_cast<int>(mp < 10 ? mp + 3 : mp - 9);
  const int year = static_cast<int>(yoe + era * 400 + (month <= 2));
  char line[48];
  if (precision == PagePrecision::kDay)
    std::snprintf(line, sizeof line, "%04d-%02d-%02d", year, month, day);
  else
    std::snprintf(line, sizeof line, "%04d-%02d-%02dT%02d:%02d:%02dZ", year, month, day, static_cast<int>(seconds / 3600),
                  static_cast<int>(seconds / 60 % 60), static_cast<int>(seconds % 60));
  return line;
}

}  // namespace racewatch::ingest
