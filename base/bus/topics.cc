#include "base/bus/topics.h"

namespace racewatch::base {

const std::vector<TopicSpec>& AllTopics() {
  constexpr int64_t kDayMs = 24LL * 3600 * 1000;
  static const std::vector<TopicSpec> kTopics = {
      {kArticlesTopic, 8, 30 * kDayMs, false, true, 0},
      {kBackfillTopic, 8, 30 * kDayMs, false, true, 0},
      {kTaggedTopic, 8, -1, true, false, 0},
      {kTaggedBackfillTopic, 8, -1, true, false, 0},
      {kRetagTopic, 8, 30 * kDayMs, false, true, 0},
      {kAlertsTopic, 1, 90 * kDayMs, true, true, 7 * kDayMs},
      {kDeadLetterTopic, 4, 90 * kDayMs, false, true, 0},
      {kFeedsTopic, 16, 180 * kDayMs, true, true, 0},
  };
  return kTopics;
}

}  // namespace racewatch::base
