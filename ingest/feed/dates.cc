#include "ingest/feed/dates.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <string>

#include "ingest/feed/ascii.h"
#include "ingest/feed/month_names.h"

namespace racewatch::ingest::feed {
namespace {

constexpr int64_t kMsPerDay = 86'400'000;

struct NamedZone {
  std::string_view name;
  int minutes;  // east of UTC
};
constexpr auto kZones = std::to_array<NamedZone>({
    {"gmt", 0},     {"utc", 0},    {"ut", 0},     {"z", 0},      {"zulu", 0},   {"wet", 0},
    {"west", 60},   {"bst", 60},   {"cet", 60},   {"mez", 60},   {"met", 60},   {"cest", 120},
    {"mesz", 120},  {"eet", 120},  {"eest", 180}, {"sast", 120}, {"msk", 180},  {"trt", 180},
    {"gst", 240},   {"pkt", 300},  {"ist", 330},  {"wib", 420},  {"ict", 420},  {"hkt", 480},
    {"sgt", 480},   {"pht", 480},  {"awst", 480}, {"jst", 540},  {"kst", 540},  {"acst", 570},
    {"acdt", 630},  {"aest", 600}, {"aedt", 660}, {"nzst", 720}, {"nzdt", 780}, {"est", -300},
    {"edt", -240},  {"et", -300},  {"cst", -360}, {"cdt", -300}, {"ct", -360},  {"mst", -420},
    {"mdt", -360},  {"mt", -420},  {"pst", -480}, {"pdt", -420}, {"pt", -480},  {"akst", -540},
    {"akdt", -480}, {"hst", -600}, {"ast", -240}, {"adt", -180}, {"nst", -210}, {"ndt", -150},
    {"brt", -180},  {"art", -180}, {"clt", -240},
});

struct Fields {
  int year = 0, month = 0, day = 0;
  int hour = 0, minute = 0, second = 0, milli = 0;
  int zone_minutes = 0;
  bool has_time = false, has_seconds = false;
  int half = 0;  // 1: am, 2: pm
};

// Days since 1970-01-01 of a proleptic Gregorian date (Hinnant, "chrono-compatible low-level date
// algorithms").
int64_t DaysFromCivil(int year, int month, int day) {
  const int64_t y = year - (month <= 2);
  const int64_t era = (y >= 0 ? y : y - 399) / 400;
  const int64_t yoe = y - era * 400;
  const int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

int DaysInMonth(int year, int month) {
  constexpr std::array<int, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return month == 2 && leap ? 29 : kDays[month - 1];
}

std::optional<FeedTime> Assemble(Fields f) {
  if (f.year < 1 || f.year > 9999 || f.month < 1 || f.month > 12) return std::nullopt;
  if (f.day < 1 || f.day > DaysInMonth(f.year, f.month)) return std::nullopt;
  if (f.half == 2 && f.hour < 12) f.hour += 12;
  if (f.half == 1 && f.hour == 12) f.hour = 0;
  if (f.hour > 24 || f.minute > 59 || f.second > 60 ||
      (f.hour == 24 && (f.minute > 0 || f.second > 0)))
    return std::nullopt;
  f.second = std::min(f.second, 59);  // a leap second has no place in UNIX time
  FeedTime time;
  time.precision = !f.has_time     ? TimePrecision::kDay
                   : f.has_seconds ? TimePrecision::kSecond
                                   : TimePrecision::kMinute;
  const int64_t minutes = f.has_time ? f.hour * 60 + f.minute - f.zone_minutes : 0;
  time.unix_ms = DaysFromCivil(f.year, f.month, f.day) * kMsPerDay + minutes * 60'000 +
                 f.second * 1000 + f.milli;
  return time;
}

// Lower case for the scripts month names come in: ASCII, Latin-1, Latin Extended-A pairs, Greek,
// Cyrillic.
std::string LowerWord(std::string_view word) {
  std::string out;
  for (size_t i = 0; i < word.size(); ++i) {
    const unsigned char c = static_cast<unsigned char>(word[i]);
    const unsigned char n = i + 1 < word.size() ? static_cast<unsigned char>(word[i + 1]) : 0;
    unsigned char lead = c, next = 0;
    if (c == 0xC3 && n >= 0x80 && n <= 0x9E)
      next = n + 0x20;
    else if ((c == 0xC4 || c == 0xC5) && n >= 0x80)
      next = (c == 0xC5 && n >= 0xB9 && n <= 0xBD) ? n + (n & 1) : n | 1;
    else if (c == 0xCE && n >= 0x91 && n <= 0x9F)
      next = n + 0x20;
    else if (c == 0xCE && n >= 0xA0 && n <= 0xA9)
      lead = 0xCF, next = n - 0x20;
    else if (c == 0xD0 && n >= 0x90 && n <= 0x9F)
      next = n + 0x20;
    else if (c == 0xD0 && n >= 0xA0 && n <= 0xAF)
      lead = 0xD1, next = n - 0x20;
    if (next == 0) {
      out.push_back(ToLower(word[i]));
    } else {
      out.push_back(static_cast<char>(lead));
      out.push_back(static_cast<char>(next));
      ++i;
    }
  }
  return out;
}

const NamedZone* FindZone(std::string_view word) {
  for (const NamedZone& zone : kZones)
    if (zone.name == word) return &zone;
  return nullptr;
}

// Reads a date in one pass over its tokens, then decides which number was what.
class DateReader {
 public:
  explicit DateReader(std::string_view text) : text_(text) {}

  std::optional<FeedTime> Read() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (IsDigit(c))
        ReadNumber();
      else if ((c == '+' || c == '-') && fields_.has_time && NextIsDigit())
        ReadOffset();
      else if (IsWordByte(c))
        ReadWord();
      else
        ++at_;
    }
    return Decide() ? Assemble(fields_) : std::nullopt;
  }

