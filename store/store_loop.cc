#include "store/store_loop.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <random>
#include <utility>

#include "base/bus/dead_letter.h"
#include "base/bus/topics.h"
#include "base/metrics.h"
#include "base/pause.h"
#include "racewatch/v1/config.pb.h"
#include "store/alert_step.h"
#include "store/applier.h"
#include "store/generation_cleanup.h"
#include "store/generation_engine.h"
#include "store/leader.h"
#include "store/progress.h"
#include "store/query.h"
#include "store/redaction.h"
#include "store/retag_status.h"
#include "store/retention.h"
#include "store/settlement.h"
#include "store/store_metrics.h"
#include "store/story_step.h"
#include "store/sync_ahead.h"
#include "store/watermark.h"
#include "store/notify/notifier.h"

namespace racewatch::store {
namespace {

using std::chrono::milliseconds;

constexpr size_t kStoryWorkMax = 500;
constexpr size_t kAlertStepsMax = 36;
constexpr size_t kRetentionArticlesMax = 500;
constexpr milliseconds kBackOff{200};
constexpr milliseconds kFlushWait{1000};
constexpr milliseconds kNotifyWait{10};
constexpr milliseconds kSwitchWait{10};
constexpr std::chrono::seconds kRetagLookEvery{1};
constexpr milliseconds kLookEvery{100};
constexpr int64_t kSilentMs = 10'000;
constexpr int kRegisterTries = 20;

// Of this process life, for the lease.
std::string UniqueName() {
  std::random_device random;
  return std::to_string(random()) + "-" + std::to_string(random());
}

}  // namespace

struct StoreLoop::Impl {
  Impl(const v1::StoreConfig& c, Engine& e, base::Source& s, base::Sink& k, base::Clock& t, prometheus::Registry& registry,
       base::Log& l, Changes& ch, RetagSource retag_source)
      : at_start(c), batch_records_max(c.batch_records_max()),
        retention{.late_days_max = c.late_days_max(), .hour_windows_days = c.hour_windows_days()},
        whole(e), engine(e), source(s), sink(k), clock(t), log(l), changes(ch),
        applier(engine, {.late_days_max = c.late_days_max()}),
        stories(engine, c.story_window_articles()),
        alerts(engine, {c.rules().begin(), c.rules().end()}),
        outbox(e, k, t, l),
        texts(engine, k, c.text_days()),
        drops_texts(c.text_days() > 0),
        metrics(registry),
        watermark({.lateness_ms = int64_t{c.watermark_s()} * 1000, .idle_ms = int64_t{c.idle_s()} * 1000}),
        notifier(e, t, registry, l),
        settlement(e, s),
        syncing(e),
        shadow(engine, std::move(retag_source), c.late_days_max(), t, metrics.retag, l),
        lease(c.postgresql().lease_ms()) {
    notifier.Configure({c.subscribers().begin(), c.subscribers().end()}, {c.silences().begin(), c.silences().end()});
  }

  const v1::StoreConfig at_start;
  const size_t batch_records_max;
  const RetentionOptions retention;
  Engine& whole;
  GenerationEngine engine;  // the active one
  base::Source& source;
  base::Sink& sink;
  base::Clock& clock;
  base::Log& log;
  Changes& changes;
  Applier applier;
  StoryStep stories;
  AlertStep alerts;
  Outbox outbox;
  TextRetention texts;
  const bool drops_texts;
  StoreMetrics metrics;
  Watermark watermark;
  Notifier notifier;
  Settlement settlement;
  SyncAhead syncing;
  std::vector<base::Position> counted;  // up to where batches are committed, and perhaps not durable yet
  ShadowStep shadow;
  const milliseconds lease;

