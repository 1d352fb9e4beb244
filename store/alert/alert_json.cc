#include "store/alert/alert_json.h"

#include <cmath>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

#include "racewatch/v1/alert.pb.h"

namespace racewatch::store {
namespace {

using Json = nlohmann::ordered_json;

std::string Rfc3339(const google::protobuf::Timestamp& time) {
  const std::time_t seconds = time.seconds();
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[40];
  const size_t n = std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
  std::string out(text, n);
  if (const int ms = time.nanos() / 1000000; ms != 0) {
    std::snprintf(text, sizeof(text), ".%03d", ms);
    out += text;
  }
  return out + "Z";
}

// Three decimals are plenty, and the bytes stay equal from run to run.
double Rounded(double value) { return std::isfinite(value) ? std::round(value * 1000) / 1000 : 0; }

Json SeriesJson(const v1::AlertSeries& series) {
  Json json = Json::object();
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) json[name] = value;
  };
  add("theme", series.theme());
  add("target", series.target());
  add("position", series.position());
  add("lean", series.lean());
  add("language", series.language());
  add("query", series.query());
  return json;
}

Json EvidenceJson(const v1::AlertEvidence& evidence) {
  Json json;
  json["article_id"] = evidence.article_id();
  json["title"] = evidence.title();
  json["url"] = evidence.url();
  json["publisher"] = evidence.publisher();
  json["published"] = evidence.has_published() ? Json(Rfc3339(evidence.published())) : Json(nullptr);
  json["snippet"] = evidence.snippet();
  json["labels"] = Json::array();
  for (const std::string& label : evidence.labels()) json["labels"].push_back(label);
  return json;
}

}  // namespace

std::string AlertJson(const v1::Alert& alert) {
  Json json;
  json["id"] = alert.id();
  json["sequence"] = alert.sequence();
  json["rule"] = alert.rule();
  json["key"] = alert.key();
  json["state"] = std::string(AlertStateName(alert));
  json["opened_at"] = Rfc3339(alert.opened_at());
  json["at"] = Rfc3339(alert.at());
  json["series"] = SeriesJson(alert.series());
  json["window"] = alert.window();
  json["observed"] = Rounded(alert.observed());
  json["expected"] = Rounded(alert.expected());
  json["score"] = Rounded(alert.score());
  json["publishers"] = alert.publishers();
  json["stories"] = alert.stories();
  json["coverage"] = Rounded(alert.coverage());
  json["evidence"] = Json::array();
  for (const v1::AlertEvidence& evidence : alert.evidence()) json["evidence"].push_back(EvidenceJson(evidence));
  json["model_version"] = alert.model_version();
  json["taxonomy_version"] = alert.taxonomy_version();
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::vector<std::pair<std::string, std::string>> AlertHeaders(const v1::Alert& alert) {
  return {{"ce_specversion", "1.0"},
          {"ce_id", alert.id() + "/" + std::to_string(alert.sequence())},
          {"ce_source", "/racewatch/store"},
          {"ce_type", "racewatch.alert.v1"},
          {"ce_time", Rfc3339(alert.at())},
          {"ce_subject", alert.id()},
          {"content-type", "application/json"}};
}

std::string AlertRecordKey(const v1::Alert& alert) { return alert.rule() + "|" + alert.key(); }

std::string_view AlertStateName(const v1::Alert& alert) {
  switch (alert.state()) {
    case v1::ALERT_STATE_UPDATE: return "update";
    case v1::ALERT_STATE_CLOSE: return "close";
    default: return "open";
  }
}

}  // namespace racewatch::store
