#include "store/counts.h"

#include <algorithm>
#include <array>
#include <bit>
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
constexpr size_t kVarintBytesMax = 5;  // of 32 bits

// Times occurring, per series × slice, ascending by cell.
class FamilyRow {
 public:
  struct Cell {
    uint32_t cell;
    uint32_t n;
  };
  // The count after adding `delta`; -1 when it would fall below zero. `near`: where the cell before was found, in a walk
  // over ascending cells from 0; they lie close to each other.
  int64_t Add(uint32_t cell, int delta, size_t* near) {
    const size_t at = Find(cell, *near);
    if (at == cells_.size() || cells_[at].cell != cell)
      cells_.insert(cells_.begin() + static_cast<std::ptrdiff_t>(at), Cell{cell, 0});
    *near = at;
    uint32_t& n = cells_[at].n;
    if (delta < 0 && n == 0) return -1;
    n += static_cast<uint32_t>(delta);
    return n;
  }
  void EncodeTo(std::string* out) const {
    out->resize(cells_.size() * 2 * kVarintBytesMax);
    char* end = out->data();
    uint32_t last = 0;
    for (const auto& [cell, n] : cells_) {
      if (n == 0) continue;
      end = WriteVarint(WriteVarint(end, cell - last), n);
      last = cell;
    }
    out->resize(static_cast<size_t>(end - out->data()));
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
  const std::vector<Cell>& cells() const { return cells_; }

 private:
  // The first position not before `cell`: looked for in growing steps from `from` on.
  size_t Find(uint32_t cell, size_t from) const {
    if (from > 0 && cells_[from - 1].cell >= cell) from = 0;
    size_t low = from, step = 1;
    while (low + step < cells_.size() && cells_[low + step].cell < cell) low += step, step *= 2;
    const auto begin = cells_.begin() + static_cast<std::ptrdiff_t>(low);
    const auto end = cells_.begin() + static_cast<std::ptrdiff_t>(std::min(low + step + 1, cells_.size()));
    const auto at = std::lower_bound(begin, end, cell, [](const Cell& one, uint32_t wanted) { return one.cell < wanted; });
    return static_cast<size_t>(at - cells_.begin());
  }
  std::vector<Cell> cells_;
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

void WindowRow::Grow(size_t cells) {
  cells_.resize(cells);
  used_.resize((cells + 63) / 64);
}

bool WindowRow::Add(SeriesId series, Measure measure, int delta) {
  const size_t index = series * kMeasures + static_cast<size_t>(measure);
  if (index >= cells_.size()) Grow(std::max(kCells, (series + size_t{1}) * kMeasures));
  uint32_t& cell = cells_[index];
  if (delta < 0 && cell < static_cast<uint32_t>(-delta)) return false;
  cell += static_cast<uint32_t>(delta);
  const uint64_t bit = uint64_t{1} << index % 64;
  if (cell != 0) used_[index / 64] |= bit;
  else used_[index / 64] &= ~bit;
  return true;
}

void WindowRow::EncodeTo(std::string* out) const {
  size_t cells = 0;
  for (const uint64_t word : used_) cells += static_cast<size_t>(std::popcount(word));
  out->resize(cells * 2 * kVarintBytesMax);
  char* end = out->data();
  size_t last = 0;
  for (size_t i = 0; i < used_.size(); ++i)
    for (uint64_t word = used_[i]; word != 0; word &= word - 1) {
      const size_t cell = i * 64 + static_cast<size_t>(std::countr_zero(word));
      end = WriteVarint(WriteVarint(end, cell - last), cells_[cell]);
      last = cell;
    }
  out->resize(static_cast<size_t>(end - out->data()));
}

base::Result<WindowRow> WindowRow::Decode(std::string_view bytes) {
  WindowRow row;
  if (bytes.empty()) return row;
  row.Grow(kCells);
  Reader in(bytes);
  uint64_t cell = 0;
  while (!in.done()) {
    cell += in.Varint();
    const uint64_t n = in.Varint();
    if (!in.ok() || cell >= kCellsMax) return base::DataLoss("window row: damaged");
    if (cell >= row.cells_.size()) row.Grow(cell + 1);
    row.cells_[cell] = static_cast<uint32_t>(n);
    if (row.cells_[cell] != 0) row.used_[cell / 64] |= uint64_t{1} << cell % 64;
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
  Part part;
  size_t window_rows_max;
  size_t family_rows_max;
  Cache<WindowRow> windows;
  Cache<FamilyRow> families;
  uint64_t transaction = 1;
  std::vector<typename Cache<WindowRow>::value_type*> dirty_windows;
  std::vector<typename Cache<FamilyRow>::value_type*> dirty_families;
  std::vector<SeriesId> series;  // reused between changes
  // The rows of a window that this transaction has touched, by slice: many changes lie in few windows.
  std::unordered_map<uint64_t, std::array<WindowRow*, kSlicesPerWindow>> touched;

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

  bool Counts(WindowKind kind) const { return part == Part::kWhole || (part == Part::kHours) == (kind == WindowKind::kHour); }
  base::Status ApplyToWindow(const CountChange& change, WindowKind kind, uint32_t window, const Load& load);
  base::Status Apply(const CountChange& change, const Load& load);
};

base::Status CountLedger::Impl::ApplyToWindow(const CountChange& change, WindowKind kind, uint32_t window,
                                              const Load& load) {
  std::array<Slice, kSlicesOfOne> slices;
  const size_t slice_count = SlicesOf(change.what, kind, &slices);
  std::array<WindowRow*, kSlicesOfOne> rows{};
  const uint64_t generation = change.first ? 0 : change.generation;
  auto& of_window = touched[generation << 40 | uint64_t{static_cast<uint8_t>(kind)} << 32 | window];
  for (size_t i = 0; i < slice_count; ++i) {
    WindowRow*& row = of_window[slices[i]];
    if (row == nullptr) {
      RW_ASSIGN_OR_RETURN(row, Find(&windows, &dirty_windows, WindowName(change, kind, slices[i], window), load));
    }
    rows[i] = row;
  }
  FamilyRow* family = nullptr;
  if (HasFamily(change, kind)) {
    RW_ASSIGN_OR_RETURN(family, Find(&families, &dirty_families, FamilyName(change, kind, window), load));
  }
  size_t near = 0;
  for (const SeriesId s : series) {
    for (size_t i = 0; i < slice_count; ++i) {
      if (!rows[i]->Add(s, change.measure, change.sign)) return base::Internal("count of " + SeriesName(s) + " below zero");
      if (family == nullptr) continue;
      const int64_t now = family->Add(s * kFamilySlices + slices[i], change.sign, &near);
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
  for (const auto& [kind, window] : WindowsOf(change))
    if (Counts(kind)) RW_RETURN_IF_ERROR(ApplyToWindow(change, kind, window, load));
  return {};
}

CountLedger::CountLedger(Part part, size_t window_rows_max, size_t family_rows_max) : impl_(std::make_unique<Impl>()) {
  impl_->part = part;
  impl_->window_rows_max = window_rows_max;
  impl_->family_rows_max = family_rows_max;
}
CountLedger::~CountLedger() = default;

base::Status CountLedger::Apply(const std::vector<CountChange>& changes, const Load& load, const Write& write) {
  impl_->touched.clear();
  for (const CountChange& change : changes) RW_RETURN_IF_ERROR(impl_->Apply(change, load));
  const auto by_key = [](const auto* a, const auto* b) { return a->first < b->first; };
  std::sort(impl_->dirty_windows.begin(), impl_->dirty_windows.end(), by_key);
  std::sort(impl_->dirty_families.begin(), impl_->dirty_families.end(), by_key);
  std::string value;
  const auto write_all = [&](const auto& dirty) {
    for (const auto* entry : dirty) {
      entry->second.row.EncodeTo(&value);
      write(entry->second.kind, entry->first, value);
    }
  };
  write_all(impl_->dirty_windows);
  write_all(impl_->dirty_families);
  return {};
}

std::vector<std::pair<CountLedger::Kind, std::string>> CountLedger::Missing(const std::vector<CountChange>& changes) const {
  std::set<std::pair<Kind, std::string>> names;
  for (const CountChange& change : changes)
    for (const auto& [kind, window] : WindowsOf(change)) {
      if (!impl_->Counts(kind)) continue;
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