  mutable std::mutex keeper_mutex;  // `keeper` itself, which this thread alone changes
  std::unique_ptr<LeaderKeeper> keeper;  // with a shared engine
  std::optional<Claim> leader;           // while this process leads; always, alone
  int64_t fenced_epoch = -1;             // a lead that was taken from us, whatever the keeper still thinks
  std::atomic<bool> leading = false;
  bool stale = false;        // the applier must read again what it keeps
  std::vector<base::Record> kept;  // read when counting stopped for a switch; counted first once it goes on
  base::Status unclaimed;    // why a partition could not be claimed
  std::stop_token stopping;  // of the round under way
  std::string cluster_id;
  std::map<base::TopicPartition, Claim> claims;
  std::optional<std::map<base::TopicPartition, Noted>> noted_by_all;  // counted by all; told into stories once the queue is empty
  std::chrono::steady_clock::time_point next_look;
  std::chrono::steady_clock::time_point next_retag_look;
  mutable std::mutex mutex;  // counts, not_ready, reload
  std::optional<v1::StoreConfig> reload;
  LoopCounts counts;
  std::string not_ready = "starting";

  void SetNotReady(std::string why) {
    const std::scoped_lock lock(mutex);
    not_ready = std::move(why);
  }
  base::Status LearnCluster();
  base::Status BindGenerations();
  void FollowGenerations();
  base::Status NoteCluster();
  base::Status SendDeadLetters(const std::vector<base::Record>& records, const std::vector<DeadLetter>& letters);
  base::Status ApplyOnce(const std::vector<base::Record>& records);
  base::Status Announce();
  base::Status ApplyAll(const std::vector<base::Record>& records);
  void Count(const std::vector<base::Record>& records, const Applied& applied);
  base::Result<StoryStep::Done> RunStories();
  base::Result<bool> RunAlerts(base::UnixMs now);
  base::Result<bool> RunOutbox();
  base::Result<bool> RunNotifier(milliseconds wait);
  base::Status TakeReload();
  base::Status TakeQueries(const v1::StoreConfig& config);
  base::Result<bool> RunRetention();
  base::Result<bool> RunShadow(milliseconds wait);
  base::Result<std::vector<base::Record>> Read(milliseconds wait);
  struct Lead {
    bool steps_left = false;
    bool stories_left = false;
    bool told = false;  // some stories
    bool sent = false;
    bool calling = false;
    bool removed = false;
    bool shadowed = false;
    bool any() const { return steps_left || stories_left || told || sent || calling || removed || shadowed; }
  };
  base::Result<bool> RestoreLead();
  base::Status FollowLease();
  void DropLead();
  void LeaveLead();
  base::Result<Lead> RunLead(milliseconds notify_wait);
  base::Status LeadFailed(const base::Status& why);
  std::map<base::TopicPartition, Noted> Own(base::UnixMs now);
  void SettleByAll();
  void LookAtAll();
  base::Status Settle(base::UnixMs now, const Lead& lead);
  base::Status Fenced(const base::Status& why);
};

// Waits until the bus says which log this is: positions of another log mean nothing here.
base::Status StoreLoop::Impl::LearnCluster() {
  while (!stopping.stop_requested()) {
    auto id = source.ClusterId();
    if (id.ok()) {
      cluster_id = std::move(id).value();
      break;
    }
    if (!id.status().retryable()) return id.status();
    SetNotReady(id.status().message());
    base::PauseFor(kBackOff, stopping);
  }
  base::Status status;
  do {
    status = NoteCluster();
    if (status.retryable()) base::PauseFor(kBackOff, stopping);
  } while (status.retryable() && !stopping.stop_requested());
  return stopping.stop_requested() ? base::Status() : status;
}

base::Status StoreLoop::Impl::NoteCluster() {
  RW_ASSIGN_OR_RETURN(const auto known, whole.Get(Table::kMeta, "cluster"));
  if (known == cluster_id) return {};
  if (known) {
    log.Warn("log_replaced", {{"was", *known}, {"is", cluster_id}});
    metrics.LogReplaced();
    // What a re-tag covers are offsets of the former log.
    if (const base::Status cancelled = CancelRetag(whole); cancelled.retryable()) return cancelled;
  }
  Batch batch;
  batch.Put(Table::kMeta, "cluster", cluster_id);
  return engine.Commit(batch);
}

// An acknowledged record may only be passed over once its dead letter is safe on the bus.
base::Status StoreLoop::Impl::SendDeadLetters(const std::vector<base::Record>& records, const std::vector<DeadLetter>& letters) {
  struct Reports {
    std::mutex mutex;
    std::vector<size_t> failed;
  };
  std::vector<size_t> left(letters.size());
  for (size_t i = 0; i < left.size(); ++i) left[i] = i;
  while (!left.empty()) {
    if (stopping.stop_requested()) return base::Cancelled("stopping");
    const auto reports = std::make_shared<Reports>();
    std::vector<size_t> again;
    for (const size_t i : left) {
      const base::Record& original = records[letters[i].record];
      const base::Status taken =
          sink.Send(base::MakeDeadLetter(original, "store", letters[i].reason, letters[i].detail, 1),
                    [reports, i](const base::Delivery& delivery) {
                      const std::scoped_lock lock(reports->mutex);
                      if (!delivery.status.ok()) reports->failed.push_back(i);
                    });
      if (!taken.ok()) again.push_back(i);
    }
    const base::Status flushed = sink.Flush(kFlushWait);
    const std::scoped_lock lock(reports->mutex);
    again.insert(again.end(), reports->failed.begin(), reports->failed.end());
    // Not all reports in: whether those are safe is unknown, so all of them go again.
    if (!flushed.ok()) again = left;
    left = std::move(again);
    if (left.empty()) break;
    metrics.store.Error("dead_letter_not_delivered");
    log.RateLimited(base::LogLevel::kWarn, "dead_letter_not_delivered", {{"records", static_cast<uint64_t>(left.size())}});
    base::PauseFor(kBackOff, stopping);
  }
  return {};
}

base::Status StoreLoop::Impl::ApplyOnce(const std::vector<base::Record>& records) {
  const auto begun = std::chrono::steady_clock::now();
  FollowGenerations();  // a commit that found another list has bound it
  if (stale) RW_RETURN_IF_ERROR(applier.Reload());
  stale = false;
  Batch batch;
  RW_ASSIGN_OR_RETURN(const Applied applied, applier.Apply(records, clock.NowMs(), &batch));
  RW_RETURN_IF_ERROR(SendDeadLetters(records, applied.dead_letters));
  RW_RETURN_IF_ERROR(KeepLabels(engine, sink, records, [this](const base::Record& record) { return applier.CompleteValue(record); }));
  std::map<base::TopicPartition, int64_t> next;
  for (const base::Record& record : records) {
    int64_t& offset = next[{record.topic, record.partition}];
    offset = std::max(offset, record.offset + 1);
  }
  for (const auto& [where, offset] : next) batch.Advance(claims.at(where), offset);
  RW_RETURN_IF_ERROR(engine.CommitUnsynced(batch));
  metrics.store.Duration(std::chrono::steady_clock::now() - begun);
  stories.Added();
  Count(records, applied);
  for (const auto& [where, fetched_at] : applied.newest) watermark.Read(where, fetched_at);
  RW_RETURN_IF_ERROR(Announce());
  for (const auto& [where, offset] : next) counted.push_back({where, offset});
  syncing.Start();
  return engine.unsynced() ? base::Status() : Announce();
}

// Tells others of what is committed, once it is durable. What this process does with it need not wait: whatever it commits
// comes behind it in the same log.
base::Status StoreLoop::Impl::Announce() {
  if (counted.empty()) return {};
  base::Status durable = syncing.Wait();
  while (durable.retryable() && !stopping.stop_requested()) {
    metrics.store.Error("not_synced");
    log.RateLimited(base::LogLevel::kWarn, "batch_not_durable", {{"why", durable.message()}});
    base::PauseFor(kBackOff, stopping);
    syncing.Start();
    durable = syncing.Wait();
  }
  RW_RETURN_IF_ERROR(durable);
  changes.Notify();
  // Our own positions decide; the bus keeps a copy for those who look at a group's lag.
  if (const base::Status status = source.Commit(std::exchange(counted, {})); !status.ok()) metrics.store.Error("position_not_copied");
  return {};
}

base::Status StoreLoop::Impl::ApplyAll(const std::vector<base::Record>& records) {
  // A partition taken away meanwhile belongs to somebody else.
  std::vector<base::Record> ours;
  for (const base::Record& record : records)
    if (claims.contains({record.topic, record.partition})) ours.push_back(record);
  if (ours.empty()) return {};
  for (;;) {
    const base::Status status = ApplyOnce(ours);
    if (status.ok() || stopping.stop_requested()) return {};
    stale = true;
    if (status.code() == base::Code::kFailedPrecondition) return Fenced(status);
    if (!status.retryable()) return status;
    metrics.store.Error(status.code() == base::Code::kAborted ? "row_changed" : "not_committed");
    if (status.code() == base::Code::kAborted && engine.generations().switching()) {
      kept = std::move(ours);
      return {};
    }
    if (status.code() == base::Code::kAborted) continue;  // another writer came first: decide again
    log.RateLimited(base::LogLevel::kWarn, "batch_not_committed", {{"why", status.message()}});
    SetNotReady(status.message());
    base::PauseFor(kBackOff, stopping);
  }
}

// Somebody else took a partition of ours. What was in hand is theirs; what is ours now, the group says.
base::Status StoreLoop::Impl::Fenced(const base::Status& why) {
  if (!engine.shared()) return why;
  log.Warn("fenced", {{"why", why.message()}});
  metrics.store.Error("fenced");
  claims.clear();
  return source.Rejoin();
}

void StoreLoop::Impl::Count(const std::vector<base::Record>& records, const Applied& applied) {
  const auto n = records.size();
  metrics.store.Received(static_cast<double>(n));
  metrics.store.Sent(static_cast<double>(applied.stored));
  const std::scoped_lock lock(mutex);
  not_ready.clear();
  counts.received += n;
  counts.stored += applied.stored;
  counts.dead_lettered += applied.dead_letters.size();
  const auto drop = [this](std::string_view reason, uint64_t times) {
    if (times == 0) return;
    counts.dropped[std::string(reason)] += times;
    metrics.store.Dropped(reason, static_cast<double>(times));
  };
  for (const auto& [outcome, times] : applied.outcomes) drop(DropReason(outcome), times);
  drop("tombstone", applied.tombstones);
  drop("foreign_generation", applied.foreign_generation);
  if (applied.other_model > 0)
    log.RateLimited(base::LogLevel::kWarn, "other_model_counted", {{"generation", engine.generations().active}, {"records", applied.other_model}});
  for (const DeadLetter& letter : applied.dead_letters) {
    metrics.DeadLettered(letter.reason);
    log.RateLimited(base::LogLevel::kWarn, "dead_letter",
                    {{"reason", letter.reason}, {"detail", letter.detail}, {"topic", records[letter.record].topic},
                     {"partition", records[letter.record].partition}, {"offset", records[letter.record].offset}});
  }
}

base::Result<StoryStep::Done> StoreLoop::Impl::RunStories() {
  const auto begun = std::chrono::steady_clock::now();
  RW_ASSIGN_OR_RETURN(const StoryStep::Done done, stories.Advance(kStoryWorkMax, *leader));
  if (done.stories > 0) {
    metrics.story.Received(static_cast<double>(done.stories));
    metrics.story.Sent(static_cast<double>(done.stories));
    metrics.story.Duration(std::chrono::steady_clock::now() - begun);
  }
  return done;
}

base::Result<bool> StoreLoop::Impl::RunAlerts(base::UnixMs now) {
  RW_ASSIGN_OR_RETURN(const AlertStep::Done done, alerts.Run(watermark.At(now), now, kAlertStepsMax, *leader));
  if (done.alerts > 0) {
    metrics.outbox.Received(static_cast<double>(done.alerts));
    changes.Notify();
    const std::scoped_lock lock(mutex);
    counts.alerts_opened += done.opened;
  }
  return done.more;
}

base::Result<bool> StoreLoop::Impl::RunOutbox() {
  size_t sent = 0;
  const base::Status status = outbox.Run(*leader, &sent);
  if (sent > 0) metrics.outbox.Sent(static_cast<double>(sent));
  if (!status.ok()) return status;
  return sent > 0;
}

// True while a request is in flight.
base::Result<bool> StoreLoop::Impl::RunNotifier(milliseconds wait) {
  const base::Status status = notifier.Run(*leader, wait);
  if (!status.ok()) return status;
  return notifier.busy();
}

// Registers the saved queries and counts by them from the next batch on.
base::Status StoreLoop::Impl::TakeQueries(const v1::StoreConfig& config) {
  auto queries = RegisterQueries(engine, config);
  for (int i = 0; i < kRegisterTries && queries.status().code() == base::Code::kAborted; ++i) queries = RegisterQueries(engine, config);
  if (!queries.ok()) return queries.status();
  applier.SetQueries(*queries);
  return {};
}

base::Status StoreLoop::Impl::TakeReload() {
  std::optional<v1::StoreConfig> config;
  {
    const std::scoped_lock lock(mutex);
    config.swap(reload);
  }
  if (!config) return {};
  if (const base::Status status = TakeQueries(*config); !status.ok()) {
    log.RateLimited(base::LogLevel::kError, "queries_not_reloaded", {{"why", status.message()}});
    const std::scoped_lock lock(mutex);
    if (status.retryable() && !reload) reload = std::move(config);  // the database is away: the whole of it with the next round
    return {};
  }
  alerts.SetRules({config->rules().begin(), config->rules().end()});
  notifier.Configure({config->subscribers().begin(), config->subscribers().end()}, {config->silences().begin(), config->silences().end()});
  log.Info("rules_reloaded", {{"rules", config->rules_size()}, {"queries", config->queries_size()}, {"subscribers", config->subscribers_size()}, {"silences", config->silences_size()}});
  if (!leading) return {};
  const base::Status status = notifier.Restore();
  return status.ok() ? status : LeadFailed(status);
}

base::Result<bool> StoreLoop::Impl::RunRetention() {
  const Generation* building = engine.generations().Building();
  RW_ASSIGN_OR_RETURN(bool removed, store::RunRetention(engine, retention, *leader, kRetentionArticlesMax, building ? building->number : 0));
  stale = stale || removed;  // the frozen day may have moved
  if (removed || engine.generations().all.empty()) return removed;
  const auto cleaned = CleanGenerations(whole, engine.generations(), retention.hour_windows_days, *leader, kRetentionArticlesMax);
  if (cleaned.status().code() == base::Code::kAborted) return true;
  return cleaned;
}

base::Status StoreLoop::Impl::BindGenerations() {
  const uint32_t before = engine.generations().active;
  RW_RETURN_IF_ERROR(engine.Bind());
  stale = stale || engine.generations().active != before;
  FollowGenerations();
  return {};
}

void StoreLoop::Impl::FollowGenerations() {
  const Generations& generations = engine.generations();
  const Generation* active = generations.Find(generations.active);
  const Generation* building = generations.Building();
  applier.SetModel(generations.active, active != nullptr && active->number != 0 ? std::optional(active->model_version) : std::nullopt);
  stories.SetMirror(building == nullptr ? 0 : building->number);
}

base::Result<bool> StoreLoop::Impl::RunShadow(milliseconds wait) {
  RW_ASSIGN_OR_RETURN(const ShadowStep::Done done, shadow.Run(cluster_id, *leader, wait));
  if (done.switched) {
    stale = true;
    FollowGenerations();
    changes.Notify();
  }
  const Generation* building = engine.generations().Building();
  if (building == nullptr) {
    metrics.Retag(0, 0);
  } else if (std::chrono::steady_clock::now() >= next_retag_look) {
    next_retag_look = std::chrono::steady_clock::now() + kRetagLookEvery;
    RW_ASSIGN_OR_RETURN(const RetagStatus status, ReadRetag(whole));
    metrics.Retag(building->number, status.lag());
  }
  return done.worked;
}

// The next records to count; none while everything waits for a switch of generations.
base::Result<std::vector<base::Record>> StoreLoop::Impl::Read(milliseconds wait) {
  if (engine.generations().switching()) {
    if (!leading) base::PauseFor(kSwitchWait, stopping);
    return std::vector<base::Record>();
  }
  if (!kept.empty()) return std::exchange(kept, {});
  return source.Poll({.records_max = batch_records_max}, wait);
}

// Loads what the leader before us left; false: the database is away, try again.
base::Result<bool> StoreLoop::Impl::RestoreLead() {
  base::Status status = stories.Restore();
  if (status.ok()) status = alerts.Restore();
  if (status.ok()) status = outbox.Restore();
  if (status.ok()) status = notifier.Restore();
  if (status.ok()) return true;
  if (!status.retryable()) return status;
  log.RateLimited(base::LogLevel::kWarn, "lead_not_restored", {{"why", status.message()}});
  return false;
}

void StoreLoop::Impl::DropLead() {
  if (leader && keeper) fenced_epoch = leader->epoch;
  LeaveLead();
}

void StoreLoop::Impl::LeaveLead() {
  leader.reset();
  leading = false;
  shadow.Close();
  metrics.Retag(0, 0);
}

// Takes up the lead, or lays it down, as the lease says.
base::Status StoreLoop::Impl::FollowLease() {
  const auto held = keeper ? keeper->claim() : leader;
  if (!held || held->epoch <= fenced_epoch) {
    LeaveLead();
    return {};
  }
  if (leading && leader->epoch == held->epoch) return {};
  leader = held;
  noted_by_all.reset();
  RW_ASSIGN_OR_RETURN(leading, RestoreLead());
  return {};
}

// What only one process may do. After an error that may pass, everything is read again: it may be ahead of the tables.
base::Result<StoreLoop::Impl::Lead> StoreLoop::Impl::RunLead(milliseconds notify_wait) {
  Lead lead;
  const auto run = [&]() -> base::Status {
    RW_ASSIGN_OR_RETURN(const StoryStep::Done done, RunStories());
    lead.told = done.stories > 0;
    lead.stories_left = done.more;
    RW_ASSIGN_OR_RETURN(lead.sent, RunOutbox());
    RW_ASSIGN_OR_RETURN(lead.calling, RunNotifier(notify_wait));
    RW_ASSIGN_OR_RETURN(lead.shadowed, RunShadow(notify_wait));
    if (!lead.stories_left) {
      RW_ASSIGN_OR_RETURN(lead.removed, RunRetention());
    }
    if (drops_texts && !lead.stories_left && !lead.removed) {
      RW_ASSIGN_OR_RETURN(const store::Progress all, ReadProgress(engine));
      RW_ASSIGN_OR_RETURN(lead.removed, texts.Run(all.stream_ms));
    }
    return {};
  };
  const base::Status status = run();
  if (status.ok()) return lead;
  RW_RETURN_IF_ERROR(LeadFailed(status));
  lead.stories_left = true;
  return lead;
}

base::Status StoreLoop::Impl::LeadFailed(const base::Status& why) {
  if (why.code() == base::Code::kFailedPrecondition && keeper) {
    log.Warn("lead_fenced", {{"why", why.message()}});
    DropLead();
    return {};
  }
  if (!why.retryable()) return why;
  metrics.story.Error("not_committed");
  log.RateLimited(base::LogLevel::kWarn, "lead_not_committed", {{"why", why.message()}});
  leading = false;  // FollowLease restores it
  shadow.Close();
  return {};
}

std::map<base::TopicPartition, Noted> StoreLoop::Impl::Own(base::UnixMs now) {
  std::map<base::TopicPartition, Noted> own;
  for (const auto& [where, lag] : source.Lag()) {
    const base::UnixMs newest = watermark.newest(where);
    metrics.Lag(where, lag, newest > 0 ? (now - newest) / 1000.0 : 0);
    own[where] = {now, newest, lag};
  }
  return own;
}

// How far all stores are, and then, in this order, whether stories are left of what they had counted by then.
void StoreLoop::Impl::LookAtAll() {
  if (!leading || !engine.shared() || noted_by_all || std::chrono::steady_clock::now() < next_look) return;
  next_look = std::chrono::steady_clock::now() + kLookEvery;
  if (auto noted = settlement.Read(clock.NowMs(), kSilentMs); noted.ok()) noted_by_all = std::move(noted).value();
  stories.Added();  // others fill the queue as well
}

void StoreLoop::Impl::SettleByAll() {
  std::map<base::TopicPartition, std::optional<int64_t>> lag;
  base::UnixMs moment = clock.NowMs();
  for (const auto& [where, noted] : *noted_by_all) {
    lag[where] = noted.lag;
    if (noted.newest > 0) watermark.Read(where, noted.newest);
    if (noted.lag) moment = std::min(moment, noted.at);
  }
  noted_by_all.reset();
  watermark.Settle(moment, lag, true);
  metrics.Watermark(watermark.latest());
}

base::Status StoreLoop::Impl::Settle(base::UnixMs now, const Lead& lead) {
  const auto own = Own(now);
  if (!engine.shared()) {
    if (lead.steps_left) return {};
    watermark.Settle(now, source.Lag(), !lead.stories_left);
    metrics.Watermark(watermark.latest());
    return {};
  }
  if (leading && noted_by_all && !lead.stories_left && !lead.steps_left) SettleByAll();
  const base::Status noted = settlement.Note(own, claims);
  if (noted.code() == base::Code::kFailedPrecondition) return Fenced(noted);
  return noted.retryable() ? base::Status() : noted;
}

StoreLoop::StoreLoop(const v1::StoreConfig& config, Engine& engine, base::Source& source, base::Sink& sink, base::Clock& clock,
                     prometheus::Registry& registry, base::Log& log, Changes& changes, RetagSource retag_source)
    : impl_(std::make_unique<Impl>(config, engine, source, sink, clock, registry, log, changes, std::move(retag_source))) {}
StoreLoop::~StoreLoop() = default;

base::Status StoreLoop::Restore() {
  Impl& impl = *impl_;
  RW_RETURN_IF_ERROR(impl.BindGenerations());
  RW_RETURN_IF_ERROR(impl.TakeQueries(impl.at_start));
  RW_RETURN_IF_ERROR(impl.applier.Reload());
  if (impl.engine.shared()) {
    const std::scoped_lock lock(impl.keeper_mutex);
    impl.keeper = std::make_unique<LeaderKeeper>(impl.engine, UniqueName(), impl.lease, impl.log);
    return {};
  }
  // Stories, alerts and outbox belong to the state, not to a partition: one claim of their own.
  RW_ASSIGN_OR_RETURN(impl.leader, impl.engine.TakeClaim("", {kLeaderName, 0}));
  RW_ASSIGN_OR_RETURN(impl.leading, impl.RestoreLead());
  return {};
}

void StoreLoop::Reload(const v1::StoreConfig& config) {
  const std::scoped_lock lock(impl_->mutex);
  impl_->reload = config;
}

base::Result<StoreLoop::Progress> StoreLoop::Round(milliseconds wait, const std::stop_token& stop) {
  Impl& impl = *impl_;
  Progress progress;
  impl.stopping = stop;
  if (impl.cluster_id.empty()) RW_RETURN_IF_ERROR(impl.LearnCluster());
  if (stop.stop_requested()) return progress;
  if (const base::Status bound = impl.BindGenerations(); !bound.ok()) {
    if (!bound.retryable()) return bound;
    impl.SetNotReady(bound.message());
    base::PauseFor(kBackOff, stop);
    return progress;
  }
  RW_RETURN_IF_ERROR(impl.FollowLease());
  RW_RETURN_IF_ERROR(impl.TakeReload());
  const base::UnixMs before = impl.clock.NowMs();
  impl.LookAtAll();
  auto records = impl.Read(impl.counted.empty() ? wait : milliseconds(0));
  RW_RETURN_IF_ERROR(impl.unclaimed);
  if (!records.ok()) {
    if (!records.status().retryable()) return records.status();
    impl.metrics.store.Error("bus_unavailable");
    impl.SetNotReady(records.status().message());
    base::PauseFor(kBackOff, stop);
    return progress;
  }
  Impl::Lead lead;
  if (impl.leading) {
    const auto steps_left = impl.RunAlerts(impl.clock.NowMs());
    if (!steps_left.ok()) RW_RETURN_IF_ERROR(impl.LeadFailed(steps_left.status()));
    lead.steps_left = !steps_left.ok() || *steps_left;
  }
  if (records->empty()) impl.SetNotReady("");
  else RW_RETURN_IF_ERROR(impl.ApplyAll(*records));
  if (impl.leading) {
    const bool steps_left = lead.steps_left;
    RW_ASSIGN_OR_RETURN(lead, impl.RunLead(records->empty() ? kNotifyWait : milliseconds(0)));
    lead.steps_left = steps_left;
  }
  // Behind a full batch there will be another one, and the disk may take until then.
  if (records->size() < impl.batch_records_max || !impl.engine.unsynced()) RW_RETURN_IF_ERROR(impl.Announce());
  RW_RETURN_IF_ERROR(impl.Settle(before, lead));
  if (impl.engine.shared()) impl.changes.Notify();  // others may have committed what our watches wait for
  progress.worked = !records->empty() || lead.any();
  impl.metrics.Beat(impl.source.gaps(), impl.stories.index_articles(), impl.stories.index_bytes());
  const base::UnixMs now = impl.clock.NowMs();
  const bool held = !impl.kept.empty() || impl.engine.generations().switching();
  progress.idle = !progress.worked && !held && impl.outbox.empty() && (!impl.leading || impl.watermark.settled() >= now);
  return progress;
}

std::map<base::TopicPartition, int64_t> StoreLoop::OnAssigned(const std::vector<base::TopicPartition>& partitions) {
  std::map<base::TopicPartition, int64_t> positions;
  impl_->stale = true;
  for (const auto& where : partitions) {
    auto claim = impl_->engine.TakeClaim(impl_->cluster_id, where);
    // Without a claim nothing of it could be counted, and nobody else would: wait for the database.
    while (!claim.ok() && claim.status().retryable() && !impl_->stopping.stop_requested()) {
      impl_->SetNotReady(claim.status().message());
      impl_->log.RateLimited(base::LogLevel::kWarn, "partition_not_claimed", {{"topic", where.topic}, {"partition", where.partition}, {"why", claim.status().message()}});
      base::PauseFor(kBackOff, impl_->stopping);
      claim = impl_->engine.TakeClaim(impl_->cluster_id, where);
    }
    if (!claim.ok()) {
      impl_->unclaimed = claim.status();
      continue;
    }
    if (claim->next_offset >= 0) positions[where] = claim->next_offset;  // else the log's start
    impl_->claims[where] = std::move(claim).value();
  }
  return positions;
}

void StoreLoop::OnRevoked(const std::vector<base::TopicPartition>& partitions) {
  if (const base::Status status = impl_->Announce(); !status.ok()) impl_->log.Warn("batch_not_durable", {{"why", status.message()}});
  impl_->stale = true;
  for (const auto& where : partitions) {
    impl_->claims.erase(where);
  }
}

void StoreLoop::Resign() {
  if (!impl_->keeper) return;
  impl_->DropLead();
  std::unique_ptr<LeaderKeeper> keeper;  // ends last: it asks the database
  {
    const std::scoped_lock lock(impl_->keeper_mutex);
    keeper.swap(impl_->keeper);
  }
}

const Engine& StoreLoop::active() const { return impl_->engine; }

bool StoreLoop::leading() const {
  const std::scoped_lock lock(impl_->keeper_mutex);
  return impl_->leading && (!impl_->keeper || impl_->keeper->claim());
}

LoopCounts StoreLoop::counts() const {
  const std::scoped_lock lock(impl_->mutex);
  return impl_->counts;
}

std::string StoreLoop::NotReady() const {
  const std::scoped_lock lock(impl_->mutex);
  return impl_->not_ready;
}

}  // namespace racewatch::store
