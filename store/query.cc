#include "store/query.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "racewatch/v1/store_service.pb.h"
#include "store/generation_engine.h"
#include "store/progress.h"
#include "store/saved_query/saved_queries.h"
#include "store/trends.h"

namespace racewatch::store {
namespace {

constexpr uint64_t kPointsMax = 2'000'000;

base::UnixMs ToMs(const google::protobuf::Timestamp& time) { return time.seconds() * 1000; }
void SetSeconds(google::protobuf::Timestamp* field, int64_t seconds) { field->set_seconds(seconds); }

struct Span {
  uint32_t from = 0;
  uint32_t to = 0;
};

// The whole windows that [from, to) touches; defaults as in the proto.
template <typename Request>
base::Result<Span> SpanOf(const Request& request, WindowKind kind, base::UnixMs now) {
  const base::UnixMs width = kind == WindowKind::kDay ? kMsPerDay : kMsPerHour;
  const base::UnixMs to = request.has_to() ? ToMs(request.to()) : (now / width + 1) * width;
  const base::UnixMs from =
      request.has_from() ? ToMs(request.from()) : to - (kind == WindowKind::kDay ? 30 * kMsPerDay : kMsPerDay);
  if (from < 0 || to > 4102444800000) return base::InvalidArgument("from, to: outside of 1970 to 2100");
  if (to <= from) return base::InvalidArgument("to: not after from");
  return Span{static_cast<uint32_t>(from / width), static_cast<uint32_t>((to + width - 1) / width)};
}

base::Result<WindowKind> KindOf(v1::Window window) {
  switch (window) {
    case v1::WINDOW_UNSPECIFIED:
    case v1::WINDOW_HOUR: return WindowKind::kHour;
    case v1::WINDOW_DAY: return WindowKind::kDay;
    case v1::WINDOW_ALL: return WindowKind::kAll;
    default: return base::InvalidArgument("window: unknown; known are hour, day, all");
  }
}

struct WantedSeries : SeriesSlice {
  std::string query;  // its name
  base::UnixMs since_ms = 0;

  void FillKey(v1::SeriesKey* key) const {
    FillSeriesKey(*this, key);
    key->set_query(query);
  }
};

base::Result<std::vector<WantedSeries>> SeriesWanted(const View& view, std::optional<uint32_t> generation,
                                                     const google::protobuf::RepeatedPtrField<v1::SeriesKey>& keys) {
  std::vector<WantedSeries> out;
  RW_ASSIGN_OR_RETURN(const std::vector<SavedQuery> queries, ReadQueries(view, generation));
  for (int i = 0; i < keys.size(); ++i) {
    const std::string at = "series[" + std::to_string(i) + "]: ";
    const auto parsed = ParseSeriesKey(keys[i]);
    if (!parsed.ok()) return base::InvalidArgument(at + parsed.status().message());
    WantedSeries wanted{*parsed, keys[i].query(), 0};
    if (!wanted.query.empty()) {
      const SavedQuery* query = FindQuery(queries, wanted.query);
      if (query == nullptr) return base::InvalidArgument(at + UnknownQuery(queries, wanted.query));
      wanted.series = QuerySeries(query->slot);
      wanted.since_ms = query->since_ms;
    }
    out.push_back(std::move(wanted));
  }
  if (keys.empty())
    for (const SeriesId series : DefaultSeries()) out.push_back({{series, kAllSlice}, "", 0});
  return out;
}

void FillAdjusted(const Share& share, const SeriesRates& rates, v1::TrendPoint* out) {
  const Share adjusted = AdjustShare(share, rates);
  out->set_adjusted_share(adjusted.value);
  out->set_adjusted_share_low(adjusted.low);
  out->set_adjusted_share_high(adjusted.high);
}

// Which windows may be corrected: those whose articles all have the labels of the model that was measured.
class ShareCorrection {
 public:
  // Of the active generation, or of the newest one of `asked`, if that is not empty.
  static base::Result<ShareCorrection> Make(const View& view, const Progress& progress, std::shared_ptr<const ErrorRates> rates, const std::string& asked) {
    RW_ASSIGN_OR_RETURN(const Generations generations, ReadGenerations(view));
    const Generation* one = generations.Find(generations.active);
    for (const Generation& other : generations.all)
      if (!asked.empty() && other.state != Generation::State::kAbandoned && other.model_version == asked &&
          (one == nullptr || one->model_version != asked || other.number > one->number))
        one = &other;
    const uint32_t number = one == nullptr ? 0 : one->number;
    // What a re-tag has built is of its model; what was counted since, the partitions have noted.
    if (rates != nullptr && number != 0 && one->model_version != rates->model_version()) rates = nullptr;
    return ShareCorrection(progress, std::move(rates), number);
  }

