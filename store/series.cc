#include "store/series.h"

#include <algorithm>

#include "racewatch/v1/store_service.pb.h"
#include "racewatch/v1/tags.pb.h"

namespace racewatch::store {
namespace {

constexpr std::string_view kKept =
    "; kept are: theme; target+position; theme+target+position; lean; query; each optionally with language or publisher_group";

base::Status Unknown(std::string_view what, std::string_view value) {
  // A hostile label may be long or binary: show its beginning only.
  std::string shown(value.substr(0, 40));
  for (char& c : shown)
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e) c = '?';
  return base::InvalidArgument(std::string(what) + " '" + shown + "' is not in the taxonomy");
}

base::Status AddStance(const v1::StanceTag& tag, Labels* labels) {
  const auto target = base::IndexOf(base::kTargets, tag.target());
  if (!target) return Unknown("target", tag.target());
  const auto position = base::IndexOf(base::kPositions, tag.position());
  if (!position) return Unknown("position", tag.position());
  uint8_t& slot = labels->positions[*target];
  const auto value = static_cast<uint8_t>(*position + 1);
  if (slot != 0 && slot != value) return base::InvalidArgument("target '" + tag.target() + "' has two positions");
  slot = value;
  return {};
}

}  // namespace

base::Result<Labels> LabelsFromTags(const v1::Tags& tags) {
  Labels labels;
  labels.relevant = tags.relevance().label();
  for (const auto& tag : tags.themes()) {
    const auto theme = base::IndexOf(base::kThemes, tag.id());
    if (!theme) return Unknown("theme", tag.id());
    labels.themes |= 1u << *theme;
  }
  for (const auto& tag : tags.stance()) RW_RETURN_IF_ERROR(AddStance(tag, &labels));
  if (tags.has_lean()) {
    const auto lean = base::IndexOf(base::kLeans, tags.lean().label());
    if (!lean) return Unknown("lean", tags.lean().label());
    labels.lean = static_cast<uint8_t>(*lean + 1);
  }
  // Themes, stance and lean exist only on relevant articles (taxonomy); anything else there is checked, not counted.
  if (!labels.relevant) labels = Labels{};
  return labels;
}

void SeriesOf(const Labels& labels, std::vector<SeriesId>* out) {
  out->clear();
  out->push_back(kAnySeries);
  out->push_back(labels.relevant ? kRelevantSeries : kIrrelevantSeries);
  if (!labels.relevant) return;
  for (size_t theme = 0; theme < kThemeCount; ++theme)
    if (labels.themes >> theme & 1u) out->push_back(ThemeSeries(theme));
  for (size_t target = 0; target < kTargetCount; ++target)
    if (labels.positions[target] != 0) out->push_back(StanceSeries(target, labels.positions[target] - 1));
  for (size_t theme = 0; theme < kThemeCount; ++theme) {
    if (!(labels.themes >> theme & 1u)) continue;
    for (size_t target = 0; target < kTargetCount; ++target)
      if (labels.positions[target] != 0) out->push_back(ThemeStanceSeries(theme, target, labels.positions[target] - 1));
  }
  if (labels.lean != 0) out->push_back(LeanSeries(labels.lean - 1));
}

bool Matches(const Labels& labels, SeriesId series) {
  if (series == kAnySeries) return true;
  if (series == kRelevantSeries) return labels.relevant;
  if (series == kIrrelevantSeries) return !labels.relevant;
  if (series < kStanceSeries) return labels.themes >> (series - kThemeSeries) & 1u;
  if (series >= kLeanSeries) return labels.lean == series - kLeanSeries + 1;
  const bool both = series >= kThemeStanceSeries;
  const size_t rest = both ? (series - kThemeStanceSeries) % kStanceCount : series - kStanceSeries;
  if (both && !(labels.themes >> ((series - kThemeStanceSeries) / kStanceCount) & 1u)) return false;
  return labels.positions[rest / kPositionCount] == rest % kPositionCount + 1;
}

