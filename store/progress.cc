#include "store/progress.h"

#include <algorithm>

#include "store/codec.h"

namespace racewatch::store {
namespace {

constexpr std::string_view kPrefix = "progress/";

}  // namespace

std::string Progress::Encode() const {
  std::string out;
  AppendVarint(&out, 2);
  AppendSigned(&out, stream_ms);
  AppendVarint(&out, first_hour);
  AppendText(&out, model_version);
  return out;
}

base::Result<Progress> Progress::Decode(std::string_view bytes) {
  Reader in(bytes);
  Progress out;
  const uint64_t version = in.Varint();
  out.stream_ms = in.Signed();
  out.first_hour = static_cast<uint32_t>(in.Varint());
  out.model_version = std::string(in.Text());
  if (!in.ok() || version != 2) return base::DataLoss("progress row: damaged");
  return out;
}

void Progress::Merge(const Progress& other) {
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
