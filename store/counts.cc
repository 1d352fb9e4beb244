#include "store/counts.h"

#include <algorithm>
#include <array>
#include <set>
#include <unordered_map>
#include <utility>

#include "store/codec.h"

namespace racewatch::store {
namespace {

constexpr size_t kCells = kSeriesCount * kMeasures;     // those of the labels, allotted at once
constexpr size_t kCellsMax = kSeriesMax * kMeasures;
constexpr uint32_t kFamilySlices = 32;  // a power of two above kSlicesPerWindow
static_assert(kSlicesPerWindow <= kFamilySlices);

// Times occurring, per series × slice, ascending by cell.
class FamilyRow {
 public:
  // The count after adding `delta`; -1 when it would fall below zero.
  int64_t Add(uint32_t cell, int delta) {
    auto at = std::lower_bound(cells_.begin(), cells_.end(), cell,
                               [](const auto& entry, uint32_t wanted) { return entry.first < wanted; });
    if (at == cells_.end() || at->first != cell) at = cells_.insert(at, {cell, 0});
    if (delta < 0 && at->second == 0) return -1;
    at->second += static_cast<uint32_t>(delta);
    return at->second;
  }
  std::string Encode() const {
    std::string out;
    uint32_t last = 0;
    for (const auto& [cell, n] : cells_) {
      if (n == 0) continue;
      AppendVarint(&out, cell - last);
      AppendVarint(&out, n);
      last = cell;
    }
    return out;
  }
  static base::Result<FamilyRow> Decode(std::string_view bytes) {
    FamilyRow row;
    Reader in(bytes);
    uint64_t cell = 0;
    while (!in.done()) {
      cell += in.Varint();
      const uint64_t n = in.Varint();
      if (!in.ok() || cell >= uint64_t{kSeriesMax} * kFamilySlices) return base::DataLoss("family row: damaged");
      row.cells_.push_back({static_cast<uint32_t>(cell), static_cast<uint32_t>(n)});
    }
    return row;
  }
  const std::vector<std::pair<uint32_t, uint32_t>>& cells() const { return cells_; }

