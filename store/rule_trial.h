// A rule tried on the store's own history before it goes live: every step of a span is decided as if the rule had been
// there, on one snapshot, and nothing is written or sent. History is what is stored now, so late articles and revisions are
// in it, which a live step may not have seen. Stateless; any thread; takes some milliseconds a step.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/http_server.h"
#include "base/status.h"
#include "store/engine.h"

namespace racewatch::v1 {
class Alert;
class RuleConfig;
}  // namespace racewatch::v1

namespace racewatch::store {

inline constexpr int64_t kTrialDaysMax = 31;

// The alerts of the steps that end in (from, to], in order. INVALID_ARGUMENT: a rule that --check would refuse, an empty
// span or one of more than 31 days.
base::Result<std::vector<v1::Alert>> TryRule(const View& view, const v1::RuleConfig& rule, base::UnixMs from, base::UnixMs to);

// The same over HTTP: {"rule": text format of a RuleConfig, "from", "to": RFC 3339} → one alert a line, as on the topic.
// `to` defaults to now, `from` to seven days before it.
base::HttpResponse AnswerTrial(const Engine* engine, const base::HttpRequest& request, base::UnixMs now);

}  // namespace racewatch::store
