#include "store/store_loop.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

#include "base/bus/dead_letter.h"
#include "base/bus/topics.h"
#include "base/metrics.h"
#include "racewatch/v1/config.pb.h"
#include "store/alert_step.h"
#include "store/applier.h"
#include "store/query.h"
#include "store/redaction.h"
#include "store/retention.h"
#include "store/store_metrics.h"
#include "store/story_step.h"
#include "store/watermark.h"
#include "store/webhook/webhooks.h"

namespace racewatch::store {
namespace {

using std::chrono::milliseconds;

constexpr size_t kStoryWorkMax = 500;
constexpr size_t kAlertStepsMax = 36;
constexpr size_t kRetentionArticlesMax = 500;
constexpr milliseconds kBackOff{200};
constexpr milliseconds kFlushWait{1000};
constexpr milliseconds kWebhookWait{10};

}  // namespace

struct StoreLoop::Impl {
  Impl(const v1::StoreConfig& c, Engine& e, base::Source& s, base::Sink& k, base::Clock& t, prometheus::Registry& registry,
       base::Log& l, Changes& ch)
      : batch_records_max(c.batch_records_max()),
        retention{.late_days_max = c.late_days_max(), .hour_windows_days = c.hour_windows_days()},
        engine(e), source(s), sink(k), clock(t), log(l), changes(ch),
        applier(e, {.late_days_max = c.late_days_max()}),
        stories(e, c.story_window_articles()),
        alerts(e, {c.rules().begin(), c.rules().end()}),
        outbox(e, k, t, l),
        texts(e, k, c.text_days()),
        metrics(registry),
        watermark({.lateness_ms = int64_t{c.watermark_s()} * 1000, .idle_ms = int64_t{c.idle_s()} * 1000}),
        webhooks(e, t, registry, l) {
    webhooks.Configure({c.subscribers().begin(), c.subscribers().end()}, {c.silences().begin(), c.silences().end()});
  }

  const size_t batch_records_max;
  const RetentionOptions retention;
  Engine& engine;
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
  StoreMetrics metrics;
  Watermark watermark;
  Webhooks webhooks;

  Claim leader;
  std::string cluster_id;
  std::map<base::TopicPartition, Claim> claims;
  std::condition_variable_any waiting;
  std::mutex waiting_mutex;
  mutable std::mutex mutex;  // counts, not_ready, reload
  std::optional<v1::StoreConfig> reload;
  LoopCounts counts;
  std::string not_ready = "starting";

  void Wait(milliseconds time, const std::stop_token& stop) {
    std::unique_lock lock(waiting_mutex);
    waiting.wait_for(lock, stop, time, [] { return false; });
  }
  void SetNotReady(std::string why) {
    const std::scoped_lock lock(mutex);
    not_ready = std::move(why);
  }
  base::Status LearnCluster(const std::stop_token& stop);
  base::Status SendDeadLetters(const std::vector<base::Record>& records, const std::vector<DeadLetter>& letters,
                               const std::stop_token& stop);
  base::Status ApplyOnce(const std::vector<base::Record>& records, const std::stop_token& stop);
  base::Status ApplyAll(const std::vector<base::Record>& records, const std::stop_token& stop);
  void Count(const std::vector<base::Record>& records, const Applied& applied);
  base::Result<StoryStep::Done> RunStories();
  base::Result<bool> RunAlerts(base::UnixMs now);
  base::Result<bool> RunOutbox();
  base::Result<bool> RunWebhooks(milliseconds wait);
  base::Status TakeReload();
  void Settle(base::UnixMs now, bool stories_done);
};

// Waits until the bus says which log this is: positions of another log mean nothing here.
base::Status StoreLoop::Impl::LearnCluster(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    auto id = source.ClusterId();
    if (id.ok()) {
      cluster_id = std::move(id).value();
      break;
    }
    if (!id.status().retryable()) return id.status();
    SetNotReady(id.status().message());
    Wait(kBackOff, stop);
  }
  RW_ASSIGN_OR_RETURN(const auto known, engine.Get(Table::kMeta, "cluster"));
  if (known == cluster_id || stop.stop_requested()) return {};
  if (known) {
    log.Warn("log_replaced", {{"was", *known}, {"is", cluster_id}});
    metrics.LogReplaced();
  }
  Batch batch;
  batch.Put(Table::kMeta, "cluster", cluster_id);
  return engine.Commit(batch);
}

// An acknowledged record may only be passed over once its dead letter is safe on the bus.
base::Status StoreLoop::Impl::SendDeadLetters(const std::vector<base::Record>& records, const std::vector<DeadLetter>& letters,
                                              const std::stop_token& stop) {
  struct Reports {
    std::mutex mutex;
    std::vector<size_t> failed;
  };
  std::vector<size_t> left(letters.size());
  for (size_t i = 0; i < left.size(); ++i) left[i] = i;
  while (!left.empty()) {
    if (stop.stop_requested()) return base::Cancelled("stopping");
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
    Wait(kBackOff, stop);
  }
  return {};
}