 private:
  std::vector<std::pair<uint32_t, uint32_t>> cells_;
};

template <typename Row>
struct Cached {
  CountLedger::Kind kind;
  Row row;
  uint64_t used = 0;  // number of the transaction that touched it last
};

template <typename Row>
using Cache = std::unordered_map<std::string, Cached<Row>>;

// Drops what recent transactions left alone, then everything, until the cache fits again.
template <typename Row>
void Shrink(Cache<Row>* cache, size_t rows_max, uint64_t now) {
  for (const uint64_t age : {16u, 4u, 0u}) {
    if (cache->size() <= rows_max) return;
    std::erase_if(*cache, [&](const auto& entry) { return entry.second.used + age <= now; });
  }
}

// The slices of a window that one article counts in.
constexpr size_t kSlicesOfOne = 4;
size_t SlicesOf(const Contribution& what, WindowKind kind, std::array<Slice, kSlicesOfOne>* out) {
  *out = {kAllSlice, static_cast<Slice>(kLanguageSlice + what.language), static_cast<Slice>(kGroupSlice + what.group), 0};
  if (kind == WindowKind::kFirst) return 2;
  if (kind != WindowKind::kHour || !what.live) return 3;
  (*out)[3] = static_cast<Slice>(kSlotSlice + what.event.ms % kMsPerHour / (kMsPerHour / 6));
  return 4;
}

std::vector<std::pair<WindowKind, uint32_t>> WindowsOf(const CountChange& change) {
  if (change.first) return {{WindowKind::kFirst, 0}};
  const EventTime& event = change.what.event;
  if (event.ms <= 0) return {{WindowKind::kAll, 0}, {WindowKind::kUndated, 0}};
  const std::pair day{WindowKind::kDay, static_cast<uint32_t>(event.ms / kMsPerDay)};
  if (event.day_only) return {{WindowKind::kAll, 0}, day};
  return {{WindowKind::kAll, 0}, day, {WindowKind::kHour, static_cast<uint32_t>(event.ms / kMsPerHour)}};
}

bool HasFamily(const CountChange& change, WindowKind kind) {
  return change.measure == Measure::kArticles && kind != WindowKind::kFirst && kind != WindowKind::kUndated;
}

using RowName = std::pair<CountLedger::Kind, std::string>;

// Where a row of the change's generation lies.
RowName Name(const CountChange& change, CountLedger::Kind kind, std::string key) {
  if (change.generation == 0 || change.first) return {kind, std::move(key)};
  return {CountLedger::Kind::kGeneration, GenerationKey(change.generation, static_cast<uint8_t>(kind), key)};
}

RowName WindowName(const CountChange& change, WindowKind kind, Slice slice, uint32_t window) {
  return Name(change, CountLedger::Kind::kWindow, WindowRowKey(kind, slice, window));
}

RowName FamilyName(const CountChange& change, WindowKind kind, uint32_t window) {
  std::string key = FamilyRowPrefix(kind, window);
  AppendBig(&key, change.what.family);
  return Name(change, CountLedger::Kind::kFamily, std::move(key));
}

}  // namespace

std::string GenerationKey(uint32_t generation, uint8_t table, std::string_view key) {
  std::string out;
  AppendBig(&out, generation);
  AppendBig(&out, table);
  return out.append(key);
}

bool WindowRow::Add(SeriesId series, Measure measure, int delta) {
  const size_t index = series * kMeasures + static_cast<size_t>(measure);
  if (index >= cells_.size()) cells_.resize(std::max(kCells, (series + size_t{1}) * kMeasures));
  uint32_t& cell = cells_[index];
  if (delta < 0 && cell < static_cast<uint32_t>(-delta)) return false;
  cell += static_cast<uint32_t>(delta);
  return true;
}

std::string WindowRow::Encode() const {
  std::string out;
  size_t last = 0;
  for (size_t i = 0; i < cells_.size(); ++i) {
    if (cells_[i] == 0) continue;
    AppendVarint(&out, i - last);
    AppendVarint(&out, cells_[i]);
    last = i;
  }
  return out;
}

base::Result<WindowRow> WindowRow::Decode(std::string_view bytes) {
  WindowRow row;
  if (bytes.empty()) return row;
  row.cells_.resize(kCells);
  Reader in(bytes);
  uint64_t cell = 0;
  while (!in.done()) {
    cell += in.Varint();
    const uint64_t n = in.Varint();
    if (!in.ok() || cell >= kCellsMax) return base::DataLoss("window row: damaged");
    if (cell >= row.cells_.size()) row.cells_.resize(cell + 1);
    row.cells_[cell] = static_cast<uint32_t>(n);
  }
  return row;
}

std::string WindowRowKey(WindowKind kind, Slice slice, uint32_t window) {
  std::string key{static_cast<char>(kind), static_cast<char>(slice)};
  AppendBig(&key, window);
  return key;
}

base::Result<WindowRowName> ParseWindowRowKey(std::string_view key) {
  Reader in(key);
  const WindowRowName name{static_cast<WindowKind>(in.Big<uint8_t>()), in.Big<uint8_t>(), in.Big<uint32_t>()};
  if (!in.ok() || !in.done()) return base::DataLoss("window row key: damaged");
  return name;
}

std::string FamilyRowPrefix(WindowKind kind, uint32_t window) {
  std::string key{static_cast<char>(kind)};
  AppendBig(&key, window);
  return key;
}

base::Status DecodeFamilyRow(std::string_view bytes, const std::function<void(SeriesId, Slice, uint32_t)>& visit) {
  RW_ASSIGN_OR_RETURN(const FamilyRow row, FamilyRow::Decode(bytes));
  for (const auto& [cell, n] : row.cells())
    visit(static_cast<SeriesId>(cell / kFamilySlices), static_cast<Slice>(cell % kFamilySlices), n);
  return {};
}

struct CountLedger::Impl {
  size_t window_rows_max;
  size_t family_rows_max;
  Cache<WindowRow> windows;
  Cache<FamilyRow> families;
  uint64_t transaction = 1;
  std::vector<typename Cache<WindowRow>::value_type*> dirty_windows;
  std::vector<typename Cache<FamilyRow>::value_type*> dirty_families;
  std::vector<SeriesId> series;  // reused between changes

  template <typename Row>
  base::Result<Row*> Find(Cache<Row>* cache, std::vector<typename Cache<Row>::value_type*>* dirty, const RowName& name,
                          const Load& load) {
    const auto& [kind, key] = name;
    auto at = cache->find(key);
    if (at == cache->end()) {
      RW_ASSIGN_OR_RETURN(const auto stored, load(kind, key));
      Cached<Row> fresh{kind, {}};
      if (stored) {
        auto row = Row::Decode(*stored);
        if (!row.ok()) return row.status();
        fresh.row = std::move(row).value();
      }
      at = cache->emplace(key, std::move(fresh)).first;
    }
    if (at->second.used != transaction) {
      at->second.used = transaction;
      dirty->push_back(&*at);
    }
    return &at->second.row;
  }

