#include "store/generation_cleanup.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "store/generation_engine.h"
#include "store/progress.h"
#include "store/retag_status.h"

namespace racewatch::store {
namespace {

using State = Generation::State;

constexpr Table kArticleTables[] = {Table::kArticle, Table::kDetail, Table::kTime, Table::kStory};
constexpr Table kCountTables[] = {Table::kWindow, Table::kFamily};

// The first rows of these tables of the generation, at most `rows_max`; how many.
base::Result<size_t> DeleteRows(const Engine& whole, uint32_t generation, const auto& tables, size_t rows_max, Batch* batch) {
  const GenerationView view(whole, generation);
  size_t rows = 0;
  for (const Table table : tables) {
    RW_RETURN_IF_ERROR(view.Scan(table, "", "", false, [&](std::string_view key, std::string_view) {
      if (rows == rows_max) return false;
      Place place = PlaceOf(generation, table, key);
      batch->Delete(place.table, std::move(place.key));
      ++rows;
      return true;
    }));
  }
  return rows;
}

void DeleteRange(uint32_t generation, Table table, const std::string& begin, const std::string& end, Batch* batch) {
  Place from = PlaceOf(generation, table, begin), to = PlaceOf(generation, table, end);
  batch->DeleteRange(from.table, std::move(from.key), std::move(to.key));
}

// Hour counts beyond their age; false when the oldest is young enough.
base::Result<bool> DeleteHours(const Engine& whole, uint32_t generation, uint32_t first_hour, Batch* batch) {
  const GenerationView view(whole, generation);
  bool due = false;
  RW_RETURN_IF_ERROR(view.Scan(Table::kWindow, WindowRowKey(WindowKind::kHour, kAllSlice, 0), WindowRowKey(WindowKind::kHour, kAllSlice, first_hour),
                               false, [&](std::string_view, std::string_view) { return due = true, false; }));
  if (!due) return false;
  for (Slice slice = 0; slice < kSlicesPerWindow; ++slice)
    DeleteRange(generation, Table::kWindow, WindowRowKey(WindowKind::kHour, slice, 0), WindowRowKey(WindowKind::kHour, slice, first_hour), batch);
  DeleteRange(generation, Table::kFamily, FamilyRowPrefix(WindowKind::kHour, 0), FamilyRowPrefix(WindowKind::kHour, first_hour), batch);
  return true;
}

base::Status DeleteCovered(const Engine& whole, uint32_t generation, Batch* batch) {
  RW_ASSIGN_OR_RETURN(const Offsets covered, ReadCovered(whole, generation));
  for (const auto& [where, offset] : covered) batch->Delete(Table::kMeta, CoveredKey(generation, where));
  return {};
}

// Nothing is left to remove: says so in the list.
base::Status Settle(const Engine& whole, Generations generations, uint32_t number, Batch* batch) {
  const std::string before = generations.Encode();
  RW_RETURN_IF_ERROR(DeleteCovered(whole, number, batch));
  std::erase_if(generations.all, [&](const Generation& one) { return one.number == number && one.state == State::kAbandoned; });
  for (Generation& one : generations.all)
    if (one.number == number && one.state == State::kClosed) one.state = State::kKept;
  batch->Replace(Table::kMeta, std::string(kGenerationsKey), before, generations.Encode());
  return {};
}

}  // namespace

base::Result<bool> CleanGenerations(Engine& whole, const Generations& generations, uint32_t hour_windows_days, const Claim& leader,
                                    size_t rows_max) {
  for (const Generation& one : generations.all) {
    Batch batch;
    batch.Require(leader);
    if (one.state == State::kClosed || one.state == State::kAbandoned) {
      RW_ASSIGN_OR_RETURN(size_t rows, DeleteRows(whole, one.number, kArticleTables, rows_max, &batch));
      if (rows == 0 && one.state == State::kAbandoned) {
        RW_ASSIGN_OR_RETURN(rows, DeleteRows(whole, one.number, kCountTables, rows_max, &batch));
      }
      if (rows == 0) RW_RETURN_IF_ERROR(Settle(whole, generations, one.number, &batch));
      RW_RETURN_IF_ERROR(whole.Commit(batch));
      return true;
    }
    if (one.state != State::kKept) continue;
    RW_ASSIGN_OR_RETURN(const Progress progress, ReadProgress(whole));
    const auto today = static_cast<uint32_t>(progress.stream_ms / kMsPerDay);
    RW_ASSIGN_OR_RETURN(const bool due, DeleteHours(whole, one.number, (today - std::min(today, hour_windows_days)) * 24, &batch));
    if (!due) continue;
    RW_RETURN_IF_ERROR(whole.Commit(batch));
    return true;
  }
  return false;
}

}  // namespace racewatch::store
