// How far the store has come: one row for each partition, written by its owner with every batch, and the day before
// which nothing can change any more, moved by the leader. Pure reads; keys lie in Table::kMeta.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bus/record.h"
#include "base/clock.h"
#include "base/status.h"
#include "store/engine.h"

namespace racewatch::store {

// The hours of events that hold articles with the labels of one model, from the first to the last, gaps included.
struct ModelSpan {
  uint32_t generation = 0;    // counted into; kAnyGeneration: before this was noted
  std::string model_version;  // empty: not known
  uint32_t first_hour = UINT32_MAX;
  uint32_t last_hour = 0;
  bool undated = false;  // articles without a date
  friend bool operator==(const ModelSpan&, const ModelSpan&) = default;
};
inline constexpr uint32_t kAnyGeneration = UINT32_MAX;
inline constexpr size_t kModelSpansMax = 16;  // of a partition; the oldest become one of no known model

struct Progress {
  base::UnixMs stream_ms = 0;   // latest first-fetch time seen: the store's own notion of now
  uint32_t first_hour = 0;      // hour of the earliest event counted; 0: none yet
  std::string model_version;    // of the latest sighting
  std::vector<ModelSpan> models;
  std::string Encode() const;
  static base::Result<Progress> Decode(std::string_view bytes);
  void Merge(const Progress& other);
  // An article with the labels of this model is counted into this generation.
  void Note(uint32_t generation, const std::string& version, const EventTime& event);
  // Whose labels the articles counted so far have was not noted.
  void NoteUnknown();
  // True when no article of the hours [from, to) of this generation, as far as it was counted from the tagged topics, can have
  // the labels of another model. `undated`: nor one without a date.
  bool IsOf(const std::string& version, uint32_t generation, uint32_t from, uint32_t to, bool undated) const;
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