  std::optional<SeriesRates> Of(SeriesSlice which) const { return rates_ == nullptr ? std::nullopt : rates_->Of(which); }
  bool Covers(WindowKind kind, uint32_t window) const {
    const uint32_t hours = kind == WindowKind::kDay ? 24 : 1;
    if (kind == WindowKind::kAll) return Covers(0, UINT32_MAX, true);
    return Covers(window * hours, (window + 1) * hours, false);
  }
  bool Covers(uint32_t from_hour, uint32_t to_hour, bool undated) const {
    return rates_ != nullptr && progress_.IsOf(rates_->model_version(), generation_, from_hour, to_hour, undated);
  }

 private:
  ShareCorrection(const Progress& progress, std::shared_ptr<const ErrorRates> rates, uint32_t generation)
      : progress_(progress), rates_(std::move(rates)), generation_(generation) {}
  Progress progress_;
  std::shared_ptr<const ErrorRates> rates_;
  uint32_t generation_;
};

// `first_day`: as FirstDayWithStories says.
bool KnowsStories(WindowKind kind, uint32_t window, uint32_t first_day) {
  if (kind == WindowKind::kAll) return first_day == 0;
  return (kind == WindowKind::kDay ? window : window / 24) >= first_day;
}

void FillPoint(const Point& point, WindowKind kind, uint32_t first_day, v1::TrendPoint* out) {
  if (kind != WindowKind::kAll)
    SetSeconds(out->mutable_start(), int64_t{point.window} * (kind == WindowKind::kDay ? 86400 : 3600));
  out->set_articles(point.articles);
  if (KnowsStories(kind, point.window, first_day)) out->set_stories(point.stories);
  out->set_publishers(point.publishers);
  out->set_share(point.share.value);
  out->set_share_low(point.share.low);
  out->set_share_high(point.share.high);
  out->set_coverage(point.coverage);
}

// All windows of a span as one number each. Publishers are those of the windows together, counted once.
base::Result<v1::TrendPoint> SumSpan(const View& view, SeriesSlice which, base::UnixMs from, base::UnixMs to, base::UnixMs now) {
  RW_ASSIGN_OR_RETURN(const uint32_t first_day, FirstDayWithStories(view));
  if (to <= from || from < 0) return base::InvalidArgument("from, to: not a span");
  const auto first = static_cast<uint32_t>(from / kMsPerHour), last = static_cast<uint32_t>((to + kMsPerHour - 1) / kMsPerHour);
  RW_ASSIGN_OR_RETURN(const auto points, ReadPoints(view, WindowKind::kHour, which.slice, {which.series, IsQuerySeries(which.series) ? kAnySeries : kRelevantSeries}, first, last, now));
  uint64_t whole = 0, stories = 0;
  v1::TrendPoint out;
  double coverage = 0;
  for (size_t i = 0; i < points[0].size(); ++i) {
    out.set_articles(out.articles() + points[0][i].articles);
    stories += points[0][i].stories;
    whole += points[1][i].articles;
    coverage += points[0][i].coverage;
  }
  if (KnowsStories(WindowKind::kHour, first, first_day)) out.set_stories(stories);
  std::map<uint64_t, bool> families;
  base::Status damage;
  RW_RETURN_IF_ERROR(view.Scan(Table::kFamily, FamilyRowPrefix(WindowKind::kHour, first), FamilyRowPrefix(WindowKind::kHour, last),
                               false, [&](std::string_view key, std::string_view value) {
    damage = DecodeFamilyRow(value, [&](SeriesId series, Slice slice, uint32_t n) {
      if (n > 0 && series == which.series && slice == which.slice) families[std::hash<std::string_view>()(key.substr(5))] = true;
    });
    return damage.ok();
  }));
  RW_RETURN_IF_ERROR(damage);
  SetSeconds(out.mutable_start(), from / 1000);
  out.set_publishers(static_cast<uint32_t>(families.size()));
  const Share share = WilsonShare(out.articles(), whole);
  out.set_share(share.value);
  out.set_share_low(share.low);
  out.set_share_high(share.high);
  out.set_coverage(points[0].empty() ? 0 : coverage / static_cast<double>(points[0].size()));
  return out;
}

}  // namespace

void Changes::Notify() {
  const std::scoped_lock lock(mutex_);
  ++count_;
  changed_.notify_all();
}

void Changes::Close() {
  const std::scoped_lock lock(mutex_);
  closed_ = true;
  ++count_;
  changed_.notify_all();
}

uint64_t Changes::Wait(uint64_t seen, std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, timeout, [&] { return count_ != seen || closed_; });
  return count_;
}

