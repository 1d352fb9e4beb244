#include "store/progress.h"

#include <algorithm>

#include "store/codec.h"

namespace racewatch::store {
namespace {

constexpr std::string_view kPrefix = "progress/";
constexpr uint64_t kLayout = 3;  // 2: without models

}  // namespace

std::string Progress::Encode() const {
  std::string out;
  AppendVarint(&out, kLayout);
  AppendSigned(&out, stream_ms);
  AppendVarint(&out, first_hour);
  AppendText(&out, model_version);
  AppendVarint(&out, models.size());
  for (const ModelSpan& span : models) {
    AppendVarint(&out, span.generation);
    AppendText(&out, span.model_version);
    AppendVarint(&out, span.first_hour);
    AppendVarint(&out, span.last_hour);
    out.push_back(static_cast<char>(span.undated));
  }
  return out;
}

base::Result<Progress> Progress::Decode(std::string_view bytes) {
  Reader in(bytes);
  Progress out;
  const uint64_t version = in.Varint();
  out.stream_ms = in.Signed();
  out.first_hour = static_cast<uint32_t>(in.Varint());
  out.model_version = std::string(in.Text());
  if (version == 2) out.NoteUnknown();
  for (uint64_t left = version == kLayout ? in.Varint() : 0; left > 0 && in.ok(); --left) {
    ModelSpan& span = out.models.emplace_back();
    span.generation = static_cast<uint32_t>(in.Varint());
    span.model_version = std::string(in.Text());
    span.first_hour = static_cast<uint32_t>(in.Varint());
    span.last_hour = static_cast<uint32_t>(in.Varint());
    span.undated = in.Big<uint8_t>() != 0;
  }
  if (!in.ok() || version < 2 || version > kLayout) return base::DataLoss("progress row: damaged");
  return out;
}

void Progress::Note(uint32_t generation, const std::string& version, const EventTime& event) {
  auto at = std::find_if(models.begin(), models.end(), [&](const ModelSpan& span) { return span.generation == generation && span.model_version == version; });
  if (at == models.end()) {
    if (models.size() == kModelSpansMax) {
      ModelSpan& oldest = models[0];
      const ModelSpan& next = models[1];
      oldest = {kAnyGeneration, "", std::min(oldest.first_hour, next.first_hour), std::max(oldest.last_hour, next.last_hour), oldest.undated || next.undated};
      models.erase(models.begin() + 1);
    }
    at = models.insert(models.end(), ModelSpan{generation, version});
  }
  if (event.ms <= 0) {
    at->undated = true;
    return;
  }
  const auto hour = static_cast<uint32_t>(event.ms / kMsPerHour);
  at->first_hour = std::min(at->first_hour, event.day_only ? hour / 24 * 24 : hour);
  at->last_hour = std::max(at->last_hour, event.day_only ? hour / 24 * 24 + 23 : hour);
}

void Progress::NoteUnknown() {
  if (first_hour != 0) models.push_back({kAnyGeneration, "", first_hour, static_cast<uint32_t>(stream_ms / kMsPerHour) + 1, true});
}

bool Progress::IsOf(const std::string& version, uint32_t generation, uint32_t from, uint32_t to, bool undated) const {
  return std::none_of(models.begin(), models.end(), [&](const ModelSpan& span) {
    if (span.generation != generation && span.generation != kAnyGeneration) return false;
    return span.model_version != version && ((span.first_hour < to && span.last_hour >= from) || (undated && span.undated));
  });
}

void Progress::Merge(const Progress& other) {
  models.insert(models.end(), other.models.begin(), other.models.end());
  if (other.first_hour != 0 && (first_hour == 0 || other.first_hour < first_hour)) first_hour = other.first_hour;
  if (other.stream_ms < stream_ms || (other.stream_ms == stream_ms && !model_version.empty())) return;
  stream_ms = other.stream_ms;
  model_version = other.model_version;
}

std::string ProgressKey(const base::TopicPartition& where) {
  return std::string(kPrefix) + where.topic + "/" + std::to_string(where.partition);
}

base::Result<Progress> ReadProgress(const View& view) {
  Progress all;
  base::Status damage;
  std::string end(kPrefix);
  ++end.back();
  RW_RETURN_IF_ERROR(view.Scan(Table::kMeta, kPrefix, end, false, [&](std::string_view, std::string_view value) {
    const auto one = Progress::Decode(value);
    if (one.ok()) all.Merge(*one);
    else damage = one.status();
    return damage.ok();
  }));
  RW_RETURN_IF_ERROR(damage);
  return all;
}

std::string EncodeFrozen(uint32_t first_open_day) {
  std::string out;
  AppendVarint(&out, first_open_day);
  return out;
}

base::Result<uint32_t> DecodeFrozen(const std::optional<std::string>& stored) {
  if (!stored) return uint32_t{0};
  Reader in(*stored);
  const auto day = static_cast<uint32_t>(in.Varint());
  if (!in.ok() || !in.done()) return base::DataLoss("frozen row: damaged");
  return day;
}

}  // namespace racewatch::store