 private:
  struct Number {
    int value;
    size_t digits;
    char before;  // the byte before it
  };

  static bool IsWordByte(char c) { return IsAlpha(c) || static_cast<unsigned char>(c) >= 0x80; }
  bool NextIsDigit() const { return at_ + 1 < text_.size() && IsDigit(text_[at_ + 1]); }
  char Peek(size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }

  int TakeDigits(size_t most) {
    int value = 0;
    for (size_t n = 0; n < most && IsDigit(Peek()); ++n) value = value * 10 + (text_[at_++] - '0');
    return value;
  }

  size_t CountDigits() const {
    size_t n = 0;
    while (IsDigit(Peek(n))) ++n;
    return n;
  }

  void ReadNumber() {
    const size_t digits = CountDigits();
    const char before = at_ > 0 ? text_[at_ - 1] : '\0';
    if (digits <= 2 && Peek(digits) == ':' && IsDigit(Peek(digits + 1)) && !fields_.has_time)
      return ReadTime(':');
    // 09h15, as French has it.
    if (digits <= 2 && ToLower(Peek(digits)) == 'h' && IsDigit(Peek(digits + 1)) && !fields_.has_time)
      return ReadTime(Peek(digits));
    // 09.15.00 behind a named month is a time: nothing else has dots there.
    if (fields_.month > 0 && count_ >= 2 && digits <= 2 && Peek(digits) == '.' &&
        IsDigit(Peek(digits + 1)) && !fields_.has_time)
      return ReadTime('.');
    if (count_ == 1 && numbers_[0].digits == 8 && (digits == 6 || digits == 4) && !fields_.has_time)
      return ReadCompactTime(digits);
    if (digits == 14 && count_ == 0) {
      Push({TakeDigits(8), 8, before});
      return ReadCompactTime(6);
    }
    Push({TakeDigits(std::min<size_t>(digits, 9)), digits, before});
    while (IsDigit(Peek())) ++at_;
  }

  void Push(Number number) {
    if (count_ < numbers_.size()) numbers_[count_++] = number;
  }

