#include "ingest/feed_table.h"

#include <nlohmann/json.hpp>

#include "ingest/dates.h"
#include "ingest/feed_health.h"

namespace racewatch::ingest {
namespace {

using Json = nlohmann::ordered_json;

void AddTime(Json* out, const char* name, base::UnixMs time_ms) {
  if (time_ms > 0) (*out)[name] = Rfc3339(time_ms);
}

Json ToJson(const FeedRow& feed) {
  const v1::FeedState& s = feed.state;
  Json out;
  out["id"] = feed.spec.id;
  out["title"] = feed.spec.title.empty() ? s.title() : feed.spec.title;
  if (!feed.spec.folder.empty()) out["folder"] = feed.spec.folder;
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
  if (s.http_status() > 0) out["http_status"] = s.http_status();
  out["failures"] = s.failures();
  out["fetches"] = s.fetches();
  out["entries"] = s.entries();
  out["articles"] = s.articles();
  out["validators"] = s.validators_lie() ? "ignored" : s.etag().empty() && s.last_modified().empty() ? "none" : "kept";
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

bool FeedTable::Has(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  return by_id_.contains(id);
}

void FeedTable::Change(uint64_t number, const std::function<void(FeedRow*)>& change) {
  const std::lock_guard lock(mutex_);
  change(&feeds_[number]);
}

std::unordered_map<int, size_t> FeedTable::HealthCounts() const {
  const std::lock_guard lock(mutex_);
  std::unordered_map<int, size_t> counts;
  for (const FeedRow& feed : feeds_)
    if (!feed.folder) ++counts[static_cast<int>(feed.state.health())];
  return counts;
}

std::string FeedTable::Json() const {
  const std::lock_guard lock(mutex_);
  nlohmann::ordered_json out;
  out["feeds"] = nlohmann::ordered_json::array();
  for (const FeedRow& feed : feeds_) out["feeds"].push_back(ToJson(feed));
  return Dump(out);
}

std::string FeedTable::Json(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto it = by_id_.find(id);
  return it == by_id_.end() ? std::string() : Dump(ToJson(feeds_[it->second]));
}

}  // namespace racewatch::ingest
