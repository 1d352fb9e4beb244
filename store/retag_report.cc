#include "store/retag_report.h"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "racewatch/v1/tagged_article.pb.h"
#include "store/article_row.h"
#include "store/generation_engine.h"
#include "store/progress.h"
#include "store/store_series_view.h"
#include "store/trends.h"

namespace racewatch::store {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kReadRows = 1000;

struct Example {
  base::UnixMs event_ms;
  std::string id;
  Labels before, after;
  // Newest first; the id breaks ties, so a repeat gives the same.
  friend bool operator<(const Example& a, const Example& b) {
    return std::tuple(-a.event_ms, a.id) < std::tuple(-b.event_ms, b.id);
  }
};

struct Change {
  uint64_t gained = 0, lost = 0;
  std::set<Example> gained_examples, lost_examples;
};

struct Comparison {
  uint64_t compared = 0, changed = 0, only_active = 0, only_new = 0;
  std::map<SeriesId, Change> series;
  std::map<std::tuple<size_t, uint8_t, uint8_t>, uint64_t> moves;  // target, position before and after
};

void Keep(std::set<Example>* kept, const Example& example, size_t most) {
  kept->insert(example);
  if (kept->size() > most) kept->erase(std::prev(kept->end()));
}

std::vector<SeriesId> Compared() {
  std::vector<SeriesId> all = DefaultSeries();
  all.insert(all.begin(), kRelevantSeries);
  return all;
}

void Compare(const ArticleRow& active, const ArticleRow& next, const std::string& id, size_t examples, Comparison* out) {
  ++out->compared;
  const Labels& before = active.counted.labels;
  const Labels& after = next.counted.labels;
  if (before == after) return;
  ++out->changed;
  static const std::vector<SeriesId> kSeries = Compared();
  const Example example{next.counted.event.ms, id, before, after};
  for (const SeriesId series : kSeries) {
    const bool was = Matches(before, series), is = Matches(after, series);
    if (was == is) continue;
    Change& change = out->series[series];
    ++(is ? change.gained : change.lost);
    Keep(is ? &change.gained_examples : &change.lost_examples, example, examples);
  }
  for (size_t target = 0; target < kTargetCount; ++target)
    if (before.positions[target] != after.positions[target])
      ++out->moves[{target, before.positions[target], after.positions[target]}];
}

// Every article of `left` beside that of `right` of the same id, if there is one.
base::Status Walk(const View& left, const View& right,
                  const std::function<void(const std::string&, const ArticleRow&, const std::optional<ArticleRow>&)>& visit) {
  std::string from;
  for (bool more = true; more;) {
    std::vector<std::pair<std::string, std::string>> rows;
    RW_RETURN_IF_ERROR(left.Scan(Table::kArticle, from, "", false, [&](std::string_view key, std::string_view value) {
      rows.emplace_back(key, value);
      return rows.size() < kReadRows;
    }));
    more = rows.size() == kReadRows;
    if (rows.empty()) break;
    from = rows.back().first + '\0';
    std::vector<std::string_view> keys;
    for (const auto& [key, value] : rows) keys.push_back(key);
    RW_ASSIGN_OR_RETURN(const auto others, right.MultiGet(Table::kArticle, keys));
    for (size_t i = 0; i < rows.size(); ++i) {
      RW_ASSIGN_OR_RETURN(const ArticleRow row, ArticleRow::Decode(rows[i].second));
      std::optional<ArticleRow> other;
      if (others[i]) {
        RW_ASSIGN_OR_RETURN(other, ArticleRow::Decode(*others[i]));
      }
      visit(rows[i].first, row, other);
    }
  }
  return {};
}

std::string PositionName(uint8_t position) { return position == 0 ? "absent" : std::string(base::kPositions[position - 1]); }

Json ExampleJson(const View& active, const Example& example, const char* change) {
  v1::TaggedArticle detail;
  const auto stored = active.Get(Table::kDetail, example.id);
  if (stored.ok() && *stored) (void)detail.ParseFromString(**stored);
  const auto labels = [](const Labels& from) { return from.relevant ? Json(LabelNames(from)) : Json::array({"irrelevant"}); };
  return {{"change", change},
          {"article_id", FormatArticleId(*IdFromBytes(example.id))},
          {"title", detail.article().title()},
          {"url", detail.article().url()},
          {"publisher", detail.article().publisher()},
          {"before", labels(example.before)},
          {"after", labels(example.after)}};
}

base::Result<Json> SeriesJson(const View& active, const View& next, const Comparison& comparison) {
  RW_ASSIGN_OR_RETURN(const WindowRow before, ReadRow(active, WindowKind::kAll, kAllSlice, 0));
  RW_ASSIGN_OR_RETURN(const WindowRow after, ReadRow(next, WindowKind::kAll, kAllSlice, 0));
  Json out = Json::array();
  for (const SeriesId series : Compared()) {
    const uint32_t was = before.Get(series, Measure::kArticles), is = after.Get(series, Measure::kArticles);
    const auto at = comparison.series.find(series);
    if (at == comparison.series.end() && was == is) continue;
    Json one{{"series", SeriesName(series)}, {"before", was}, {"after", is}, {"gained", 0}, {"lost", 0}, {"examples", Json::array()}};
    if (at != comparison.series.end()) {
      one["gained"] = at->second.gained;
      one["lost"] = at->second.lost;
      for (const Example& example : at->second.gained_examples) one["examples"].push_back(ExampleJson(active, example, "gained"));
      for (const Example& example : at->second.lost_examples) one["examples"].push_back(ExampleJson(active, example, "lost"));
    }
    out.push_back(std::move(one));
  }
  return out;
}

}  // namespace

base::Result<std::string> RetagReport(const View& whole, size_t examples) {
  RW_ASSIGN_OR_RETURN(const Generations generations, ReadGenerations(whole));
  const Generation* building = generations.Building();
  if (building == nullptr) return base::FailedPrecondition("retag: no generation is being built");
  const GenerationView active(whole, generations.active), next(whole, building->number);
  Comparison comparison;
  RW_RETURN_IF_ERROR(Walk(next, active, [&](const std::string& id, const ArticleRow& row, const std::optional<ArticleRow>& other) {
    if (other) Compare(*other, row, id, examples, &comparison);
    else ++comparison.only_new;
  }));
  RW_RETURN_IF_ERROR(Walk(active, next, [&](const std::string&, const ArticleRow&, const std::optional<ArticleRow>& other) {
    comparison.only_active += !other;
  }));
  const Generation* replaced = generations.Find(generations.active);
  RW_ASSIGN_OR_RETURN(const Progress progress, ReadProgress(whole));
  Json out{{"generation", building->number},
           {"model_version", building->model_version},
           {"replaces", replaced == nullptr ? progress.model_version : replaced->model_version},
           {"compared", comparison.compared},
           {"changed", comparison.changed},
           {"only_active", comparison.only_active},
           {"only_new", comparison.only_new}};
  RW_ASSIGN_OR_RETURN(out["series"], SeriesJson(active, next, comparison));
  out["stance_moves"] = Json::array();
  for (const auto& [move, articles] : comparison.moves)
    out["stance_moves"].push_back({{"target", base::kTargets[std::get<0>(move)]}, {"before", PositionName(std::get<1>(move))},
                                   {"after", PositionName(std::get<2>(move))}, {"articles", articles}});
  return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace racewatch::store
