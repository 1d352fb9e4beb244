#include "store/notify/quiet_hours.h"

#include <unicode/timezone.h>
#include <unicode/unistr.h>

#include <memory>
#include <optional>

#include "racewatch/v1/config.pb.h"

namespace racewatch::store {
namespace {

constexpr int64_t kDayMinutes = 24 * 60;
constexpr int64_t kMinuteMs = 60'000;

// Minutes of the day of HH:MM; nullopt: it is none.
std::optional<int64_t> Minutes(const std::string& text) {
  const auto digit = [&](size_t i) { return text[i] >= '0' && text[i] <= '9'; };
  if (text.size() != 5 || text[2] != ':' || !digit(0) || !digit(1) || !digit(3) || !digit(4)) return std::nullopt;
  const int64_t hours = (text[0] - '0') * 10 + text[1] - '0', minutes = (text[3] - '0') * 10 + text[4] - '0';
  if (hours > 23 || minutes > 59) return std::nullopt;
  return hours * 60 + minutes;
}

// nullptr: there is no zone of that name.
std::unique_ptr<icu::TimeZone> FindZone(const std::string& name) {
  std::unique_ptr<icu::TimeZone> zone(icu::TimeZone::createTimeZone(icu::UnicodeString::fromUTF8(name)));
  if (!zone || *zone == icu::TimeZone::getUnknown()) return nullptr;
  return zone;
}

int64_t OffsetMs(const v1::QuietHours& quiet, base::UnixMs now) {
  const auto zone = quiet.time_zone().empty() ? nullptr : FindZone(quiet.time_zone());
  if (!zone) return quiet.utc_offset_minutes() * kMinuteMs;
  int32_t raw = 0, summer = 0;
  UErrorCode error = U_ZERO_ERROR;
  zone->getOffset(static_cast<UDate>(now), false, raw, summer, error);
  return U_SUCCESS(error) ? int64_t{raw} + summer : 0;
}

}  // namespace

void CheckQuiet(const std::string& at, const v1::QuietHours& quiet, base::Problems* problems) {
  if (!Minutes(quiet.from())) problems->Add(at + ".from", "'" + quiet.from() + "' is no HH:MM");
  if (!Minutes(quiet.to())) problems->Add(at + ".to", "'" + quiet.to() + "' is no HH:MM");
  if (Minutes(quiet.from()) && quiet.from() == quiet.to()) problems->Add(at, "is empty: from is to");
  if (quiet.utc_offset_minutes() < -720 || quiet.utc_offset_minutes() > 840)
    problems->Add(at + ".utc_offset_minutes", "must be from -720 to 840");
  if (!quiet.time_zone().empty() && !FindZone(quiet.time_zone()))
    problems->Add(at + ".time_zone", "'" + quiet.time_zone() + "' is no IANA time zone, like Europe/Berlin");
  if (!quiet.time_zone().empty() && quiet.utc_offset_minutes() != 0)
    problems->Add(at + ".time_zone", "not together with utc_offset_minutes");
  if (!(quiet.score_urgent() >= 0)) problems->Add(at + ".score_urgent", "must be at least 0");
}

bool IsQuiet(const v1::QuietHours& quiet, base::UnixMs now) {
  const auto from = Minutes(quiet.from()), to = Minutes(quiet.to());
  if (!from || !to) return false;
  const int64_t minute = (((now + OffsetMs(quiet, now)) / kMinuteMs) % kDayMinutes + kDayMinutes) % kDayMinutes;
  return *from <= *to ? minute >= *from && minute < *to : minute >= *from || minute < *to;
}

}  // namespace racewatch::store
