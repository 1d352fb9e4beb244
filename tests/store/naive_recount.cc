#include "tests/store/naive_recount.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "base/taxonomy.h"
#include "racewatch/v1/config.pb.h"
#include "store/counts.h"

namespace racewatch::store {
namespace {

int64_t Ms(const google::protobuf::Timestamp& t) { return t.seconds() * 1000 + t.nanos() / 1000000; }

struct When {
  int64_t ms = 0;
  bool day_only = false;
};

When EventTimeOf(const v1::Article& a) {
  if (!a.has_published() || a.date_source() == v1::DATE_SOURCE_NONE) return {};
  const int64_t fetched = Ms(a.fetched_at());
  if (Ms(a.published()) > fetched + 600'000) return {fetched, false};
  return {Ms(a.published()), a.date_precision() == v1::DATE_PRECISION_DAY};
}

std::set<std::string> SeriesNamesOf(const v1::Tags& tags) {
  std::set<std::string> out{"any", tags.relevance().label() ? "relevant" : "irrelevant"};
  if (!tags.relevance().label()) return out;
  for (const auto& theme : tags.themes()) {
    out.insert("theme=" + theme.id());
    for (const auto& s : tags.stance())
      out.insert("theme=" + theme.id() + ",target=" + s.target() + ",position=" + s.position());
  }
  for (const auto& s : tags.stance()) out.insert("target=" + s.target() + ",position=" + s.position());
  if (tags.has_lean()) out.insert("lean=" + tags.lean().label());
  return out;
}

std::set<std::string> SeriesNamesOf(const v1::TaggedArticle& t, const std::vector<NaiveQuery>& queries) {
  std::set<std::string> out = SeriesNamesOf(t.tags());
  for (size_t i = 0; i < queries.size(); ++i)
    if (queries[i].meets(t)) out.insert("query#" + std::to_string(i));
  return out;
}

bool Says(const v1::TaggedArticle& t, const std::string& words) { return t.article().text().find(words) != std::string::npos; }

std::string LanguageOf(const v1::TaggedArticle& t) {
  std::string language = t.article().language();
  if (language.empty() || language == "und") language = t.tags().language();
  for (const auto known : base::kLanguages)
    if (known == language) return language;
  return "other";
}

auto RankOf(const v1::TaggedArticle& t) {
  return std::make_tuple(static_cast<int>(t.article().body_quality()), Ms(t.article().revision_at()),
                         t.article().content_hash());
}

std::string SliceName(Slice slice) {
  if (slice == kAllSlice) return "all";
  if (slice < kGroupSlice) return "language=" + std::string(base::kLanguages[slice - kLanguageSlice]);
  if (slice < kSlotSlice) return "group=" + std::string(base::kPublisherGroups[slice - kGroupSlice]);
  return "slot=" + std::to_string(slice - kSlotSlice);
}

std::string KindName(WindowKind kind) {
  switch (kind) {
    case WindowKind::kHour: return "hour";
    case WindowKind::kDay: return "day";
    case WindowKind::kAll: return "all";
    case WindowKind::kUndated: return "undated";
    case WindowKind::kFirst: return "first";
  }
  return "?";
}

}  // namespace

const std::vector<NaiveQuery>& NaiveQueries() {
  static const std::vector<NaiveQuery> queries = {
      {"huawei", [](const auto& t) { return Says(t, "Huawei"); }},
      {"\"export controls\" AND NOT language:de", [](const auto& t) { return Says(t, "export controls") && LanguageOf(t) != "de"; }},
      {"(publisher:p1.example OR group:china) accelerators",
       [](const auto& t) { return t.article().publisher() == "p1.example" || t.article().publisher_group() == "china"; }},
      {"theme:chips_compute", [](const auto& t) {
         const auto& themes = t.tags().themes();
         return t.tags().relevance().label() && std::any_of(themes.begin(), themes.end(), [](const auto& theme) { return theme.id() == "chips_compute"; });
       }},
      {"relevant:no nvid*", [](const auto& t) { return !t.tags().relevance().label() && Says(t, "Nvidia"); }}};
  return queries;
}

void AddNaiveQueries(v1::StoreConfig* config) {
  for (size_t i = 0; i < NaiveQueries().size(); ++i) {
    v1::QueryConfig* query = config->add_queries();
    query->set_name("q" + std::to_string(i));
    query->set_expression(NaiveQueries()[i].expression);
  }
}

NaiveCounts Recount(const std::vector<v1::TaggedArticle>& stream, int late_days_max, const std::vector<NaiveQuery>& queries) {
  std::map<std::string, v1::TaggedArticle> winners;
  std::set<std::string> live;
  NaiveCounts out;
  for (const auto& t : stream) {
    const When when = EventTimeOf(t.article());
    constexpr int64_t kDay = 86'400'000;
    if (when.ms > 0 && Ms(t.article().fetched_at()) / kDay > when.ms / kDay + late_days_max) continue;
    const std::string& id = t.article().id();
    auto [at, is_new] = winners.try_emplace(id, t);
    if (!is_new && RankOf(t) > RankOf(at->second)) at->second = t;
    if (t.article().lane() != v1::LANE_BACKFILL && live.insert(id).second)
      for (const auto& series : SeriesNamesOf(t, queries))
        for (const std::string& slice : {std::string("all"), "language=" + LanguageOf(t)})
          ++out["first/0/" + slice + "/" + series];
  }
  std::map<std::string, std::set<std::string>> publishers;
  for (const auto& [id, t] : winners) {
    const When when = EventTimeOf(t.article());
    std::vector<std::string> windows{"all/0"};
    if (when.ms <= 0) windows.push_back("undated/0");
    else windows.push_back("day/" + std::to_string(when.ms / 86'400'000));
    if (when.ms > 0 && !when.day_only) windows.push_back("hour/" + std::to_string(when.ms / 3'600'000));
    for (const auto& window : windows) {
      std::vector<std::string> slices{"all", "language=" + LanguageOf(t), "group=" + t.article().publisher_group()};
      if (window.starts_with("hour") && live.contains(id))
        slices.push_back("slot=" + std::to_string(when.ms % 3'600'000 / 600'000));
      for (const auto& slice : slices)
        for (const auto& series : SeriesNamesOf(t, queries)) {
          const std::string name = window + "/" + slice + "/" + series;
          ++out[name];
          if (!window.starts_with("undated")) publishers[name].insert(t.article().publisher());
        }
    }
  }
  for (const auto& [name, who] : publishers) out[name + "#publishers"] = static_cast<int64_t>(who.size());
  return out;
}

NaiveCounts ReadCounts(const View& view) {
  NaiveCounts out;
  const base::Status status = view.Scan(Table::kWindow, "", "", false, [&](std::string_view key, std::string_view value) {
    const auto name = ParseWindowRowKey(key).value();
    const auto row = WindowRow::Decode(value).value();
    const std::string prefix = KindName(name.kind) + "/" + std::to_string(name.window) + "/" + SliceName(name.slice) + "/";
    for (SeriesId s = 0; s < kSeriesMax; ++s) {
      if (const auto n = row.Get(s, Measure::kArticles)) out[prefix + SeriesName(s)] = n;
      if (const auto n = row.Get(s, Measure::kPublishers)) out[prefix + SeriesName(s) + "#publishers"] = n;
    }
    return true;
  });
  if (!status.ok()) out["ERROR " + status.ToString()] = 1;
  return out;
}

}  // namespace racewatch::store
