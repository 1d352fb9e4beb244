#include "store/watermark.h"

#include <algorithm>

#include "base/bus/topics.h"

namespace racewatch::store {

void Watermark::Read(const base::TopicPartition& where, base::UnixMs fetched_at) {
  base::UnixMs& newest = fresh_[where];
  newest = std::max(newest, fetched_at);
}

void Watermark::TakeFresh() {
  for (const auto& [where, fetched_at] : fresh_) newest_[where] = std::max(newest_[where], fetched_at);
  fresh_.clear();
}

base::UnixMs Watermark::Known(const base::TopicPartition& where) const {
  const auto at = newest_.find(where);
  return at == newest_.end() ? 0 : at->second;
}

base::UnixMs Watermark::newest(const base::TopicPartition& where) const {
  const auto at = fresh_.find(where);
  return std::max(Known(where), at == fresh_.end() ? 0 : at->second);
}

bool Watermark::Waits(const base::TopicPartition& where, std::optional<int64_t> lag, bool others_known, base::UnixMs now) {
  if (lag) {
    unknown_since_.erase(where);
    return *lag > 0;
  }
  const base::UnixMs since = unknown_since_.try_emplace(where, now).first->second;
  return !others_known || now - since < options_.idle_ms;
}

void Watermark::Settle(base::UnixMs now, const std::map<base::TopicPartition, std::optional<int64_t>>& lag, bool stories_done) {
  if (stories_done) TakeFresh();
  const bool known = std::any_of(lag.begin(), lag.end(), [](const auto& one) { return one.second.has_value(); });
  base::UnixMs all = now, live = now, latest = 0;
  bool waits = false;
  for (const auto& [where, messages] : lag) {
    const bool counts = where.topic != base::kTaggedBackfillTopic;
    if (counts) latest = std::max(latest, Known(where));
    if (!Waits(where, messages, known, now)) continue;
    all = std::min(all, Known(where));
    if (!counts) continue;
    live = std::min(live, Known(where));
    waits = true;
  }
  TakeFresh();
  if (!stories_done && !waits) return;  // the moment of the clock comes with the last stories
  if (stories_done) settled_ = std::max(settled_, all);
  moment_ = live;
  time_ = std::min(live, std::max(latest, live - options_.idle_ms));
}

base::UnixMs Watermark::At(base::UnixMs now) const { return moment_ > 0 && moment_ < now ? latest() : 0; }

}  // namespace racewatch::store
