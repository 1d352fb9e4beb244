#include "store/watermark.h"

#include <algorithm>

#include "base/bus/topics.h"

namespace racewatch::store {

void Watermark::Read(const base::TopicPartition& where, base::UnixMs fetched_at) {
  base::UnixMs& newest = newest_[where];
  newest = std::max(newest, fetched_at);
}

base::UnixMs Watermark::newest(const base::TopicPartition& where) const {
  const auto at = newest_.find(where);
  return at == newest_.end() ? 0 : at->second;
}

bool Watermark::Waits(const base::TopicPartition& where, std::optional<int64_t> lag, bool others_known, base::UnixMs now) {
  if (lag) {
    unknown_since_.erase(where);
    return *lag > 0;
  }
  const base::UnixMs since = unknown_since_.try_emplace(where, now).first->second;
  return !others_known || now - since < options_.idle_ms;
}

void Watermark::Settle(base::UnixMs now, const std::map<base::TopicPartition, std::optional<int64_t>>& lag) {
  const bool known = std::any_of(lag.begin(), lag.end(), [](const auto& one) { return one.second.has_value(); });
  base::UnixMs all = now, live = now, latest = 0;
  for (const auto& [where, messages] : lag) {
    const bool counts = where.topic != base::kTaggedBackfillTopic;
    if (counts) latest = std::max(latest, newest(where));
    if (!Waits(where, messages, known, now)) continue;
    all = std::min(all, newest(where));
    if (counts) live = std::min(live, newest(where));
  }
  settled_ = std::max(settled_, all);
  moment_ = live;
  time_ = std::min(live, std::max(latest, live - options_.idle_ms));
}

base::UnixMs Watermark::At(base::UnixMs now) const { return moment_ > 0 && moment_ < now ? latest() : 0; }

}  // namespace racewatch::store
