// What the engine remembers between steps: one record per (rule, key) that is open or was closed lately.
// Serialised by AlertEngine::SaveState; plain data.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"

namespace racewatch::store {

struct KeyState {
  bool open = false;
  base::UnixMs window_from = 0;  // start of the opening window
  base::UnixMs sent_at = 0;      // step of the last alert sent
  base::UnixMs closed_at = 0;    // step of the close; quiet until AlertOptions::reopen_ms later
  uint32_t calm_steps = 0;       // consecutive steps at or below the closing level
  uint32_t sent_whole = 0;       // articles of the rule's window when last sent
  std::string last_sent;         // the alert last sent, as a serialised v1::Alert
};

struct AlertState {
  base::UnixMs last_step = 0;
  std::map<std::pair<std::string, std::string>, KeyState> keys;  // (rule, key)
  std::map<std::string, base::UnixMs> judged;  // rules with a dead-man time: step of the last judgement that coverage allowed
};

std::string EncodeAlertState(const AlertState& state);
// Reads versions 1 (before dead-man times) and 2. False when the bytes are damaged or of another version; `state` is
// undefined then.
bool DecodeAlertState(std::string_view bytes, AlertState* state);

}  // namespace racewatch::store
