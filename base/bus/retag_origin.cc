#include "base/bus/retag_origin.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

namespace racewatch::base {
namespace {

template <typename Number>
bool ReadNumber(std::string_view text, Number* out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return error == std::errc() && end == text.data() + text.size() && *out >= 0;
}

}  // namespace

Header MakeRetagHeader(const RetagOrigin& origin) {
  return {std::string(kRetagHeader), std::to_string(origin.generation) + "/" + origin.where.topic + "/" + std::to_string(origin.where.partition) +
                                         "/" + std::to_string(origin.from) + "/" + std::to_string(origin.to) + "/" + std::to_string(origin.queries)};
}

std::optional<RetagOrigin> ReadRetagOrigin(const Record& record) {
  const std::string* value = record.FindHeader(kRetagHeader);
  if (value == nullptr) return std::nullopt;
  std::array<std::string_view, 6> parts;
  std::string_view rest = *value;
  for (size_t i = 0; i < parts.size(); ++i) {
    const size_t end = i + 1 == parts.size() ? rest.size() : rest.find('/');
    if (end == std::string_view::npos) return std::nullopt;
    parts[i] = rest.substr(0, end);
    rest.remove_prefix(std::min(rest.size(), end + 1));
  }
  RetagOrigin origin;
  origin.where.topic = std::string(parts[1]);
  if (!ReadNumber(parts[0], &origin.generation) || origin.where.topic.empty() || !ReadNumber(parts[2], &origin.where.partition) ||
      !ReadNumber(parts[3], &origin.from) || !ReadNumber(parts[4], &origin.to) || origin.to <= origin.from || !ReadNumber(parts[5], &origin.queries))
    return std::nullopt;
  return origin;
}

}  // namespace racewatch::base