base::Status StoreLoop::Impl::ApplyOnce(const std::vector<base::Record>& records, const std::stop_token& stop) {
  const auto begun = std::chrono::steady_clock::now();
  Batch batch;
  RW_ASSIGN_OR_RETURN(const Applied applied, applier.Apply(records, clock.NowMs(), &batch));
  RW_RETURN_IF_ERROR(SendDeadLetters(records, applied.dead_letters, stop));
  RW_RETURN_IF_ERROR(KeepLabels(engine, sink, records));
  std::map<base::TopicPartition, int64_t> next;
  for (const base::Record& record : records) {
    int64_t& offset = next[{record.topic, record.partition}];
    offset = std::max(offset, record.offset + 1);
  }
  std::vector<base::Position> positions;
  for (const auto& [where, offset] : next) {
    batch.Advance(claims.at(where), offset);
    positions.push_back({where, offset});
  }
  RW_RETURN_IF_ERROR(engine.Commit(batch));
  metrics.store.Duration(std::chrono::steady_clock::now() - begun);
  stories.Added();
  Count(records, applied);
  for (const auto& [where, fetched_at] : applied.newest) watermark.Read(where, fetched_at);
  changes.Notify();
  // Our own positions decide; the bus keeps a copy for those who look at a group's lag.
  if (const base::Status status = source.Commit(positions); !status.ok()) metrics.store.Error("position_not_copied");
  return {};
}

base::Status StoreLoop::Impl::ApplyAll(const std::vector<base::Record>& records, const std::stop_token& stop) {
  // A partition taken away meanwhile belongs to somebody else.
  std::vector<base::Record> ours;
  for (const base::Record& record : records)
    if (claims.contains({record.topic, record.partition})) ours.push_back(record);
  for (;;) {
    const base::Status status = ApplyOnce(ours, stop);
    if (status.ok() || stop.stop_requested()) return {};
    if (!status.retryable()) return status;
    metrics.store.Error("not_committed");
    log.RateLimited(base::LogLevel::kWarn, "batch_not_committed", {{"why", status.message()}});
    SetNotReady(status.message());
    RW_RETURN_IF_ERROR(applier.Reload());
    Wait(kBackOff, stop);
  }
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
  for (const DeadLetter& letter : applied.dead_letters) {
    metrics.DeadLettered(letter.reason);
    log.RateLimited(base::LogLevel::kWarn, "dead_letter",
                    {{"reason", letter.reason}, {"detail", letter.detail}, {"topic", records[letter.record].topic},
                     {"partition", records[letter.record].partition}, {"offset", records[letter.record].offset}});
  }
}

base::Result<StoryStep::Done> StoreLoop::Impl::RunStories() {
  const auto begun = std::chrono::steady_clock::now();
  const auto done = stories.Advance(kStoryWorkMax, leader);
  if (!done.ok()) {
    if (!done.status().retryable()) return done.status();
    RW_RETURN_IF_ERROR(stories.Restore());  // the index may be ahead of the tables
    return StoryStep::Done{0, true};
  }
  if (done->stories > 0) {
    metrics.story.Received(static_cast<double>(done->stories));
    metrics.story.Sent(static_cast<double>(done->stories));
    metrics.story.Duration(std::chrono::steady_clock::now() - begun);
  }
  return *done;
}

base::Result<bool> StoreLoop::Impl::RunAlerts(base::UnixMs now) {
  const auto done = alerts.Run(watermark.At(now), now, kAlertStepsMax, leader);
  if (!done.ok()) {
    if (!done.status().retryable()) return done.status();
    RW_RETURN_IF_ERROR(alerts.Restore());
    return true;
  }
  if (done->alerts > 0) {
    metrics.outbox.Received(static_cast<double>(done->alerts));
    changes.Notify();
    const std::scoped_lock lock(mutex);
    counts.alerts_opened += done->opened;
  }
  return done->more;
}

base::Result<bool> StoreLoop::Impl::RunOutbox() {
  size_t sent = 0;
  const base::Status status = outbox.Run(leader, &sent);
  if (!status.ok() && !status.retryable()) return status;
  if (sent > 0) metrics.outbox.Sent(static_cast<double>(sent));
  return sent > 0;
}

// True while a request is in flight.
base::Result<bool> StoreLoop::Impl::RunWebhooks(milliseconds wait) {
  const base::Status status = webhooks.Run(leader, wait);
  if (!status.ok() && !status.retryable()) return status;
  if (!status.ok()) RW_RETURN_IF_ERROR(webhooks.Restore());
  return webhooks.busy();
}

base::Status StoreLoop::Impl::TakeReload() {
  std::optional<v1::StoreConfig> config;
  {
    const std::scoped_lock lock(mutex);
    config.swap(reload);
  }
  if (!config) return {};
  alerts.SetRules({config->rules().begin(), config->rules().end()});
  webhooks.Configure({config->subscribers().begin(), config->subscribers().end()}, {config->silences().begin(), config->silences().end()});
  log.Info("rules_reloaded", {{"rules", config->rules_size()}, {"subscribers", config->subscribers_size()}, {"silences", config->silences_size()}});
  return webhooks.Restore();
}