bool Changes::closed() const {
  const std::scoped_lock lock(mutex_);
  return closed_;
}

void Query::SetErrorRates(std::shared_ptr<const ErrorRates> rates) {
  const std::scoped_lock lock(rates_mutex_);
  rates_ = std::move(rates);
}

std::shared_ptr<const ErrorRates> Query::error_rates() const {
  const std::scoped_lock lock(rates_mutex_);
  return rates_;
}

base::Status Query::GetTrends(const v1::GetTrendsRequest& request, v1::GetTrendsResponse* response) const {
  RW_ASSIGN_OR_RETURN(const WindowKind kind, KindOf(request.window()));
  std::unique_ptr<View> view;
  std::optional<uint32_t> generation;  // nullopt: the active one
  if (request.model_version().empty()) {
    view = engine_.Snapshot();
  } else {
    RW_ASSIGN_OR_RETURN(std::unique_ptr<GenerationView> of_model, SnapshotOfModel(engine_, request.model_version()));
    generation = of_model->generation();
    view = std::move(of_model);
  }
  RW_ASSIGN_OR_RETURN(const uint32_t first_day, FirstDayWithStories(*view, generation));
  RW_ASSIGN_OR_RETURN(const auto wanted, SeriesWanted(*view, generation, request.series()));
  const base::UnixMs now = clock_.NowMs();
  Span span{0, 1};
  if (kind != WindowKind::kAll) {
    RW_ASSIGN_OR_RETURN(span, SpanOf(request, kind, now));
  }
  if (uint64_t{span.to - span.from} * wanted.size() > kPointsMax)
    return base::InvalidArgument("series × windows: more than " + std::to_string(kPointsMax) + " points");
  std::map<Slice, std::vector<size_t>> by_slice;  // one scan per slice
  for (size_t i = 0; i < wanted.size(); ++i) by_slice[wanted[i].slice].push_back(i);
  std::vector<std::vector<Point>> points(wanted.size());
  for (const auto& [slice, indexes] : by_slice) {
    std::vector<SeriesId> series;
    for (const size_t i : indexes) series.push_back(wanted[i].series);
    RW_ASSIGN_OR_RETURN(auto read, ReadPoints(*view, kind, slice, series, span.from, span.to, now));
    for (size_t i = 0; i < indexes.size(); ++i) points[indexes[i]] = std::move(read[i]);
  }
  RW_ASSIGN_OR_RETURN(const Progress progress, ReadProgress(*view));
  RW_ASSIGN_OR_RETURN(const ShareCorrection correction, ShareCorrection::Make(*view, progress, error_rates(), request.model_version()));
  for (size_t i = 0; i < wanted.size(); ++i) {
    v1::TrendSeries* series = response->add_series();
    wanted[i].FillKey(series->mutable_key());
    if (wanted[i].since_ms > 0) SetSeconds(series->mutable_counted_since(), wanted[i].since_ms / 1000);
    const auto rates = correction.Of(wanted[i]);
    if (rates) {
      series->set_true_positive_rate(rates->true_positive);
      series->set_false_positive_rate(rates->false_positive);
    }
    for (const Point& point : points[i]) {
      if (!request.include_zeros() && point.articles == 0 && point.stories == 0 && kind != WindowKind::kAll) continue;
      v1::TrendPoint* out = series->add_points();
      FillPoint(point, kind, first_day, out);
      if (rates && point.of > 0 && correction.Covers(kind, point.window)) FillAdjusted(point.share, *rates, out);
    }
  }
  response->set_model_version(request.model_version().empty() ? progress.model_version : request.model_version());
  response->set_taxonomy_version(std::string(base::kTaxonomyVersion));
  return {};
}

