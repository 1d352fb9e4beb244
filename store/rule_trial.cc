#include "store/rule_trial.h"

#include <google/protobuf/text_format.h>
#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/config.h"
#include "racewatch/v1/alert.pb.h"
#include "racewatch/v1/config.pb.h"
#include "store/alert/alert_engine.h"
#include "store/alert/alert_json.h"
#include "store/alert/rule_config.h"
#include "store/http_params.h"
#include "store/saved_query/saved_queries.h"
#include "store/store_series_view.h"

namespace racewatch::store {
namespace {

using google::protobuf::util::TimeUtil;
using nlohmann::json;

constexpr int64_t kDayMs = 24 * kHourMs;

base::Result<base::UnixMs> Moment(const json& request, const char* name, base::UnixMs otherwise) {
  if (!request.contains(name)) return otherwise;
  google::protobuf::Timestamp time;
  if (!request[name].is_string() || !TimeUtil::FromString(request[name].get<std::string>(), &time))
    return base::InvalidArgument(std::string(name) + ": is no RFC 3339 time");
  return TimeUtil::TimestampToMilliseconds(time);
}

base::Result<std::string> Try(const Engine* engine, const std::string& body, base::UnixMs now) {
  if (engine == nullptr) return base::Unavailable("the store is starting");
  const json request = json::parse(body, nullptr, false);
  if (!request.is_object() || !request.contains("rule") || !request["rule"].is_string())
    return base::InvalidArgument("rule: missing; a rule in text format");
  v1::RuleConfig rule;
  if (!google::protobuf::TextFormat::ParseFromString(request["rule"].get<std::string>(), &rule))
    return base::InvalidArgument("rule: is no rule in text format");
  RW_ASSIGN_OR_RETURN(const base::UnixMs to, Moment(request, "to", now));
  RW_ASSIGN_OR_RETURN(const base::UnixMs from, Moment(request, "from", to - 7 * kDayMs));
  RW_ASSIGN_OR_RETURN(const std::vector<v1::Alert> alerts, TryRule(*engine->Snapshot(), rule, from, std::min(to, now)));
  std::string lines;
  for (const v1::Alert& alert : alerts) lines += AlertJson(alert) + "\n";
  return lines;
}

}  // namespace

base::Result<std::vector<v1::Alert>> TryRule(const View& view, const v1::RuleConfig& rule, base::UnixMs from, base::UnixMs to) {
  RW_ASSIGN_OR_RETURN(const std::vector<SavedQuery> queries, ReadQueries(view));
  std::vector<std::string> names;
  for (const SavedQuery& query : queries) names.push_back(query.name);
  base::Problems problems;
  ValidateRules("rule", {rule}, names, &problems);
  RW_RETURN_IF_ERROR(problems.ToStatus("rule"));
  if (to <= from) return base::InvalidArgument("from, to: the span is empty");
  if (to - from > kTrialDaysMax * kDayMs) return base::InvalidArgument("from, to: more than 31 days");
  AlertEngine engine({rule});
  std::vector<v1::Alert> alerts;
  for (base::UnixMs step = (from / kSlotMs + 1) * kSlotMs; step <= to; step += kSlotMs) {
    const StoreSeriesView series(view, step);
    for (v1::Alert& alert : engine.Step(step, step, series)) alerts.push_back(std::move(alert));
    RW_RETURN_IF_ERROR(series.status());
  }
  return alerts;
}

base::HttpResponse AnswerTrial(const Engine* engine, const base::HttpRequest& request, base::UnixMs now) {
  const auto lines = Try(engine, request.body, now);
  base::HttpResponse out;
  out.status = HttpStatusFor(lines.status());
  out.content_type = lines.ok() ? "application/x-ndjson" : out.content_type;
  out.body = lines.ok() ? *lines : ErrorJson(lines.status());
  return out;
}

}  // namespace racewatch::store
