// What the outcome of a fetch does to a feed's state: health with its reason, validators, moves, failure
// counts. Pure functions over v1::FeedState; the role calls one of them per finished fetch and then sets the
// next time (interval.h). Rules: a permanent redirect is adopted after five identical answers over 48 hours;
// validators that hide new entries (found by the daily fetch without them) are ignored from then on.
#pragma once

#include <string>
#include <string_view>

#include "ingest/fetcher.h"
#include "ingest/interval.h"

namespace racewatch::ingest {

// What a document turned out to hold, once all its articles are delivered.
struct DocumentYield {
  FetchYield fetch;
  bool complete = true;  // every entry was dealt with: validators may be kept
  std::string feed_title;
};

// True when the whole document should be read whatever the server says of it: once a day, sooner (6 hours at most often) where
// entries leave the list within two days.
bool ProbeIsDue(const v1::FeedState& state, base::UnixMs now_ms);

// True when this fetch should go without validators: none kept, known to lie, or the probe is due.
bool WantsUnconditional(const v1::FeedState& state, base::UnixMs now_ms);

void ApplyDocument(const FetchResult& result, const DocumentYield& yield, uint64_t body_hash, const IntervalLimits& limits,
                   base::UnixMs now_ms, v1::FeedState* state);

// A 304, or the same bytes again.
void ApplyUnchanged(const FetchResult& result, const IntervalLimits& limits, base::UnixMs now_ms, v1::FeedState* state);

// A document that the feed's hub sent: says nothing about validators, redirects or the next fetch.
void ApplyPush(const DocumentYield& yield, const IntervalLimits& limits, base::UnixMs now_ms, v1::FeedState* state);

// `reason` as in FetchResult, or html, consent, not_a_feed, file.
void ApplyFailure(std::string_view reason, std::string_view detail, int http_status, base::UnixMs now_ms, v1::FeedState* state);

// "ok", "stale", "failing" and so on.
std::string_view HealthName(v1::FeedHealth health);

}  // namespace racewatch::ingest