base::Result<SeriesSlice> ParseSeriesKey(const v1::SeriesKey& key) {
  SeriesSlice out;
  const auto theme = base::IndexOf(base::kThemes, key.theme());
  const auto target = base::IndexOf(base::kTargets, key.target());
  const auto position = base::IndexOf(base::kPositions, key.position());
  const auto lean = base::IndexOf(base::kLeans, key.lean());
  if (!key.theme().empty() && !theme) return Unknown("theme", key.theme());
  if (!key.target().empty() && !target) return Unknown("target", key.target());
  if (!key.position().empty() && !position) return Unknown("position", key.position());
  if (!key.lean().empty() && !lean) return Unknown("lean", key.lean());
  if (target.has_value() != position.has_value())
    return base::InvalidArgument("target and position go together" + std::string(kKept));
  if (lean && (theme || target)) return base::InvalidArgument("lean is not kept by theme or target" + std::string(kKept));
  if (!key.query().empty() && (theme || target || lean))
    return base::InvalidArgument("query is not kept by label: put the label into its expression" + std::string(kKept));
  if (theme && target) out.series = ThemeStanceSeries(*theme, *target, *position);
  else if (theme) out.series = ThemeSeries(*theme);
  else if (target) out.series = StanceSeries(*target, *position);
  else if (lean) out.series = LeanSeries(*lean);
  if (!key.language().empty() && !key.publisher_group().empty())
    return base::InvalidArgument("language and publisher_group together are not kept" + std::string(kKept));
  if (!key.language().empty()) {
    const auto language = base::IndexOf(base::kLanguages, key.language());
    if (!language) return Unknown("language", key.language());
    out.slice = static_cast<Slice>(kLanguageSlice + *language);
  }
  if (!key.publisher_group().empty()) {
    const auto group = base::IndexOf(base::kPublisherGroups, key.publisher_group());
    if (!group) return Unknown("publisher_group", key.publisher_group());
    out.slice = static_cast<Slice>(kGroupSlice + *group);
  }
  return out;
}

void FillSeriesKey(SeriesSlice which, v1::SeriesKey* key) {
  const SeriesId s = which.series;
  if (s >= kThemeSeries && s < kStanceSeries) key->set_theme(std::string(base::kThemes[s - kThemeSeries]));
  if (s >= kStanceSeries && s < kLeanSeries) {
    const bool both = s >= kThemeStanceSeries;
    const size_t rest = both ? (s - kThemeStanceSeries) % kStanceCount : s - kStanceSeries;
    if (both) key->set_theme(std::string(base::kThemes[(s - kThemeStanceSeries) / kStanceCount]));
    key->set_target(std::string(base::kTargets[rest / kPositionCount]));
    key->set_position(std::string(base::kPositions[rest % kPositionCount]));
  }
  if (s >= kLeanSeries && s < kSeriesCount) key->set_lean(std::string(base::kLeans[s - kLeanSeries]));
  if (which.slice >= kGroupSlice && which.slice < kSlotSlice)
    key->set_publisher_group(std::string(base::kPublisherGroups[which.slice - kGroupSlice]));
  else if (which.slice >= kLanguageSlice && which.slice < kGroupSlice)
    key->set_language(std::string(base::kLanguages[which.slice - kLanguageSlice]));
}

std::string SeriesName(SeriesId series) {
  if (series == kAnySeries) return "any";
  if (series == kRelevantSeries) return "relevant";
  if (series == kIrrelevantSeries) return "irrelevant";
  if (IsQuerySeries(series)) return "query#" + std::to_string(series - kSeriesCount);
  v1::SeriesKey key;
  FillSeriesKey({series, kAllSlice}, &key);
  std::string out;
  const auto add = [&out](std::string_view name, const std::string& value) {
    if (value.empty()) return;
    if (!out.empty()) out += ',';
    out.append(name).append("=").append(value);
  };
  add("theme", key.theme());
  add("target", key.target());
  add("position", key.position());
  add("lean", key.lean());
  return out;
}

std::vector<SeriesId> DefaultSeries() {
  std::vector<SeriesId> out;
  for (SeriesId s = kThemeSeries; s < kThemeStanceSeries; ++s) out.push_back(s);
  for (SeriesId s = kLeanSeries; s < kSeriesCount; ++s) out.push_back(s);
  return out;
}

}  // namespace racewatch::store
