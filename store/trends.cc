#include "store/trends.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <unordered_map>

#include "store/progress.h"

namespace racewatch::store {
namespace {

constexpr uint32_t kCoverageDays = 7;
constexpr size_t kSamplesMin = 3;

using Rows = std::unordered_map<uint32_t, WindowRow>;

base::Result<Rows> ReadRows(const View& view, WindowKind kind, Slice slice, uint32_t from, uint32_t to) {
  Rows rows;
  base::Status damage;
  RW_RETURN_IF_ERROR(view.Scan(Table::kWindow, WindowRowKey(kind, slice, from), WindowRowKey(kind, slice, to), false,
                               [&](std::string_view key, std::string_view value) {
                                 const auto name = ParseWindowRowKey(key);
                                 auto row = WindowRow::Decode(value);
                                 if (!name.ok() || !row.ok()) return damage = name.ok() ? row.status() : name.status(), false;
                                 rows.emplace(name->window, std::move(row).value());
                                 return true;
                               }));
  RW_RETURN_IF_ERROR(damage);
  return rows;
}

base::UnixMs WindowMs(WindowKind kind) { return kind == WindowKind::kDay ? kMsPerDay : kMsPerHour; }

base::Result<uint32_t> FirstWindow(const View& view, WindowKind kind) {
  RW_ASSIGN_OR_RETURN(const Progress progress, ReadProgress(view));
  return kind == WindowKind::kDay ? progress.first_hour / 24 : progress.first_hour;
}

// Seen counts of the windows comparable to `window`, since the first data.
std::vector<uint32_t> Comparable(const std::map<uint32_t, uint32_t>& seen, WindowKind kind, uint32_t window,
                                 uint32_t first) {
  std::vector<uint32_t> samples;
  const auto take = [&](int64_t w) {
    if (w < first || w >= window) return;
    const auto at = seen.find(static_cast<uint32_t>(w));
    samples.push_back(at == seen.end() ? 0 : at->second);
  };
  for (uint32_t day = 1; day <= kCoverageDays; ++day) {
    if (kind == WindowKind::kDay) {
      take(int64_t{window} - day);
      continue;
    }
    for (const int shift : {-1, 0, 1}) take(int64_t{window} - 24 * int64_t{day} + shift);
  }
  return samples;
}

Coverage Judge(uint32_t seen, std::vector<uint32_t> samples, bool before_first, double elapsed) {
  Coverage out;
  out.seen = seen;
  if (before_first) return out;
  if (samples.size() < kSamplesMin) {
    out.expected = seen;
  } else {
    std::nth_element(samples.begin(), samples.begin() + static_cast<long>(samples.size() / 4), samples.end());
    out.expected = static_cast<uint32_t>(samples[samples.size() / 4] * elapsed);
  }
  out.ratio = out.expected == 0 ? 1 : std::min(1.0, static_cast<double>(seen) / out.expected);
  return out;
}

}  // namespace

Share WilsonShare(uint64_t part, uint64_t of) {
  if (of == 0) return {};
  constexpr double z = 1.959963984540054;  // the 97.5 % point of the normal distribution
  const auto n = static_cast<double>(of);
  const double p = static_cast<double>(part) / n;
  const double centre = p + z * z / (2 * n);
  const double half = z * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  const double scale = 1 + z * z / n;
  return {p, std::max(0.0, (centre - half) / scale), std::min(1.0, (centre + half) / scale)};
}

base::Result<std::vector<Coverage>> ReadCoverage(const View& view, WindowKind kind, Slice slice, uint32_t from,
                                                 uint32_t to, base::UnixMs now) {
  const uint32_t back = kind == WindowKind::kDay ? kCoverageDays : kCoverageDays * 24 + 1;
  RW_ASSIGN_OR_RETURN(const uint32_t first, FirstWindow(view, kind));
  RW_ASSIGN_OR_RETURN(const Rows rows, ReadRows(view, kind, slice, from > back ? from - back : 0, to));
  std::map<uint32_t, uint32_t> seen;
  for (const auto& [window, row] : rows) seen[window] = row.Get(kAnySeries, Measure::kPublishers);
  std::vector<Coverage> out;
  out.reserve(to - from);
  for (uint32_t window = from; window < to; ++window) {
    const auto at = seen.find(window);
    const base::UnixMs start = window * WindowMs(kind);
    const double elapsed = std::clamp(static_cast<double>(now - start) / static_cast<double>(WindowMs(kind)), 0.0, 1.0);
    out.push_back(Judge(at == seen.end() ? 0 : at->second, Comparable(seen, kind, window, first),
                        first == 0 || window < first, elapsed));
  }
  return out;
}

base::Result<std::vector<std::vector<Point>>> ReadPoints(const View& view, WindowKind kind, Slice slice,
                                                         const std::vector<SeriesId>& series, uint32_t from,
                                                         uint32_t to, base::UnixMs now) {
  RW_ASSIGN_OR_RETURN(const Rows rows, ReadRows(view, kind, slice, from, to));
  std::vector<Coverage> coverage;
  if (kind == WindowKind::kHour || kind == WindowKind::kDay) {
    // Coverage is a property of the sources, so language slices show that of all sources.
    const Slice sources = slice >= kGroupSlice && slice < kSlotSlice ? slice : kAllSlice;
    RW_ASSIGN_OR_RETURN(coverage, ReadCoverage(view, kind, sources, from, to, now));
  }
  std::vector<std::vector<Point>> out(series.size());
  static const WindowRow kEmpty;
  for (uint32_t window = from; window < to; ++window) {
    const auto at = rows.find(window);
    const WindowRow& row = at == rows.end() ? kEmpty : at->second;
    const uint32_t relevant = row.Get(kRelevantSeries, Measure::kArticles), any = row.Get(kAnySeries, Measure::kArticles);
    for (size_t i = 0; i < series.size(); ++i) {
      Point point;
      point.window = window;
      point.articles = row.Get(series[i], Measure::kArticles);
      point.stories = row.Get(series[i], Measure::kStories);
      point.publishers = row.Get(series[i], Measure::kPublishers);
      point.of = IsQuerySeries(series[i]) ? any : relevant;
      point.share = WilsonShare(point.articles, point.of);
      point.coverage = coverage.empty() ? 1 : coverage[window - from].ratio;
      out[i].push_back(point);
    }
  }
  return out;
}

base::Result<WindowRow> ReadRow(const View& view, WindowKind kind, Slice slice, uint32_t window) {
  RW_ASSIGN_OR_RETURN(const auto stored, view.Get(Table::kWindow, WindowRowKey(kind, slice, window)));
  if (!stored) return WindowRow();
  return WindowRow::Decode(*stored);
}

base::Result<std::vector<uint64_t>> ReadTrailing(const View& view, Trailing window, base::UnixMs now) {
  std::vector<uint64_t> out(kSeriesMax);
  const auto add = [&out](const WindowRow& row) {
    for (SeriesId s = 0; s < kSeriesMax; ++s) out[s] += row.Get(s, Measure::kArticles);
  };
  if (window == Trailing::kHour) {
    constexpr base::UnixMs kSlot = kMsPerHour / 6;
    for (base::UnixMs slot = now / kSlot - 5; slot <= now / kSlot; ++slot) {
      RW_ASSIGN_OR_RETURN(const WindowRow row, ReadRow(view, WindowKind::kHour, static_cast<Slice>(kSlotSlice + slot % 6),
                                                       static_cast<uint32_t>(slot / 6)));
      add(row);
    }
    return out;
  }
  const auto end = static_cast<uint32_t>(now / kMsPerHour + 1);
  RW_ASSIGN_OR_RETURN(const Rows rows,
                      ReadRows(view, WindowKind::kHour, kAllSlice, end - (window == Trailing::kDay ? 24 : 168), end));
  for (const auto& [number, row] : rows) add(row);
  return out;
}

}  // namespace racewatch::store