  base::Status ApplyToWindow(const CountChange& change, WindowKind kind, uint32_t window, const Load& load);
  base::Status Apply(const CountChange& change, const Load& load);
};

base::Status CountLedger::Impl::ApplyToWindow(const CountChange& change, WindowKind kind, uint32_t window,
                                              const Load& load) {
  std::array<Slice, kSlicesOfOne> slices;
  const size_t slice_count = SlicesOf(change.what, kind, &slices);
  std::array<WindowRow*, kSlicesOfOne> rows{};
  for (size_t i = 0; i < slice_count; ++i) {
    RW_ASSIGN_OR_RETURN(rows[i], Find(&windows, &dirty_windows, WindowName(change, kind, slices[i], window), load));
  }
  FamilyRow* family = nullptr;
  if (HasFamily(change, kind)) {
    RW_ASSIGN_OR_RETURN(family, Find(&families, &dirty_families, FamilyName(change, kind, window), load));
  }
  for (const SeriesId s : series) {
    for (size_t i = 0; i < slice_count; ++i) {
      if (!rows[i]->Add(s, change.measure, change.sign)) return base::Internal("count of " + SeriesName(s) + " below zero");
      if (family == nullptr) continue;
      const int64_t now = family->Add(s * kFamilySlices + slices[i], change.sign);
      if (now < 0) return base::Internal("family count of " + SeriesName(s) + " below zero");
      const bool crossed = change.sign > 0 ? now == 1 : now == 0;
      if (crossed && !rows[i]->Add(s, Measure::kPublishers, change.sign))
        return base::Internal("publishers of " + SeriesName(s) + " below zero");
    }
  }
  return {};
}

base::Status CountLedger::Impl::Apply(const CountChange& change, const Load& load) {
  SeriesOf(change.what.labels, &series);
  for (const QuerySlot slot : change.what.queries) series.push_back(QuerySeries(slot));
  for (const auto& [kind, window] : WindowsOf(change)) RW_RETURN_IF_ERROR(ApplyToWindow(change, kind, window, load));
  return {};
}

CountLedger::CountLedger(size_t window_rows_max, size_t family_rows_max) : impl_(std::make_unique<Impl>()) {
  impl_->window_rows_max = window_rows_max;
  impl_->family_rows_max = family_rows_max;
}
CountLedger::~CountLedger() = default;

base::Status CountLedger::Apply(const std::vector<CountChange>& changes, const Load& load, const Write& write) {
  for (const CountChange& change : changes) RW_RETURN_IF_ERROR(impl_->Apply(change, load));
  const auto by_key = [](const auto* a, const auto* b) { return a->first < b->first; };
  std::sort(impl_->dirty_windows.begin(), impl_->dirty_windows.end(), by_key);
  std::sort(impl_->dirty_families.begin(), impl_->dirty_families.end(), by_key);
  for (const auto* entry : impl_->dirty_windows) write(entry->second.kind, entry->first, entry->second.row.Encode());
  for (const auto* entry : impl_->dirty_families) write(entry->second.kind, entry->first, entry->second.row.Encode());
  return {};
}

std::vector<std::pair<CountLedger::Kind, std::string>> CountLedger::Missing(const std::vector<CountChange>& changes) const {
  std::set<std::pair<Kind, std::string>> names;
  for (const CountChange& change : changes)
    for (const auto& [kind, window] : WindowsOf(change)) {
      std::array<Slice, kSlicesOfOne> slices;
      const size_t count = SlicesOf(change.what, kind, &slices);
      for (size_t i = 0; i < count; ++i)
        if (RowName name = WindowName(change, kind, slices[i], window); !impl_->windows.contains(name.second))
          names.insert(std::move(name));
      if (!HasFamily(change, kind)) continue;
      if (RowName name = FamilyName(change, kind, window); !impl_->families.contains(name.second)) names.insert(std::move(name));
    }
  return {names.begin(), names.end()};
}

void CountLedger::Clear() {
  impl_->windows.clear();
  impl_->families.clear();
  impl_->dirty_windows.clear();
  impl_->dirty_families.clear();
}

void CountLedger::Committed() {
  impl_->dirty_windows.clear();
  impl_->dirty_families.clear();
  Shrink(&impl_->windows, impl_->window_rows_max, impl_->transaction);
  Shrink(&impl_->families, impl_->family_rows_max, impl_->transaction);
  ++impl_->transaction;
}

void CountLedger::RolledBack() {
  const uint64_t failed = impl_->transaction;
  std::erase_if(impl_->windows, [&](const auto& entry) { return entry.second.used == failed; });
  std::erase_if(impl_->families, [&](const auto& entry) { return entry.second.used == failed; });
  impl_->dirty_windows.clear();
  impl_->dirty_families.clear();
  ++impl_->transaction;
}

}  // namespace racewatch::store
