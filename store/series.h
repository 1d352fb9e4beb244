// The closed set of series that the store counts, as small numbers: every theme, target × position,
// theme × target × position and lean, plus all, relevant and irrelevant articles, plus saved queries. The other side of the
// table are the slices (all, eleven languages, four publisher groups). Pure functions and plain values;
// names come from base/taxonomy.h, so a label outside the taxonomy has no number.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/taxonomy.h"

namespace racewatch::v1 {
class SeriesKey;
class Tags;
}  // namespace racewatch::v1

namespace racewatch::store {

using SeriesId = uint16_t;

inline constexpr SeriesId kThemeCount = base::kThemes.size();
inline constexpr SeriesId kTargetCount = base::kTargets.size();
inline constexpr SeriesId kPositionCount = base::kPositions.size();
inline constexpr SeriesId kLeanCount = base::kLeans.size();
inline constexpr SeriesId kStanceCount = kTargetCount * kPositionCount;

inline constexpr SeriesId kAnySeries = 0;       // every article, irrelevant ones included
inline constexpr SeriesId kRelevantSeries = 1;  // the base of all shares
inline constexpr SeriesId kIrrelevantSeries = 2;
inline constexpr SeriesId kThemeSeries = 3;
inline constexpr SeriesId kStanceSeries = kThemeSeries + kThemeCount;
inline constexpr SeriesId kThemeStanceSeries = kStanceSeries + kStanceCount;
inline constexpr SeriesId kLeanSeries = kThemeStanceSeries + kThemeCount * kStanceCount;
inline constexpr SeriesId kSeriesCount = kLeanSeries + kLeanCount;

// Saved queries have series behind those of the labels (store/saved_query/saved_queries.h).
using QuerySlot = uint16_t;
inline constexpr QuerySlot kQuerySlots = 1000;
inline constexpr SeriesId kSeriesMax = kSeriesCount + kQuerySlots;
constexpr SeriesId QuerySeries(QuerySlot slot) { return static_cast<SeriesId>(kSeriesCount + slot); }
constexpr bool IsQuerySeries(SeriesId series) { return series >= kSeriesCount; }

constexpr SeriesId ThemeSeries(size_t theme) { return static_cast<SeriesId>(kThemeSeries + theme); }
constexpr SeriesId StanceSeries(size_t target, size_t position) {
  return static_cast<SeriesId>(kStanceSeries + target * kPositionCount + position);
}
constexpr SeriesId ThemeStanceSeries(size_t theme, size_t target, size_t position) {
  return static_cast<SeriesId>(kThemeStanceSeries + theme * kStanceCount + target * kPositionCount + position);
}
constexpr SeriesId LeanSeries(size_t lean) { return static_cast<SeriesId>(kLeanSeries + lean); }

using Slice = uint8_t;
inline constexpr Slice kAllSlice = 0;
inline constexpr Slice kLanguageSlice = 1;
inline constexpr Slice kGroupSlice = kLanguageSlice + base::kLanguages.size();
// Six ten-minute slots of an hour, live lane only (hour windows only): what alert rules look at.
inline constexpr Slice kSlotSlice = kGroupSlice + base::kPublisherGroups.size();
inline constexpr Slice kSlicesPerWindow = kSlotSlice + 6;

// The labels of one article, without scores. Empty when the article is irrelevant.
struct Labels {
  bool relevant = false;
  uint32_t themes = 0;                             // bit per theme
  std::array<uint8_t, kTargetCount> positions{};   // 0: target absent, else 1 + index of the position
  uint8_t lean = 0;                                // 0: absent, else 1 + index
  friend bool operator==(const Labels&, const Labels&) = default;
};

// INVALID_ARGUMENT names the first label that the taxonomy does not have, or a target given twice.
base::Result<Labels> LabelsFromTags(const v1::Tags& tags);

// Every series the labels belong to, ascending; kAnySeries first. Replaces what `out` held.
void SeriesOf(const Labels& labels, std::vector<SeriesId>* out);

// True when an article with these labels counts in `series`, which is none of a saved query.
bool Matches(const Labels& labels, SeriesId series);

// A series in one slice, as named by a caller. An empty key is every relevant article.
struct SeriesSlice {
  SeriesId series = kRelevantSeries;
  Slice slice = kAllSlice;
};
// INVALID_ARGUMENT for an unknown label, or a combination that is not kept (with the list of those that are). A key of a
// saved query is answered with its slice alone: the caller knows the number.
base::Result<SeriesSlice> ParseSeriesKey(const v1::SeriesKey& key);

// The names of a series and slice; inverse of ParseSeriesKey for what it accepts.
void FillSeriesKey(SeriesSlice which, v1::SeriesKey* key);

// `theme=markets`, `theme=markets,target=x,position=y`, `lean=us`, `relevant`, `query#3`, …
std::string SeriesName(SeriesId series);

// Every theme, then every target × position, then every lean: what an unspecific question means.
std::vector<SeriesId> DefaultSeries();

}  // namespace racewatch::store
