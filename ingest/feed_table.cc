#include "ingest/feed_table.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "ingest/dates.h"
#include "ingest/feed_health.h"
#include "ingest/feed_volume.h"
#include "ingest/websub.h"

namespace racewatch::ingest {
namespace {

using Json = nlohmann::ordered_json;

void AddTime(Json* out, const char* name, base::UnixMs time_ms) {
  if (time_ms > 0) (*out)[name] = Rfc3339(time_ms);
}

double Rounded(double value) { return std::round(value * 100) / 100; }

// What the feed and its server ask for.
void AddHints(const v1::FeedState& s, Json* out) {
  if (s.ttl_s() > 0) (*out)["ttl_s"] = s.ttl_s();
  if (s.update_period_s() > 0) (*out)["update_period_s"] = s.update_period_s();
  if (s.max_age_s() > 0) (*out)["max_age_s"] = s.max_age_s();
  for (unsigned hour = 0; hour < 24; ++hour)
    if (s.skip_hours() >> hour & 1) (*out)["skip_hours"].push_back(hour);
  for (unsigned day = 0; day < 7; ++day)
    if (s.skip_days() >> day & 1) (*out)["skip_days"].push_back(day);
}

// What is expected of it, and where it falls short.
void AddExpectations(const FeedRow& feed, Json* out) {
  const v1::FeedState& s = feed.state;
  if (const double expected_s = ExpectedIntervalS(s, feed.limits); expected_s > 0) {
    (*out)["expected_interval_s"] = std::round(expected_s);
    AddTime(out, "silent_from", QuietSinceMs(s, feed.limits) + static_cast<int64_t>(2000 * expected_s));
  }
  if (const auto volume = ExpectedVolume(s)) {
    double week = 0;
    for (const double entries : *volume) week += entries;
    (*out)["expected_per_week"] = Rounded(week);
  }
  if (s.pages() > 0) {
    (*out)["page_yield"] = Rounded(s.page_yield());
    (*out)["page_yield_usual"] = Rounded(s.page_yield_usual());
  }
  Json alarms = Json::array();
  if (s.health() == v1::FEED_HEALTH_SILENT) alarms.push_back("silent");
  if (YieldIsLow(s)) alarms.push_back("low_yield");
  if (!alarms.empty()) (*out)["alarms"] = std::move(alarms);
}

void AddHub(const v1::HubState& hub, Json* out) {
  if (hub.url().empty()) return;
  Json& json = (*out)["hub"];
  json["url"] = hub.url();
  json["topic"] = hub.topic();
  json["standing"] = HubStandingName(hub);
  AddTime(&json, "lease_until", hub.lease_until_ms());
  json["pushes"] = hub.pushes();
  json["missed"] = hub.missed();
}

Json ToJson(const FeedRow& feed) {
  const v1::FeedState& s = feed.state;
  Json out;
  out["id"] = feed.spec.id;
  out["title"] = feed.spec.title.empty() ? s.title() : feed.spec.title;
  if (!feed.spec.folder.empty()) out["folder"] = feed.spec.folder;
  if (!feed.spec.group.empty()) out["publisher_group"] = feed.spec.group;
  if (!feed.spec.language.empty()) out["language"] = feed.spec.language;
  if (!feed.spec.found_in.empty()) out["found_in"] = feed.spec.found_in;
  out["state"] = feed.folder ? std::string_view("folder") : HealthName(s.health());
  if (!s.reason().empty()) out["reason"] = s.reason();
  if (!s.detail().empty()) out["detail"] = s.detail();
  if (!s.moved_to().empty()) out["moved_to"] = s.moved_to();
  AddTime(&out, "last_fetch", s.last_fetch_ms());
  AddTime(&out, "last_success", s.last_success_ms());
  AddTime(&out, "last_new", s.last_new_ms());
  AddTime(&out, "next_fetch", s.next_fetch_ms());
  if (!s.interval_reason().empty()) out["interval_reason"] = s.interval_reason();
  out["interval_s"] = feed.limits.fixed_s > 0 ? static_cast<double>(feed.limits.fixed_s) : s.interval_s();
  if (s.gap_s() > 0) out["gap_s"] = s.gap_s();
  AddHints(s, &out);
  AddExpectations(feed, &out);
  if (s.http_status() > 0) out["http_status"] = s.http_status();
  out["failures"] = s.failures();
  out["fetches"] = s.fetches();
  out["entries"] = s.entries();
  out["articles"] = s.articles();
  out["validators"] = s.validators_lie() ? "ignored" : s.etag().empty() && s.last_modified().empty() ? "none" : "kept";
  AddHub(s.hub(), &out);
  if (!feed.owned) out["elsewhere"] = true;
  return out;
}

// Whatever bytes a feed put into its title, the page answers.
std::string Dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace

uint64_t FeedTable::Add(FeedRow feed) {
  const std::lock_guard lock(mutex_);
  const uint64_t number = feeds_.size();
  by_id_.emplace(feed.spec.id, number);
  feeds_.push_back(std::move(feed));
  return number;
}

bool FeedTable::Has(const std::string& id) const { return Find(id).has_value(); }

std::optional<uint64_t> FeedTable::Find(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto it = by_id_.find(id);
  return it == by_id_.end() ? std::nullopt : std::optional(it->second);
}

void FeedTable::Change(uint64_t number, const std::function<void(FeedRow*)>& change) {
  const std::lock_guard lock(mutex_);
  change(&feeds_[number]);
}

FeedTable::Counts FeedTable::Count(base::UnixMs now_ms) const {
  const std::lock_guard lock(mutex_);
  Counts counts;
  for (const FeedRow& feed : feeds_) {
    if (feed.folder || feed.removed || !feed.owned) continue;
    ++counts.owned;
    ++counts.by_health[static_cast<int>(feed.state.health())];
    counts.low_yield += YieldIsLow(feed.state);
    counts.pushed += HubIsLive(feed.state.hub(), now_ms);
  }
  return counts;
}

std::string FeedTable::Json() const {
  const std::lock_guard lock(mutex_);
  nlohmann::ordered_json out;
  out["feeds"] = nlohmann::ordered_json::array();
  for (const FeedRow& feed : feeds_)
    if (!feed.removed) out["feeds"].push_back(ToJson(feed));
  return Dump(out);
}

std::string FeedTable::Json(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto it = by_id_.find(id);
  if (it == by_id_.end() || feeds_[it->second].removed) return {};
  const FeedRow& feed = feeds_[it->second];
  nlohmann::ordered_json out = ToJson(feed);
  if (const auto volume = ExpectedVolume(feed.state))
    for (const double entries : *volume) out["volume_by_hour"].push_back(Rounded(entries));
  return Dump(out);
}

}  // namespace racewatch::ingest
