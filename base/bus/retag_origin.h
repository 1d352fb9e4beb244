// What a record of racewatch.retag.v1 stands for, in its header `retag.covers`: the generation it belongs to, the records
// of a tagged partition that are handed on once it is applied, and what its text was asked besides labels. Whoever applies them in this order, each from where the last
// ended, has left nothing out; what starts later is a hole, what ends earlier a repeat. Pure functions, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bus/record.h"

namespace racewatch::base {

inline constexpr std::string_view kRetagHeader = "retag.covers";

struct RetagOrigin {
  uint32_t generation = 0;
  TopicPartition where;  // of a tagged topic
  int64_t from = 0;      // the offsets [from, to) of it
  int64_t to = 0;
  uint64_t queries = 0;  // fingerprint of the saved queries, as the store had them
  friend bool operator==(const RetagOrigin&, const RetagOrigin&) = default;
};

Header MakeRetagHeader(const RetagOrigin& origin);
// nullopt: the record has no such header, or a damaged one.
std::optional<RetagOrigin> ReadRetagOrigin(const Record& record);

}  // namespace racewatch::base