  void ReadTime(char separator) {
    fields_.has_time = true;
    fields_.hour = TakeDigits(2);
    ++at_;
    fields_.minute = TakeDigits(2);
    if (Peek() != separator || !IsDigit(Peek(1))) return;
    ++at_;
    fields_.second = TakeDigits(2);
    fields_.has_seconds = true;
    ReadFraction();
  }

  void ReadCompactTime(size_t digits) {
    fields_.has_time = true;
    fields_.hour = TakeDigits(2);
    fields_.minute = TakeDigits(2);
    if (digits == 6) fields_.second = TakeDigits(2);
    fields_.has_seconds = digits == 6;
    ReadFraction();
  }

  void ReadFraction() {
    if ((Peek() != '.' && Peek() != ',' && Peek() != ':') || !IsDigit(Peek(1))) return;
    ++at_;
    int scale = 100;
    for (; IsDigit(Peek()); ++at_, scale /= 10) fields_.milli += (text_[at_] - '0') * scale;
  }

  // +01:00, +0100, +01, GMT+8. A name before it (GMT) counts for nothing.
  void ReadOffset() {
    const int sign = text_[at_++] == '-' ? -1 : 1;
    const size_t digits = CountDigits();
    // 2026-11-03 behind a time, as in "09:15 3-11-2026", is no zone.
    if (digits > 4 || (Peek(digits) == '-' && digits <= 2)) return;
    int hours = 0, minutes = 0;
    if (digits <= 2) {
      hours = TakeDigits(2);
      if (Peek() == ':' && IsDigit(Peek(1))) {
        ++at_;
        minutes = TakeDigits(2);
      }
    } else {
      hours = TakeDigits(digits - 2);
      minutes = TakeDigits(2);
    }
    if (hours <= 15 && minutes < 60) fields_.zone_minutes = sign * (hours * 60 + minutes);
  }

