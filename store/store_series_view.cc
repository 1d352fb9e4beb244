#include "store/store_series_view.h"

#include <algorithm>
#include <set>
#include <unordered_set>
#include <utility>

#include "racewatch/v1/alert.pb.h"
#include "racewatch/v1/store_service.pb.h"
#include "racewatch/v1/tagged_article.pb.h"
#include "store/codec.h"
#include "store/progress.h"
#include "store/trends.h"

namespace racewatch::store {
namespace {

constexpr size_t kReadChunk = 1000;
constexpr size_t kSnippetBytesMax = 240;

bool Counts(const Labels& labels, const std::vector<QuerySlot>& queries, SeriesId series) {
  if (!IsQuerySeries(series)) return Matches(labels, series);
  return std::binary_search(queries.begin(), queries.end(), series - kSeriesCount);
}

}  // namespace

std::string Snippet(const v1::Article& article) {
  const std::string& text = article.text().empty() ? article.title() : article.text();
  if (text.size() <= kSnippetBytesMax) return text;
  size_t end = kSnippetBytesMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end) + "…";
}

std::vector<std::string> LabelNames(const Labels& labels) {
  std::vector<std::string> out;
  for (size_t i = 0; i < kThemeCount; ++i)
    if (labels.themes >> i & 1u) out.push_back("theme:" + std::string(base::kThemes[i]));
  for (size_t i = 0; i < kTargetCount; ++i)
    if (labels.positions[i] != 0)
      out.push_back("stance:" + std::string(base::kTargets[i]) + ":" + std::string(base::kPositions[labels.positions[i] - 1]));
  if (labels.lean != 0) out.push_back("lean:" + std::string(base::kLeans[labels.lean - 1]));
  return out;
}

// The queries in force; none when they cannot be read, which status() remembers.
const std::vector<SavedQuery>& StoreSeriesView::Queries() const {
  if (!queries_) {
    auto read = ReadQueries(view_);
    if (!read.ok()) status_ = read.status();
    queries_ = read.ok() ? std::move(read).value() : std::vector<SavedQuery>();
  }
  return *queries_;
}

// kSeriesMax: a series that is not kept.
SeriesId StoreSeriesView::Find(const WatchedSeries& series) const {
  if (!series.query.empty()) {
    const SavedQuery* query = FindQuery(Queries(), series.query);
    return query ? QuerySeries(query->slot) : kSeriesMax;
  }
  v1::SeriesKey key;
  key.set_theme(series.theme);
  key.set_target(series.target);
  key.set_position(series.position);
  key.set_lean(series.lean);
  const auto parsed = ParseSeriesKey(key);
  return parsed.ok() ? parsed->series : kSeriesMax;
}

base::Status StoreSeriesView::ReadWindow(base::UnixMs from, base::UnixMs to, std::vector<Entry>* out) const {
  std::vector<std::string> ids;
  std::string begin, end;
  AppendBig(&begin, static_cast<uint32_t>(from / kMsPerHour));
  AppendBig(&end, static_cast<uint32_t>((to + kMsPerHour - 1) / kMsPerHour));
  RW_RETURN_IF_ERROR(view_.Scan(Table::kTime, begin, end, false, [&](std::string_view key, std::string_view) {
    ids.emplace_back(key.substr(sizeof(uint32_t)));
    return true;
  }));
  for (size_t start = 0; start < ids.size(); start += kReadChunk) {
    const size_t stop = std::min(ids.size(), start + kReadChunk);
    const std::vector<std::string_view> keys(ids.begin() + static_cast<long>(start), ids.begin() + static_cast<long>(stop));
    RW_ASSIGN_OR_RETURN(const auto rows, view_.MultiGet(Table::kArticle, keys));
    for (size_t i = 0; i < rows.size(); ++i) {
      if (!rows[i]) continue;
      RW_ASSIGN_OR_RETURN(const ArticleRow row, ArticleRow::Decode(*rows[i]));
      const EventTime& event = row.counted.event;
      if (!row.counted.live || event.day_only || event.ms < from || event.ms >= to) continue;
      if (!row.counted.labels.relevant && row.counted.queries.empty()) continue;
      out->push_back({std::string(keys[i]), event.ms, row.story.empty() ? std::string(keys[i]) : row.story,
                      row.counted.family, row.counted.labels, row.counted.queries});
    }
  }
  // Newest first; the id breaks ties, so a repeat of the step gives the same evidence.
  std::sort(out->begin(), out->end(), [](const Entry& a, const Entry& b) {
    return a.event_ms != b.event_ms ? a.event_ms > b.event_ms : a.id < b.id;
  });
  return {};
}

const std::vector<StoreSeriesView::Entry>& StoreSeriesView::Window(base::UnixMs from, base::UnixMs to) const {
  const auto [at, is_new] = windows_.try_emplace({from, to});
  if (is_new)
    if (auto status = ReadWindow(from, to, &at->second); !status.ok()) status_ = std::move(status);
  return at->second;
}

