#include "store/alert/alert_state.h"

#include <xxhash.h>

#include <cstring>

namespace racewatch::store {
namespace {

constexpr uint8_t kVersion = 2;

template <typename T>
void Put(T value, std::string* out) {
  out->append(reinterpret_cast<const char*>(&value), sizeof(T));
}

void PutText(const std::string& text, std::string* out) {
  Put(static_cast<uint32_t>(text.size()), out);
  *out += text;
}

template <typename T>
bool Get(std::string_view* rest, T* value) {
  if (rest->size() < sizeof(T)) return false;
  std::memcpy(value, rest->data(), sizeof(T));
  rest->remove_prefix(sizeof(T));
  return true;
}

bool GetText(std::string_view* rest, std::string* text) {
  uint32_t size = 0;
  if (!Get(rest, &size) || rest->size() < size) return false;
  *text = rest->substr(0, size);
  rest->remove_prefix(size);
  return true;
}

bool GetKey(std::string_view* rest, AlertState* state) {
  std::string rule, key;
  KeyState value;
  uint8_t open = 0;
  const bool ok = GetText(rest, &rule) && GetText(rest, &key) && Get(rest, &open) && Get(rest, &value.window_from) &&
                  Get(rest, &value.sent_at) && Get(rest, &value.closed_at) && Get(rest, &value.calm_steps) &&
                  Get(rest, &value.sent_whole) && GetText(rest, &value.last_sent);
  value.open = open != 0;
  if (ok) state->keys[{rule, key}] = std::move(value);
  return ok;
}

bool GetJudged(std::string_view* rest, AlertState* state) {
  uint32_t rules = 0;
  if (!Get(rest, &rules)) return false;
  for (uint32_t i = 0; i < rules; ++i) {
    std::string rule;
    base::UnixMs step = 0;
    if (!GetText(rest, &rule) || !Get(rest, &step)) return false;
    state->judged[rule] = step;
  }
  return true;
}

}  // namespace

std::string EncodeAlertState(const AlertState& state) {
  std::string out;
  Put(kVersion, &out);
  Put(state.last_step, &out);
  Put(static_cast<uint32_t>(state.keys.size()), &out);
  for (const auto& [name, value] : state.keys) {
    PutText(name.first, &out);
    PutText(name.second, &out);
    Put(static_cast<uint8_t>(value.open), &out);
    Put(value.window_from, &out);
    Put(value.sent_at, &out);
    Put(value.closed_at, &out);
    Put(value.calm_steps, &out);
    Put(value.sent_whole, &out);
    PutText(value.last_sent, &out);
  }
  Put(static_cast<uint32_t>(state.judged.size()), &out);
  for (const auto& [rule, step] : state.judged) {
    PutText(rule, &out);
    Put(step, &out);
  }
  Put(XXH3_64bits(out.data(), out.size()), &out);
  return out;
}

bool DecodeAlertState(std::string_view bytes, AlertState* state) {
  if (bytes.size() < 1 + sizeof(uint64_t)) return false;
  const auto version = static_cast<uint8_t>(bytes[0]);
  if (version < 1 || version > kVersion) return false;
  std::string_view rest = bytes.substr(0, bytes.size() - sizeof(uint64_t));
  uint64_t sum = 0;
  std::memcpy(&sum, bytes.data() + rest.size(), sizeof(sum));
  if (sum != XXH3_64bits(rest.data(), rest.size())) return false;
  rest.remove_prefix(1);
  uint32_t keys = 0;
  if (!Get(&rest, &state->last_step) || !Get(&rest, &keys)) return false;
  for (uint32_t i = 0; i < keys; ++i)
    if (!GetKey(&rest, state)) return false;
  return (version < 2 || GetJudged(&rest, state)) && rest.empty();
}

}  // namespace racewatch::store