  // The English forms that nearly every feed has, without a look into the tables. True when that
  // was all.
  bool ReadCommonWord(std::string_view word) {
    static constexpr auto kEnglish = std::to_array<std::string_view>(
        {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"});
    static constexpr auto kDays =
        std::to_array<std::string_view>({"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"});
    if (word == "T" || word == "Z" || word == "GMT") return true;
    if (word.size() != 3) return false;
    if (std::find(kDays.begin(), kDays.end(), word) != kDays.end()) return true;
    const auto month = std::find(kEnglish.begin(), kEnglish.end(), word);
    if (month == kEnglish.end()) return false;
    fields_.month = static_cast<int>(month - kEnglish.begin()) + 1;
    return true;
  }

  void ReadWord() {
    const size_t begin = at_;
    while (at_ < text_.size() && IsWordByte(text_[at_])) ++at_;
    if (ReadCommonWord(text_.substr(begin, at_ - begin))) return;
    const std::string word = LowerWord(text_.substr(begin, at_ - begin));
    if (ReadAsianMark(begin, word)) return;
    if (word == "am" || word == "pm" || word == "a" || word == "p") {
      if (Peek() == '.' && ToLower(Peek(1)) == 'm')
        at_ += 2;
      else if (word.size() == 1)
        return;
      fields_.half = word[0] == 'a' ? 1 : 2;
    } else if (word == "noon" || word == "midday") {
      fields_.half = 2;
    } else if (const NamedZone* zone = fields_.has_time || count_ >= 3 ? FindZone(word) : nullptr) {
      fields_.zone_minutes = zone->minutes;
    } else if (word == "tháng" || word == "thg") {
      month_follows_ = true;
      month_index_ = count_;
    } else if (const int month = MonthOf(word); month > 0) {
      // "mar. 3 nov. 2026": a weekday can look like a month, then the later word is the month.
      fields_.month = month;
    }
  }

  // 2026年11月3日 上午9时15分, 2026년 11월 3일 오후 9:15: the mark behind a number says what it
  // was.
  bool ReadAsianMark(size_t begin, const std::string& word) {
    struct Mark {
      std::string_view text;
      char means;
    };
    static constexpr auto kMarks = std::to_array<Mark>(
        {{"年", 'y'},   {"년", 'y'},   {"月", 'm'},   {"월", 'm'},   {"日", 'd'},   {"号", 'd'},
         {"일", 'd'},   {"上午", 'a'}, {"午前", 'a'}, {"오전", 'a'}, {"下午", 'p'}, {"午後", 'p'},
         {"오후", 'p'}, {"时", 'h'},   {"時", 'h'},   {"点", 'h'},   {"시", 'h'},   {"分", 'i'},
         {"분", 'i'},   {"秒", 's'},   {"초", 's'}});
    for (const Mark& mark : kMarks) {
      if (!word.starts_with(mark.text)) continue;
      at_ = begin + mark.text.size();
      ApplyMark(mark.means);
      return true;
    }
    return false;
  }

  void ApplyMark(char means) {
    if (means == 'a' || means == 'p') {
      fields_.half = means == 'a' ? 1 : 2;
      return;
    }
    if (count_ == 0) return;
    const int value = numbers_[count_ - 1].value;
    switch (means) {
      case 'y':
        fields_.year = value;
        break;
      case 'm':
        fields_.month = value;
        break;
      case 'd':
        fields_.day = value;
        break;
      case 'h':
        fields_.hour = value, fields_.has_time = true;
        break;
      case 'i':
        fields_.minute = value;
        break;
      default:
        fields_.second = value, fields_.has_seconds = true;
        break;
    }
    --count_;
  }

  static int FullYear(const Number& n) {
    if (n.digits <= 2) return n.value < 69 ? 2000 + n.value : 1900 + n.value;
    return n.digits == 3 && n.value >= 100 ? 1900 + n.value : n.value;
  }

  bool Decide() {
    if (fields_.year > 0) return DecideMarked();
    if (month_follows_ && month_index_ < count_) {
      fields_.month = numbers_[month_index_].value;
      std::copy(numbers_.begin() + month_index_ + 1, numbers_.begin() + count_,
                numbers_.begin() + month_index_);
      --count_;
    }
    if (count_ == 0) return false;
    if (fields_.month > 0) return DecideNamedMonth();
    return numbers_[0].digits >= 4 ? DecideYearFirst() : DecideYearLast();
  }

  bool DecideMarked() {
    if (fields_.month == 0) fields_.month = 1;
    if (fields_.day == 0) fields_.day = count_ > 0 ? numbers_[0].value : 1;
    return true;
  }

  bool DecideNamedMonth() {
    size_t year = count_;
    for (size_t i = 0; i < count_; ++i)
      if (numbers_[i].digits >= 3 || numbers_[i].value > 31) {
        year = i;
        break;
      }
    if (year == count_) {
      if (count_ < 2) return false;
      year = 1;
    }
    fields_.year = FullYear(numbers_[year]);
    const size_t day = year == 0 ? 1 : 0;
    fields_.day = day < count_ ? numbers_[day].value : 1;
    const size_t clock = std::max(day, year) + 1;  // 03 Nov 2026 0915
    if (!fields_.has_time && clock < count_ && numbers_[clock].digits == 4) {
      fields_.has_time = true;
      fields_.hour = numbers_[clock].value / 100;
      fields_.minute = numbers_[clock].value % 100;
    }
    return true;
  }

  // 2026-11-03, 2026-11, 2026, 20261103, 2026-307.
  bool DecideYearFirst() {
    const Number& first = numbers_[0];
    if (first.digits == 8) {
      fields_.year = first.value / 10000;
      fields_.month = first.value / 100 % 100;
      fields_.day = first.value % 100;
      return true;
    }
    if (first.digits != 4) return false;
    fields_.year = first.value;
    if (count_ > 1 && numbers_[1].digits == 3) return SetDayOfYear(numbers_[1].value);
    fields_.month = count_ > 1 ? numbers_[1].value : 1;
    fields_.day = count_ > 2 ? numbers_[2].value : 1;
    if (count_ > 3 && !fields_.has_time) {  // 2026-11-03T09: an hour alone
      fields_.hour = numbers_[3].value;
      fields_.has_time = true;
      if (count_ > 4) fields_.minute = numbers_[4].value;  // 2026-11-03 09-15
    }
    return true;
  }

  bool SetDayOfYear(int day) {
    if (day < 1 || day > 366) return false;
    for (fields_.month = 1; fields_.month < 12 && day > DaysInMonth(fields_.year, fields_.month);
         ++fields_.month)
      day -= DaysInMonth(fields_.year, fields_.month);
    fields_.day = day;
    return true;
  }

  // 3.11.2026 is day first; 11/3/2026 is month first unless that cannot be; 26-11-03 is ISO with a
  // short year.
  bool DecideYearLast() {
    if (count_ < 3) return false;
    if (numbers_[1].before == '-' && numbers_[2].digits == 2 && numbers_[0].digits == 2) {
      fields_.year = FullYear(numbers_[0]);
      fields_.month = numbers_[1].value;
      fields_.day = numbers_[2].value;
      return true;
    }
    fields_.year = FullYear(numbers_[2]);
    const bool month_first = numbers_[1].before == '/' && numbers_[0].value <= 12;
    fields_.month = numbers_[month_first ? 0 : 1].value;
    fields_.day = numbers_[month_first ? 1 : 0].value;
    if (fields_.month > 12) std::swap(fields_.month, fields_.day);
    return true;
  }

  std::string_view text_;
  size_t at_ = 0;
  Fields fields_;
  std::array<Number, 6> numbers_{};
  size_t count_ = 0;
  bool month_follows_ = false;
  size_t month_index_ = 0;
};

// Seconds or milliseconds since 1970, perhaps with a fraction; nothing when `text` is another kind
// of number.
std::optional<FeedTime> ParseEpoch(std::string_view text) {
  int64_t value = 0;
  size_t digits = 0;
  while (digits < text.size() && IsDigit(text[digits])) {
    if (digits >= 13) return std::nullopt;
    value = value * 10 + (text[digits++] - '0');
  }
  const std::string_view rest = text.substr(digits);
  if (!rest.empty() &&
      (rest[0] != '.' || rest.find_first_not_of("0123456789", 1) != std::string_view::npos))
    return std::nullopt;
  if (digits == 9 || digits == 10) return FeedTime{value * 1000, TimePrecision::kSecond};
  if (digits >= 12) return FeedTime{value, TimePrecision::kSecond};
  return std::nullopt;
}

// Arabic-Indic digits as ASCII ones.
std::string WithAsciiDigits(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0;
    const bool digit = text[i] == '\xD9' && next >= 0xA0 && next <= 0xA9;
    out.push_back(digit ? static_cast<char>('0' + next - 0xA0) : text[i]);
    i += digit;
  }
  return out;
}

}  // namespace

std::optional<FeedTime> ParseDate(std::string_view text) {
  text = Trim(text);
  text = text.substr(0, kDateBytesMax);
  if (text.empty()) return std::nullopt;
  if (const auto epoch = ParseEpoch(text)) return epoch;
  if (text.find('\xD9') != std::string_view::npos) return DateReader(WithAsciiDigits(text)).Read();
  return DateReader(text).Read();
}

std::string FormatTime(const FeedTime& time) {
  int64_t days = time.unix_ms / kMsPerDay;
  int64_t rest = time.unix_ms % kMsPerDay;
  if (rest < 0) rest += kMsPerDay, --days;
  // Inverse of DaysFromCivil, same source.
  const int64_t z = days + 719468;
  const int64_t era = (z >= 0 ? z : z - 146096) / 146097;
  const int64_t doe = z - era * 146097;
  const int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  const int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  const int64_t mp = (5 * doy + 2) / 153;
  const int day = static_cast<int>(doy - (153 * mp + 2) / 5 + 1);
  const int month = static_cast<int>(mp < 10 ? mp + 3 : mp - 9);
  const int year = static_cast<int>(yoe + era * 400 + (month <= 2));
  const int seconds = static_cast<int>(rest / 1000);
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%04d-%02d-%02dT%02d:%02d:%02dZ", year, month, day,
                seconds / 3600, seconds / 60 % 60, seconds % 60);
  return buffer;
}

}  // namespace racewatch::ingest::feed
