// The one table of topics: names, partitions, retention (design: topics). Used by `racewatch topics`,
// the embedded log and the tests, so that no name or number stands twice. Constants, no threads.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace racewatch::base {

inline constexpr std::string_view kArticlesTopic = "racewatch.articles.v1";
inline constexpr std::string_view kBackfillTopic = "racewatch.backfill.v1";
inline constexpr std::string_view kTaggedTopic = "racewatch.tagged.v1";
inline constexpr std::string_view kTaggedBackfillTopic = "racewatch.tagged-backfill.v1";
inline constexpr std::string_view kRetagTopic = "racewatch.retag.v1";
inline constexpr std::string_view kAlertsTopic = "racewatch.alerts.v1";
inline constexpr std::string_view kDeadLetterTopic = "racewatch.dlq.v1";
// What several ingest processes share: states of feeds, seen marks (ingest/feed_share.h).
inline constexpr std::string_view kFeedsTopic = "racewatch.feeds.v1";

struct TopicSpec {
  std::string_view name;
  int32_t partitions;
  int64_t retention_ms;        // -1: for ever
  bool compacted;              // keep the last record of each key
  bool expires;                // delete by age (Kafka's cleanup.policy "delete")
  int64_t compaction_lag_ms;   // a record younger than this is never compacted away
};

const std::vector<TopicSpec>& AllTopics();

}  // namespace racewatch::base
