// The hours in which a subscriber is not told of anything, by a fixed offset from UTC or by a named time zone with its
// summer time (ICU's copy of the IANA tables). Pure functions.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/config.h"

namespace racewatch::v1 {
class QuietHours;
}

namespace racewatch::store {

// Problems as `AT.member: what`.
void CheckQuiet(const std::string& at, const v1::QuietHours& quiet, base::Problems* problems);

// True when nothing is to be sent at `now`; false without quiet hours. On a day on which clocks change, an hour that the
// clock skips is not there and one it shows twice is quiet both times.
bool IsQuiet(const v1::QuietHours& quiet, base::UnixMs now);

}  // namespace racewatch::store
