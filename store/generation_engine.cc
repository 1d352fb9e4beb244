#include "store/generation_engine.h"

#include <utility>

#include "store/failed_view.h"
#include "store/progress.h"

namespace racewatch::store {
namespace {

bool PerGeneration(Table table, std::string_view key) {
  switch (table) {
    case Table::kArticle:
    case Table::kDetail:
    case Table::kTime:
    case Table::kStory:
    case Table::kFamily: return true;
    case Table::kWindow: return key.empty() || static_cast<WindowKind>(key.front()) != WindowKind::kFirst;
    default: return false;
  }
}

constexpr size_t kPrefixBytes = sizeof(uint32_t) + 1;

Batch Mapped(const Batch& batch, uint32_t generation) {
  Batch out;
  for (const Write& write : batch.writes()) {
    Place place = PlaceOf(generation, write.table, write.key);
    if (write.kind == Write::Kind::kPut) out.Put(place.table, std::move(place.key), write.value);
    if (write.kind == Write::Kind::kDelete) out.Delete(place.table, std::move(place.key));
    if (write.kind == Write::Kind::kDeleteRange)
      out.DeleteRange(place.table, std::move(place.key),
                      place.table == write.table ? write.value : GenerationKey(generation, static_cast<uint8_t>(write.table), write.value));
  }
  for (const auto& [table, value] : batch.appends()) out.Append(table, value);
  for (const Expectation& expected : batch.expectations()) {
    Place place = PlaceOf(generation, expected.table, expected.key);
    out.Expect(place.table, std::move(place.key), expected.value, expected.moment);
  }
  for (CountChange change : batch.counts()) {
    if (change.generation == 0) change.generation = generation;
    out.Count(std::move(change));
  }
  for (const auto& owner : batch.owners()) {
    if (owner.next_offset < 0) out.Require(owner.claim);
    else out.Advance(owner.claim, owner.next_offset);
  }
  return out;
}

}  // namespace

Place PlaceOf(uint32_t generation, Table table, std::string_view key) {
  if (generation == 0 || !PerGeneration(table, key)) return {table, std::string(key)};
  return {Table::kGeneration, GenerationKey(generation, static_cast<uint8_t>(table), key)};
}

base::Result<std::optional<std::string>> GenerationView::Get(Table table, std::string_view key) const {
  const Place place = PlaceOf(generation_, table, key);
  return whole_.Get(place.table, place.key);
}

base::Result<std::vector<std::optional<std::string>>> GenerationView::MultiGet(Table table,
                                                                               const std::vector<std::string_view>& keys) const {
  // Only windows lie partly in one table, partly in the other.
  if (generation_ == 0 || !PerGeneration(table, "")) return whole_.MultiGet(table, keys);
  std::vector<std::string> mapped;
  mapped.reserve(keys.size());
  for (const std::string_view key : keys) {
    if (!PerGeneration(table, key)) return base::Internal("generation: windows of first taggings are read one by one");
    mapped.push_back(GenerationKey(generation_, static_cast<uint8_t>(table), key));
  }
  return whole_.MultiGet(Table::kGeneration, {mapped.begin(), mapped.end()});
}

base::Status GenerationView::Scan(Table table, std::string_view begin, std::string_view end, bool reverse,
                                  const Visit& visit) const {
  if (generation_ == 0 || !PerGeneration(table, "")) return whole_.Scan(table, begin, end, reverse, visit);
  const auto number = static_cast<uint8_t>(table);
  const std::string low = GenerationKey(generation_, number, begin);
  const std::string high = end.empty() ? GenerationKey(generation_, number + 1, "") : GenerationKey(generation_, number, end);
  return whole_.Scan(Table::kGeneration, low, high, reverse,
                     [&visit](std::string_view key, std::string_view value) { return visit(key.substr(kPrefixBytes), value); });
}

base::Status GenerationEngine::Bind() {
  RW_ASSIGN_OR_RETURN(row_, whole_.Get(Table::kMeta, kGenerationsKey));
  RW_ASSIGN_OR_RETURN(bound_, Generations::Decode(row_));
  active_ = bound_.active;
  return {};
}

base::Result<std::optional<std::string>> GenerationEngine::Get(Table table, std::string_view key) const {
  return GenerationView(whole_, active_).Get(table, key);
}
base::Result<std::vector<std::optional<std::string>>> GenerationEngine::MultiGet(Table table,
                                                                                 const std::vector<std::string_view>& keys) const {
  return GenerationView(whole_, active_).MultiGet(table, keys);
}
base::Status GenerationEngine::Scan(Table table, std::string_view begin, std::string_view end, bool reverse,
                                    const Visit& visit) const {
  return GenerationView(whole_, active_).Scan(table, begin, end, reverse, visit);
}

// Alone, the thread that binds is also the only one that switches: nothing can have changed in between.
base::Status GenerationEngine::CommitAs(const Batch& batch, base::Status (Engine::*commit)(const Batch&)) {
  if (active_ == 0 && !whole_.shared()) return (whole_.*commit)(batch);
  Batch mapped = Mapped(batch, active_);
  if (whole_.shared()) mapped.Expect(Table::kMeta, std::string(kGenerationsKey), row_);
  base::Status status = (whole_.*commit)(mapped);
  if (status.code() == base::Code::kAborted) RW_RETURN_IF_ERROR(Bind());
  return status;
}

std::unique_ptr<View> GenerationEngine::Snapshot() const {
  auto snapshot = whole_.Snapshot();
  const auto generations = ReadGenerations(*snapshot);
  // Reading generation 0 in place of one that could not be learnt would be the mixture that must not be.
  if (!generations.ok()) return std::make_unique<FailedView>(generations.status());
  return std::make_unique<GenerationView>(std::move(snapshot), generations->active);
}

base::Result<std::unique_ptr<GenerationView>> SnapshotOfModel(const Engine& engine, const std::string& model_version) {
  auto snapshot = engine.whole().Snapshot();
  RW_ASSIGN_OR_RETURN(const Generations generations, ReadGenerations(*snapshot));
  const Generation* found = nullptr;
  std::string known;
  for (const Generation& one : generations.all) {
    if (one.state == Generation::State::kAbandoned) continue;
    known += (known.empty() ? "" : ", ") + one.model_version;
    if (one.model_version == model_version && (found == nullptr || one.number > found->number)) found = &one;
  }
  if (found == nullptr)
    return base::NotFound("model_version '" + model_version.substr(0, 80) + "': no series of it; there are " + (known.empty() ? "none beside the active ones" : known));
  return std::make_unique<GenerationView>(std::move(snapshot), found->number);
}

base::Result<uint32_t> FirstDayWithStories(const View& view, std::optional<uint32_t> generation) {
  if (!generation) {
    RW_ASSIGN_OR_RETURN(const Generations generations, ReadGenerations(view));
    generation = generations.active;
  }
  if (*generation == 0) return uint32_t{0};
  RW_ASSIGN_OR_RETURN(const auto stored, view.Get(Table::kMeta, kLeadsKey));
  return DecodeFrozen(stored);
}

}  // namespace racewatch::store
