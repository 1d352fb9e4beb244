// The engines' own rows: behind a claim, key from (cluster, topic, partition), value (epoch, next offset); and in
// Table::kMeta the number of the last row appended to a table. Pure, header only.
#pragma once

#include <string>
#include <string_view>

#include "base/bus/record.h"
#include "store/codec.h"
#include "store/engine.h"

namespace racewatch::store {

inline std::string PositionKey(std::string_view cluster_id, const base::TopicPartition& where) {
  std::string key;
  AppendText(&key, cluster_id);
  AppendText(&key, where.topic);
  AppendBig(&key, static_cast<uint32_t>(where.partition));
  return key;
}

inline std::string LastKey(Table table) { return "last/" + std::to_string(static_cast<int>(table)); }

struct PositionRow {
  int64_t epoch = 0;
  int64_t next_offset = -1;

  std::string Encode() const {
    std::string out;
    AppendSigned(&out, epoch);
    AppendSigned(&out, next_offset);
    return out;
  }
  static bool Decode(std::string_view bytes, PositionRow* row) {
    Reader in(bytes);
    row->epoch = in.Signed();
    row->next_offset = in.Signed();
    return in.ok() && in.done();
  }
};

}  // namespace racewatch::store