base::Status Query::CompareTrends(const v1::CompareTrendsRequest& request, v1::CompareTrendsResponse* response) const {
  if (!request.has_a_from() || !request.has_a_to() || !request.has_b_from() || !request.has_b_to())
    return base::InvalidArgument("a_from, a_to, b_from, b_to: all four are needed");
  const auto view = engine_.Snapshot();
  RW_ASSIGN_OR_RETURN(const auto wanted, SeriesWanted(*view, std::nullopt, request.series()));
  constexpr int64_t kSpanSecondsMax = 366 * 86400;
  if (request.a_to().seconds() - request.a_from().seconds() > kSpanSecondsMax ||
      request.b_to().seconds() - request.b_from().seconds() > kSpanSecondsMax)
    return base::InvalidArgument("a, b: a span is at most 366 days");
  const base::UnixMs now = clock_.NowMs();
  RW_ASSIGN_OR_RETURN(const Progress progress, ReadProgress(*view));
  RW_ASSIGN_OR_RETURN(const ShareCorrection correction, ShareCorrection::Make(*view, progress, error_rates(), ""));
  const auto adjust = [&correction](const WantedSeries& which, base::UnixMs from, base::UnixMs to, v1::TrendPoint* point) {
    const auto rates = correction.Of(which);
    const auto hour = [](base::UnixMs ms) { return static_cast<uint32_t>((ms + kMsPerHour - 1) / kMsPerHour); };
    if (!rates || point->share_high() == 0 || !correction.Covers(static_cast<uint32_t>(from / kMsPerHour), hour(to), false)) return;
    FillAdjusted({point->share(), point->share_low(), point->share_high()}, *rates, point);
  };
  for (const WantedSeries& which : wanted) {
    v1::TrendComparison* out = response->add_comparisons();
    which.FillKey(out->mutable_key());
    RW_ASSIGN_OR_RETURN(*out->mutable_a(), SumSpan(*view, which, ToMs(request.a_from()), ToMs(request.a_to()), now));
    RW_ASSIGN_OR_RETURN(*out->mutable_b(), SumSpan(*view, which, ToMs(request.b_from()), ToMs(request.b_to()), now));
    adjust(which, ToMs(request.a_from()), ToMs(request.a_to()), out->mutable_a());
    adjust(which, ToMs(request.b_from()), ToMs(request.b_to()), out->mutable_b());
    if (out->a().articles() > 0)
      out->set_ratio(static_cast<double>(out->b().articles()) / static_cast<double>(out->a().articles()));
  }
  return {};
}

base::Status Query::GetCoverage(const v1::GetCoverageRequest& request, v1::GetCoverageResponse* response) const {
  RW_ASSIGN_OR_RETURN(const WindowKind kind, KindOf(request.window()));
  if (kind == WindowKind::kAll) return base::InvalidArgument("window: coverage is kept by hour and day");
  const base::UnixMs now = clock_.NowMs();
  RW_ASSIGN_OR_RETURN(const Span span, SpanOf(request, kind, now));
  if (span.to - span.from > 24 * 366) return base::InvalidArgument("from, to: at most 366 days of hours");
  const auto view = engine_.Snapshot();
  std::vector<std::pair<std::string, std::vector<Coverage>>> groups;
  for (size_t g = 0; g <= base::kPublisherGroups.size(); ++g) {
    const Slice slice = g == base::kPublisherGroups.size() ? kAllSlice : static_cast<Slice>(kGroupSlice + g);
    RW_ASSIGN_OR_RETURN(auto read, ReadCoverage(*view, kind, slice, span.from, span.to, now));
    groups.emplace_back(slice == kAllSlice ? "all" : std::string(base::kPublisherGroups[g]), std::move(read));
  }
  for (uint32_t window = span.from; window < span.to; ++window)
    for (const auto& [group, read] : groups) {
      v1::CoveragePoint* out = response->add_points();
      SetSeconds(out->mutable_start(), int64_t{window} * (kind == WindowKind::kDay ? 86400 : 3600));
      out->set_publisher_group(group);
      out->set_seen(read[window - span.from].seen);
      out->set_expected(read[window - span.from].expected);
    }
  return {};
}

}  // namespace racewatch::store
