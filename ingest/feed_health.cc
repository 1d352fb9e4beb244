#include "ingest/feed_health.h"

#include <algorithm>

#include "ingest/feed_volume.h"

namespace racewatch::ingest {
namespace {

constexpr int64_t kDayMs = 86'400'000;

std::string HeaderOrEmpty(const base::HttpReply& reply, std::string_view name) {
  const std::string* value = reply.Header(name);
  return value != nullptr ? *value : std::string();
}

// Counts identical permanent redirects in a row; adopts the target once they have lasted. A target that
// shows nothing we know (a parked domain, another feed) does not count.
void NoteMove(const FetchResult& result, bool same_feed, base::UnixMs now_ms, v1::FeedState* state) {
  constexpr uint32_t kAnswers = 5;
  const std::string target = same_feed ? result.moved_to() : std::string();
  if (target.empty() || target != state->redirect_target()) {
    state->set_redirect_target(target);
    state->set_redirect_count(target.empty() ? 0 : 1);
    state->set_redirect_since_ms(target.empty() ? 0 : now_ms);
    return;
  }
  state->set_redirect_count(state->redirect_count() + 1);
  if (state->redirect_count() < kAnswers || now_ms - state->redirect_since_ms() < 2 * kDayMs) return;
  state->set_moved_to(target);
  state->set_redirect_target("");
  state->set_redirect_count(0);
  state->set_redirect_since_ms(0);
}

void SetHealth(v1::FeedHealth health, std::string_view reason, std::string_view detail, v1::FeedState* state) {
  state->set_health(health);
  state->set_reason(std::string(reason));
  state->set_detail(std::string(detail.substr(0, 300)));
}

// ok, or what is odd about a feed that answers.
void JudgeWorking(const IntervalLimits& limits, base::UnixMs now_ms, v1::FeedState* state) {
  const int64_t quiet_ms = state->last_new_ms() > 0 ? now_ms - state->last_new_ms() : 0;
  if (quiet_ms > 30 * kDayMs)
    SetHealth(v1::FEED_HEALTH_STALE, "no_new_entries", "nothing new for " + std::to_string(quiet_ms / kDayMs) + " days", state);
  else if (IsOverdue(*state, limits, now_ms))
    SetHealth(v1::FEED_HEALTH_SILENT, "overdue",
              "nothing new for " + std::to_string((now_ms - QuietSinceMs(*state, limits)) / 60'000) + " min, expected within " +
                  std::to_string(static_cast<int64_t>(ExpectedIntervalS(*state, limits)) / 60) + " min",
              state);
  else if (state->validators_lie())
    SetHealth(v1::FEED_HEALTH_LYING, "validators", "new entries behind an unchanged ETag or Last-Modified", state);
  else
    SetHealth(v1::FEED_HEALTH_OK, "", "", state);
}

// Counts, rhythm and volume of a document whose entries are all dealt with.
void LearnYield(const DocumentYield& yield, base::UnixMs now_ms, v1::FeedState* state) {
  if (!yield.feed_title.empty()) state->set_title(yield.feed_title);
  state->set_entries(state->entries() + yield.fetch.entries);
  const auto& published = yield.fetch.published;
  const auto [oldest, newest] = std::minmax_element(published.begin(), published.end());
  if (published.size() > 1) state->set_list_span_s((*newest - *oldest) / 1000);
  state->set_articles(state->articles() + yield.fetch.new_entries);
  LearnVolume(yield.fetch.new_times, now_ms, state);
  LearnNewsGap(yield.fetch, now_ms, state);
}

void NoteCaching(const FetchResult& result, base::UnixMs now_ms, v1::FeedState* state) {
  int64_t fresh_s = result.cache.max_age_s.value_or(0);
  if (!result.cache.max_age_s && result.cache.expires_ms) fresh_s = (*result.cache.expires_ms - now_ms) / 1000;
  state->set_max_age_s(std::max<int64_t>(fresh_s, 0));
}

void NoteSuccess(const FetchResult& result, bool same_feed, base::UnixMs now_ms, v1::FeedState* state) {
  state->set_fetches(state->fetches() + 1);
  state->set_failures(0);
  state->set_last_fetch_ms(now_ms);
  state->set_last_success_ms(now_ms);
  state->set_http_status(static_cast<uint32_t>(result.reply.http_status));
  NoteMove(result, same_feed, now_ms, state);
  NoteCaching(result, now_ms, state);
}

v1::FeedHealth HealthOf(std::string_view reason) {
  if (reason == "html") return v1::FEED_HEALTH_HTML;
  if (reason == "consent") return v1::FEED_HEALTH_CONSENT;
  if (reason == "http_410") return v1::FEED_HEALTH_GONE;
  if (reason == "http_401" || reason == "http_403" || reason == "http_451" || reason == "blocked_address")
    return v1::FEED_HEALTH_BLOCKED;
  return v1::FEED_HEALTH_FAILING;
}

}  // namespace

std::string_view HealthName(v1::FeedHealth health) {
  switch (health) {
    case v1::FEED_HEALTH_OK: return "ok";
    case v1::FEED_HEALTH_STALE: return "stale";
    case v1::FEED_HEALTH_SILENT: return "silent";
    case v1::FEED_HEALTH_EMPTY: return "empty";
    case v1::FEED_HEALTH_HTML: return "html";
    case v1::FEED_HEALTH_CONSENT: return "consent";
    case v1::FEED_HEALTH_GONE: return "gone";
    case v1::FEED_HEALTH_BLOCKED: return "blocked";
    case v1::FEED_HEALTH_LYING: return "lying";
    case v1::FEED_HEALTH_FAILING: return "failing";
    default: return "new";
  }
}

bool ProbeIsDue(const v1::FeedState& state, base::UnixMs now_ms) {
  constexpr int64_t kShortest = kDayMs / 4;
  // Half the time that an entry stands in the list: what validators hid is found before it has gone.
  const int64_t span_ms = state.list_span_s() * 1000;
  return now_ms - state.probe_ms() >= (span_ms > 0 ? std::clamp(span_ms / 2, kShortest, kDayMs) : kDayMs);
}

bool WantsUnconditional(const v1::FeedState& state, base::UnixMs now_ms) {
  return state.validators_lie() || ProbeIsDue(state, now_ms);
}

void ApplyDocument(const FetchResult& result, const DocumentYield& yield, uint64_t body_hash, const IntervalLimits& limits,
                   base::UnixMs now_ms, v1::FeedState* state) {
  const std::string etag = HeaderOrEmpty(result.reply, "etag");
  const std::string last_modified = HeaderOrEmpty(result.reply, "last-modified");
  const bool had = !state->etag().empty() || !state->last_modified().empty();
  const bool same = had && etag == state->etag() && last_modified == state->last_modified();
  // A server that was asked without validators and shows news under the old ones would have said 304.
  if (!result.conditional && same && yield.fetch.new_entries > 0 && body_hash != state->body_hash())
    state->set_validators_lie(true);
  else if (had && !same)
    state->set_validators_lie(false);
  if (!result.conditional) state->set_probe_ms(now_ms);
  // Validators are kept only when everything behind them is delivered.
  state->set_etag(yield.complete ? etag : "");
  state->set_last_modified(yield.complete ? last_modified : "");
  state->set_body_hash(yield.complete ? body_hash : 0);
  const bool stranger = state->entries() > 0 && yield.fetch.entries > 0 && yield.fetch.new_entries == yield.fetch.entries;
  LearnYield(yield, now_ms, state);
  NoteSuccess(result, !stranger, now_ms, state);
  if (yield.fetch.entries == 0) {
    SetHealth(v1::FEED_HEALTH_EMPTY, "no_entries", "a feed without entries", state);
    return;
  }
  if (yield.fetch.new_entries > 0 || state->last_new_ms() == 0) state->set_last_new_ms(now_ms);
  JudgeWorking(limits, now_ms, state);
}

void ApplyUnchanged(const FetchResult& result, const IntervalLimits& limits, base::UnixMs now_ms, v1::FeedState* state) {
  if (const std::string* etag = result.reply.Header("etag")) state->set_etag(*etag);
  if (const std::string* modified = result.reply.Header("last-modified")) state->set_last_modified(*modified);
  if (!result.conditional) state->set_probe_ms(now_ms);
  LearnVolume({}, now_ms, state);
  NoteSuccess(result, true, now_ms, state);
  if (state->health() == v1::FEED_HEALTH_EMPTY && state->reason() == "no_entries") return;
  JudgeWorking(limits, now_ms, state);
}

void ApplyPush(const DocumentYield& yield, const IntervalLimits& limits, base::UnixMs now_ms, v1::FeedState* state) {
  LearnYield(yield, now_ms, state);
  state->mutable_hub()->set_pushes(state->hub().pushes() + 1);
  if (yield.fetch.new_entries == 0) return;
  state->set_last_new_ms(now_ms);
  JudgeWorking(limits, now_ms, state);
}

void ApplyFailure(std::string_view reason, std::string_view detail, int http_status, base::UnixMs now_ms, v1::FeedState* state) {
  state->set_fetches(state->fetches() + 1);
  state->set_failures(state->failures() + 1);
  state->set_last_fetch_ms(now_ms);
  state->set_http_status(static_cast<uint32_t>(http_status));
  SetHealth(HealthOf(reason), reason, detail, state);
}

}  // namespace racewatch::ingest