WindowCounts StoreSeriesView::Count(const WatchedSeries& series, base::UnixMs from, base::UnixMs to) const {
  const SeriesId id = Find(series);
  WindowCounts out;
  if (id == kSeriesMax) return out;
  std::unordered_set<std::string_view> stories;
  std::unordered_set<uint64_t> families;
  for (const Entry& entry : Window(from, to)) {
    if (!Counts(entry.labels, entry.queries, id)) continue;
    ++out.articles;
    stories.insert(entry.story);
    families.insert(entry.family);
  }
  out.stories = static_cast<uint32_t>(stories.size());
  out.publishers = static_cast<uint32_t>(families.size());
  return out;
}

std::vector<HourCounts> StoreSeriesView::Hours(const WatchedSeries& series, base::UnixMs from, base::UnixMs to) const {
  const auto first = static_cast<uint32_t>(from / kMsPerHour), last = static_cast<uint32_t>(to / kMsPerHour);
  std::vector<HourCounts> out(last - first);
  const SeriesId id = Find(series);
  const auto [at, is_new] = hours_.try_emplace({first, last});
  if (is_new) {
    // One reading of the rows serves every series that a rule may watch.
    std::vector<SeriesId> watchable = DefaultSeries();
    watchable.push_back(kRelevantSeries);
    for (const SavedQuery& query : Queries()) watchable.push_back(QuerySeries(query.slot));
    auto points = ReadPoints(view_, WindowKind::kHour, kAllSlice, watchable, first, last, now_);
    if (!points.ok()) {
      status_ = points.status();
      return out;
    }
    for (size_t i = 0; i < watchable.size(); ++i)
      for (const Point& point : (*points)[i]) at->second[watchable[i]].push_back({point.articles, point.stories, point.coverage});
    // Before a query was there it counted nothing, which says nothing about its level.
    for (const SavedQuery& query : Queries())
      for (uint32_t hour = first; hour < last && hour * kMsPerHour < query.since_ms; ++hour)
        at->second[QuerySeries(query.slot)][hour - first].coverage = 0;
  }
  const auto found = at->second.find(id);
  return found == at->second.end() ? out : found->second;
}

double StoreSeriesView::Coverage(base::UnixMs from, base::UnixMs to) const {
  const auto hours = ReadCoverage(view_, WindowKind::kHour, kAllSlice, static_cast<uint32_t>(from / kMsPerHour),
                                  static_cast<uint32_t>((to + kMsPerHour - 1) / kMsPerHour), now_);
  if (!hours.ok()) {
    status_ = hours.status();
    return 0;
  }
  double seen = 0, expected = 0, best = 0;
  for (const auto& hour : *hours) {
    seen += std::min(hour.seen, hour.expected);
    expected += hour.expected;
    best = std::max(best, hour.ratio);
  }
  return expected == 0 ? best : std::min(1.0, seen / expected);
}

std::vector<v1::AlertEvidence> StoreSeriesView::Evidence(const WatchedSeries& series, base::UnixMs from,
                                                         base::UnixMs to, size_t limit) const {
  const SeriesId id = Find(series);
  std::vector<const Entry*> chosen, repeats;
  std::set<std::string_view> stories;
  if (id != kSeriesMax)
    for (const Entry& entry : Window(from, to)) {
      if (!Counts(entry.labels, entry.queries, id)) continue;
      (stories.insert(entry.story).second ? chosen : repeats).push_back(&entry);
      if (chosen.size() >= limit) break;
    }
  for (size_t i = 0; i < repeats.size() && chosen.size() < limit; ++i) chosen.push_back(repeats[i]);
  std::vector<v1::AlertEvidence> out;
  for (const Entry* entry : chosen) {
    const auto detail = view_.Get(Table::kDetail, entry->id);
    v1::TaggedArticle article;
    if (!detail.ok() || !*detail || !article.ParseFromString(**detail)) {
      status_ = detail.ok() ? base::DataLoss("article detail: missing or damaged") : detail.status();
      continue;
    }
    v1::AlertEvidence evidence;
    evidence.set_article_id(article.article().id());
    evidence.set_title(article.article().title());
    evidence.set_url(article.article().url());
    evidence.set_publisher(article.article().publisher());
    evidence.mutable_published()->set_seconds(entry->event_ms / 1000);
    evidence.mutable_published()->set_nanos(static_cast<int32_t>(entry->event_ms % 1000) * 1'000'000);
    evidence.set_snippet(Snippet(article.article()));
    for (std::string& label : LabelNames(entry->labels)) evidence.add_labels(std::move(label));
    out.push_back(std::move(evidence));
  }
  return out;
}

std::string StoreSeriesView::ModelVersion() const {
  const auto progress = ReadProgress(view_);
  return progress.ok() ? progress->model_version : "";
}

}  // namespace racewatch::store
