// How far the store has come: one row for each partition, written by its owner with every batch, and the day before
// which nothing can change any more, moved by the leader. Pure reads; keys lie in Table::kMeta.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bus/record.h"
#include "base/clock.h"
#include "base/status.h"
#include "store/engine.h"

namespace racewatch::store {

struct Progress {
  base::UnixMs stream_ms = 0;   // latest first-fetch time seen: the store's own notion of now
  uint32_t first_hour = 0;      // hour of the earliest event counted; 0: none yet
  std::string model_version;    // of the latest sighting
  std::string Encode() const;
  static base::Result<Progress> Decode(std::string_view bytes);
  void Merge(const Progress& other);
};

std::string ProgressKey(const base::TopicPartition& where);

// All partitions together.
base::Result<Progress> ReadProgress(const View& view);

// Articles of earlier days are gone and later ones for them are late. Batches that count expect this row.
inline constexpr std::string_view kFrozenKey = "frozen";
std::string EncodeFrozen(uint32_t first_open_day);
base::Result<uint32_t> DecodeFrozen(const std::optional<std::string>& stored);

// The first day whose stories a re-tag can count: those that were frozen by a build before kSchemaVersion 5 have lost their
// leads. Encoded as the frozen day.
inline constexpr std::string_view kLeadsKey = "leads_kept_from";

}  // namespace racewatch::store