void StoreLoop::Impl::Settle(base::UnixMs now, bool stories_done) {
  const auto lag = source.Lag();
  for (const auto& [where, messages] : lag) {
    const base::UnixMs newest = watermark.newest(where);
    metrics.Lag(where, messages, newest > 0 ? (now - newest) / 1000.0 : 0);
  }
  watermark.Settle(now, lag, stories_done);
  metrics.Watermark(watermark.latest());
}

StoreLoop::StoreLoop(const v1::StoreConfig& config, Engine& engine, base::Source& source, base::Sink& sink, base::Clock& clock,
                     prometheus::Registry& registry, base::Log& log, Changes& changes)
    : impl_(std::make_unique<Impl>(config, engine, source, sink, clock, registry, log, changes)) {}
StoreLoop::~StoreLoop() = default;

base::Status StoreLoop::Restore() {
  // Stories, alerts and outbox belong to the state, not to a partition: one claim of their own.
  RW_ASSIGN_OR_RETURN(impl_->leader, impl_->engine.TakeClaim("", {"leader", 0}));
  RW_RETURN_IF_ERROR(impl_->applier.Reload());
  RW_RETURN_IF_ERROR(impl_->stories.Restore());
  RW_RETURN_IF_ERROR(impl_->alerts.Restore());
  RW_RETURN_IF_ERROR(impl_->webhooks.Restore());
  return impl_->outbox.Restore();
}

void StoreLoop::Reload(const v1::StoreConfig& config) {
  const std::scoped_lock lock(impl_->mutex);
  impl_->reload = config;
}

base::Result<StoreLoop::Progress> StoreLoop::Round(milliseconds wait, const std::stop_token& stop) {
  Impl& impl = *impl_;
  Progress progress;
  if (impl.cluster_id.empty()) {
    RW_RETURN_IF_ERROR(impl.LearnCluster(stop));
    if (stop.stop_requested()) return progress;
  }
  RW_RETURN_IF_ERROR(impl.TakeReload());
  const base::UnixMs before = impl.clock.NowMs();
  auto records = impl.source.Poll({.records_max = impl.batch_records_max}, wait);
  if (!records.ok()) {
    if (!records.status().retryable()) return records.status();
    impl.metrics.store.Error("bus_unavailable");
    impl.SetNotReady(records.status().message());
    impl.Wait(kBackOff, stop);
    return progress;
  }
  RW_ASSIGN_OR_RETURN(const bool steps_left, impl.RunAlerts(impl.clock.NowMs()));
  if (records->empty()) impl.SetNotReady("");
  else RW_RETURN_IF_ERROR(impl.ApplyAll(*records, stop));
  RW_ASSIGN_OR_RETURN(const StoryStep::Done stories, impl.RunStories());
  RW_ASSIGN_OR_RETURN(const bool sent, impl.RunOutbox());
  RW_ASSIGN_OR_RETURN(const bool calling, impl.RunWebhooks(records->empty() ? kWebhookWait : milliseconds(0)));
  bool removed = false;
  if (!stories.more) {
    const auto retention = RunRetention(impl.engine, impl.retention, impl.leader, kRetentionArticlesMax,
                                        &impl.applier.mutable_progress());
    if (!retention.ok() && !retention.status().retryable()) return retention.status();
    if (!retention.ok()) RW_RETURN_IF_ERROR(impl.applier.Reload());
    removed = retention.ok() && *retention;
  }
  if (!stories.more && !removed) {
    RW_ASSIGN_OR_RETURN(removed, impl.texts.Run(impl.applier.progress().stream_ms));
  }
  progress.worked = steps_left || !records->empty() || stories.stories > 0 || stories.more || sent || calling || removed;
  impl.metrics.Beat(impl.source.gaps(), impl.stories.index_articles(), impl.stories.index_bytes());
  if (!steps_left) impl.Settle(before, !stories.more);
  const base::UnixMs now = impl.clock.NowMs();
  progress.idle = !progress.worked && impl.outbox.empty() && impl.watermark.settled() >= now;
  return progress;
}

std::map<base::TopicPartition, int64_t> StoreLoop::OnAssigned(const std::vector<base::TopicPartition>& partitions) {
  std::map<base::TopicPartition, int64_t> positions;
  for (const auto& where : partitions) {
    auto claim = impl_->engine.TakeClaim(impl_->cluster_id, where);
    if (!claim.ok()) {
      // Without a claim its records are passed over, never counted without a position.
      impl_->log.Error("partition_not_claimed", {{"topic", where.topic}, {"partition", where.partition}, {"why", claim.status().message()}});
      impl_->metrics.store.Error("partition_not_claimed");
      continue;
    }
    if (claim->next_offset >= 0) positions[where] = claim->next_offset;  // else the log's start
    impl_->claims[where] = std::move(claim).value();
  }
  return positions;
}

void StoreLoop::OnRevoked(const std::vector<base::TopicPartition>& partitions) {
  for (const auto& where : partitions) impl_->claims.erase(where);
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
