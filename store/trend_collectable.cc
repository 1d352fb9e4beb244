#include "store/trend_collectable.h"

#include <prometheus/metric_family.h>

#include <algorithm>
#include <string>
#include <tuple>
#include <utility>

#include "racewatch/v1/store_service.pb.h"
#include "store/alert/burst.h"
#include "store/generation_engine.h"
#include "store/saved_query/saved_queries.h"
#include "store/trends.h"

namespace racewatch::store {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels_ = std::vector<ClientMetric::Label>;

class Families {
 public:
  MetricFamily& Add(const std::string& name, const std::string& help, MetricType type) {
    out_.push_back({name, help, type, {}});
    return out_.back();
  }
  static void Put(MetricFamily* family, Labels_ labels, double value) {
    ClientMetric metric;
    metric.label = std::move(labels);
    if (family->type == MetricType::Counter) metric.counter.value = value;
    else metric.gauge.value = value;
    family->metric.push_back(std::move(metric));
  }
  std::vector<MetricFamily> Take() { return std::move(out_); }

 private:
  std::vector<MetricFamily> out_;
};

Labels_ StanceLabels(SeriesId series) {
  v1::SeriesKey key;
  FillSeriesKey({series, kAllSlice}, &key);
  return {{"target", key.target()}, {"position", key.position()}};
}

// The four families by language, as counters of first taggings or as gauges of what counts now.
base::Status AddTotals(const View& view, WindowKind kind, Families* families) {
  const bool counter = kind == WindowKind::kFirst;
  const MetricType type = counter ? MetricType::Counter : MetricType::Gauge;
  const std::string kept = counter ? "First taggings on the live lane: " : "All that counts now: ";
  MetricFamily relevance{counter ? "racewatch_articles_total" : "racewatch_articles", kept + "articles by relevance.", type, {}};
  MetricFamily themes{counter ? "racewatch_theme_articles_total" : "racewatch_theme_articles",
                      kept + "relevant articles by theme.", type, {}};
  MetricFamily stance{counter ? "racewatch_stance_articles_total" : "racewatch_stance_articles",
                      kept + "articles by stance.", type, {}};
  MetricFamily leans{counter ? "racewatch_lean_articles_total" : "racewatch_lean_articles",
                     kept + "relevant articles by lean.", type, {}};
  for (size_t l = 0; l < base::kLanguages.size(); ++l) {
    RW_ASSIGN_OR_RETURN(const WindowRow row, ReadRow(view, kind, static_cast<Slice>(kLanguageSlice + l), 0));
    const ClientMetric::Label language{"language", std::string(base::kLanguages[l])};
    const auto n = [&row](SeriesId s) { return static_cast<double>(row.Get(s, Measure::kArticles)); };
    Families::Put(&relevance, {{"relevance", "relevant"}, language}, n(kRelevantSeries));
    Families::Put(&relevance, {{"relevance", "irrelevant"}, language}, n(kIrrelevantSeries));
    for (size_t t = 0; t < kThemeCount; ++t)
      Families::Put(&themes, {{"theme", std::string(base::kThemes[t])}, language}, n(ThemeSeries(t)));
    for (SeriesId s = kStanceSeries; s < kThemeStanceSeries; ++s) {
      Labels_ labels = StanceLabels(s);
      labels.push_back(language);
      Families::Put(&stance, std::move(labels), n(s));
    }
    for (size_t i = 0; i < kLeanCount; ++i)
      Families::Put(&leans, {{"lean", std::string(base::kLeans[i])}, language}, n(LeanSeries(i)));
  }
  for (MetricFamily* family : {&relevance, &themes, &stance, &leans})
    families->Add(family->name, family->help, type).metric = std::move(family->metric);
  return {};
}

base::Status AddStories(const View& view, bool known, Families* families) {
  MetricFamily& out = families->Add("racewatch_theme_stories", "Stories by the theme of their earliest copy.", MetricType::Gauge);
  RW_ASSIGN_OR_RETURN(const WindowRow row, ReadRow(view, WindowKind::kAll, kAllSlice, 0));
  for (size_t t = 0; known && t < kThemeCount; ++t)
    Families::Put(&out, {{"theme", std::string(base::kThemes[t])}}, row.Get(ThemeSeries(t), Measure::kStories));
  return {};
}

base::Status AddQueries(const View& view, bool stories_known, base::UnixMs now, Families* families) {
  RW_ASSIGN_OR_RETURN(const std::vector<SavedQuery> queries, ReadQueries(view));
  RW_ASSIGN_OR_RETURN(const WindowRow first, ReadRow(view, WindowKind::kFirst, kAllSlice, 0));
  RW_ASSIGN_OR_RETURN(const WindowRow all, ReadRow(view, WindowKind::kAll, kAllSlice, 0));
  MetricFamily total{"racewatch_query_articles_total", "First taggings on the live lane that met a saved query.", MetricType::Counter, {}};
  MetricFamily articles{"racewatch_query_articles", "All that counts now of a saved query.", MetricType::Gauge, {}};
  MetricFamily stories{"racewatch_query_stories", "Stories whose earliest copy met a saved query.", MetricType::Gauge, {}};
  MetricFamily trailing{"racewatch_query_trend_articles", "Articles of the trailing window that met a saved query.", MetricType::Gauge, {}};
  for (const SavedQuery& query : queries) {
    const SeriesId series = QuerySeries(query.slot);
    Families::Put(&total, {{"query", query.name}}, first.Get(series, Measure::kArticles));
    Families::Put(&articles, {{"query", query.name}}, all.Get(series, Measure::kArticles));
    if (stories_known) Families::Put(&stories, {{"query", query.name}}, all.Get(series, Measure::kStories));
  }
  for (const auto& [window, name] : {std::pair(Trailing::kHour, "1h"), {Trailing::kDay, "24h"}, {Trailing::kWeek, "7d"}}) {
    if (queries.empty()) break;
    RW_ASSIGN_OR_RETURN(const auto counts, ReadTrailing(view, window, now));
    for (const SavedQuery& query : queries)
      Families::Put(&trailing, {{"query", query.name}, {"window", name}}, static_cast<double>(counts[QuerySeries(query.slot)]));
  }
  for (MetricFamily* family : {&total, &articles, &stories, &trailing})
    families->Add(family->name, family->help, family->type).metric = std::move(family->metric);
  return {};
}

base::Status AddTrailing(const View& view, base::UnixMs now, Families* families) {
  MetricFamily articles{"racewatch_trend_articles", "Articles of the trailing window.", MetricType::Gauge, {}};
  MetricFamily share{"racewatch_trend_share", "Their share of relevant articles.", MetricType::Gauge, {}};
  MetricFamily low{"racewatch_trend_share_low", "Lower end of its 95 % interval.", MetricType::Gauge, {}};
  MetricFamily high{"racewatch_trend_share_high", "Upper end of its 95 % interval.", MetricType::Gauge, {}};
  for (const auto& [window, name] : {std::pair(Trailing::kHour, "1h"), {Trailing::kDay, "24h"}, {Trailing::kWeek, "7d"}}) {
    RW_ASSIGN_OR_RETURN(const auto counts, ReadTrailing(view, window, now));
    for (SeriesId s = kRelevantSeries; s < kLeanSeries; ++s) {
      if (s == kIrrelevantSeries) continue;
      v1::SeriesKey key;
      FillSeriesKey({s, kAllSlice}, &key);
      const auto or_all = [](const std::string& value) { return value.empty() ? std::string("all") : value; };
      const Labels_ labels{{"theme", or_all(key.theme())}, {"target", or_all(key.target())},
                           {"position", or_all(key.position())}, {"window", name}};
      const Share part = WilsonShare(counts[s], counts[kRelevantSeries]);
      Families::Put(&articles, labels, static_cast<double>(counts[s]));
      Families::Put(&share, labels, part.value);
      Families::Put(&low, labels, part.low);
      Families::Put(&high, labels, part.high);
    }
  }
  for (MetricFamily* family : {&articles, &share, &low, &high})
    families->Add(family->name, family->help, MetricType::Gauge).metric = std::move(family->metric);
  return {};
}

// How improbable the trailing window of each theme and each target × position is (store/alert/burst.h).
base::Status AddBurstScores(const View& view, base::UnixMs now, Families* families) {
  constexpr uint32_t kBaselineHours = 4 * 168;
  MetricFamily& out = families->Add("racewatch_trend_burst_score",
                                    "Standardised excess of the trailing window over the hour-of-week baseline.", MetricType::Gauge);
  std::vector<SeriesId> series;
  for (SeriesId s = kThemeSeries; s < kThemeStanceSeries; ++s) series.push_back(s);
  const auto hour = static_cast<uint32_t>(now / kMsPerHour);
  RW_ASSIGN_OR_RETURN(const auto points, ReadPoints(view, WindowKind::kHour, kAllSlice, series, hour - kBaselineHours, hour, now));
  for (const auto& [window, name, width] : {std::tuple(Trailing::kHour, "1h", kMsPerHour), {Trailing::kDay, "24h", kMsPerDay}}) {
    RW_ASSIGN_OR_RETURN(const auto counts, ReadTrailing(view, window, now));
    const base::UnixMs from = now - width;
    for (size_t i = 0; i < series.size(); ++i) {
      std::vector<HourCounts> past;
      for (const Point& point : points[i])
        if (point.window < from / kMsPerHour) past.push_back({point.articles, point.stories, point.coverage});
      const Baseline baseline(past, (hour - kBaselineHours) * kMsPerHour);
      const double score = baseline.ready() ? ExcessScore(static_cast<double>(counts[series[i]]), baseline.Expected(from, now),
                                                          baseline.Variance(from, now)) : 0;
      v1::SeriesKey key;
      FillSeriesKey({series[i], kAllSlice}, &key);
      const auto or_all = [](const std::string& value) { return value.empty() ? std::string("all") : value; };
      Families::Put(&out, {{"theme", or_all(key.theme())}, {"target", or_all(key.target())},
                           {"position", or_all(key.position())}, {"window", name}}, score);
    }
  }
  return {};
}

base::Status AddCoverage(const View& view, base::UnixMs now, Families* families) {
  MetricFamily& out = families->Add("racewatch_coverage_ratio", "Sources seen of those expected in the last 24 hours.", MetricType::Gauge);
  const auto end = static_cast<uint32_t>(now / kMsPerHour + 1);
  for (size_t g = 0; g <= base::kPublisherGroups.size(); ++g) {
    const bool all = g == base::kPublisherGroups.size();
    RW_ASSIGN_OR_RETURN(const auto hours, ReadCoverage(view, WindowKind::kHour, all ? kAllSlice : static_cast<Slice>(kGroupSlice + g),
                                                       end > 24 ? end - 24 : 0, end, now));
    double seen = 0, expected = 0;
    for (const Coverage& hour : hours) {
      seen += std::min(hour.seen, hour.expected);
      expected += hour.expected;
    }
    Families::Put(&out, {{"group", all ? "all" : std::string(base::kPublisherGroups[g])}}, expected == 0 ? 1 : seen / expected);
  }
  return {};
}

std::vector<MetricFamily> CollectTrends(const Engine& engine, base::UnixMs now) {
  const auto view = engine.Snapshot();
  Families families;
  Families::Put(&families.Add("racewatch_clock_timestamp_seconds", "The store's clock, which may be a simulated one.", MetricType::Gauge), {},
                static_cast<double>(now) / 1000);
  const auto first_day = FirstDayWithStories(*view);
  if (!first_day.ok()) return {};
  const bool stories_known = *first_day == 0;  // of all time
  base::Status status = AddTotals(*view, WindowKind::kFirst, &families);
  if (status.ok()) status = AddTotals(*view, WindowKind::kAll, &families);
  if (status.ok()) status = AddStories(*view, stories_known, &families);
  if (status.ok()) status = AddQueries(*view, stories_known, now, &families);
  if (status.ok()) status = AddTrailing(*view, now, &families);
  if (status.ok()) status = AddBurstScores(*view, now, &families);
  if (status.ok()) status = AddCoverage(*view, now, &families);
  return status.ok() ? families.Take() : std::vector<MetricFamily>();
}

}  // namespace

void TrendCollectable::Serve(const Engine* engine, std::function<bool()> leads) {
  const std::scoped_lock lock(mutex_);
  engine_ = engine;
  leads_ = std::move(leads);
}

std::vector<MetricFamily> TrendCollectable::Collect() const {
  const std::scoped_lock lock(mutex_);
  if (engine_ == nullptr) return {};
  const bool leads = leads_();
  Families lead;
  Families::Put(&lead.Add("racewatch_store_leader", "1 in the process that runs stories, alerts and trends.", MetricType::Gauge), {}, leads ? 1 : 0);
  std::vector<MetricFamily> out = lead.Take();
  if (!leads) return out;
  std::vector<MetricFamily> trends = CollectTrends(*engine_, clock_.NowMs());
  std::move(trends.begin(), trends.end(), std::back_inserter(out));
  return out;
}

}  // namespace racewatch::store
