// What alert_crash_helper reads: twelve hours, an article a minute, and four quarters of an hour with ten a minute.
#pragma once

#include "tests/store/store_life.h"

namespace racewatch::store {

inline constexpr int kCrashMinutes = 720;
inline constexpr base::UnixMs kCrashEnd = kTestNow + (kCrashMinutes + 80) * 60'000;  // the idle time after the last article

inline void FillCrashStream(fakes::FakeLog& bus) {
  uint64_t number = 0;
  for (int minute = 0; minute < kCrashMinutes; ++minute)
    PublishMinute(bus, kTestNow + minute * 60'000, minute % 180 >= 60 && minute % 180 < 75 ? 10 : 1, &number);
}

inline v1::StoreConfig CrashConfig() {
  v1::StoreConfig config;
  config.set_batch_records_max(7);
  auto* rule = config.add_rules();
  rule->set_name("chips");
  rule->mutable_threshold()->set_window_s(600);
  rule->mutable_threshold()->set_open(30);
  rule->mutable_threshold()->set_close(12);
  rule->mutable_series()->set_dimension("theme");
  rule->mutable_series()->set_theme("chips_compute");
  return WithDefaults(config);
}

}  // namespace racewatch::store
