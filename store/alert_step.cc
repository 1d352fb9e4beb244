#include "store/alert_step.h"

#include <algorithm>
#include <deque>
#include <mutex>
#include <set>

#include "base/bus/topics.h"
#include "racewatch/v1/alert.pb.h"
#include "racewatch/v1/config.pb.h"
#include "store/alert/alert_engine.h"
#include "store/alert/alert_json.h"
#include "store/article_row.h"
#include "store/codec.h"
#include "store/progress.h"
#include "store/store_series_view.h"

namespace racewatch::store {
namespace {

constexpr std::string_view kStateKey = "alert_state";
constexpr std::string_view kSequenceKeyName = "alert_sequence";
constexpr int64_t kRetryMs = 1000;
constexpr size_t kInFlightMax = 256;

}  // namespace

struct AlertStep::Impl {
  Engine& engine;
  std::vector<v1::RuleConfig> rules;
  std::unique_ptr<AlertEngine> alerts;
  uint64_t sequence = 0;

  // The first step ever: six hours back at most, older ones would never notify, and not before the data.
  base::Result<base::UnixMs> NextStep(base::UnixMs watermark) const {
    if (alerts->last_step() > 0) return alerts->last_step() + kSlotMs;
    RW_ASSIGN_OR_RETURN(const Progress progress, ReadProgress(engine));
    if (progress.first_hour == 0) return base::UnixMs{0};
    const base::UnixMs oldest = watermark / kSlotMs * kSlotMs - 6 * kHourMs;
    return std::max(oldest, progress.first_hour * kHourMs + kSlotMs);
  }
};

AlertStep::AlertStep(Engine& engine, std::vector<v1::RuleConfig> rules)
    : impl_(std::make_unique<Impl>(Impl{engine, std::move(rules), nullptr, 0})) {}
AlertStep::~AlertStep() = default;

base::Status AlertStep::Restore() {
  impl_->alerts = std::make_unique<AlertEngine>(impl_->rules);
  impl_->sequence = 0;
  RW_ASSIGN_OR_RETURN(const auto state, impl_->engine.Get(Table::kMeta, kStateKey));
  if (state) RW_RETURN_IF_ERROR(impl_->alerts->LoadState(*state));
  RW_ASSIGN_OR_RETURN(const auto sequence, impl_->engine.Get(Table::kMeta, kSequenceKeyName));
  if (sequence) impl_->sequence = Reader(*sequence).Varint();
  return {};
}

void AlertStep::SetRules(std::vector<v1::RuleConfig> rules) {
  impl_->rules = std::move(rules);
  if (impl_->alerts) impl_->alerts->SetRules(impl_->rules);
}

bool AlertStep::Due(base::UnixMs watermark) const {
  const auto next = impl_->NextStep(watermark);
  return next.ok() && *next > 0 && *next <= watermark;
}

base::Result<AlertStep::Done> AlertStep::Run(base::UnixMs watermark, base::UnixMs now, size_t steps_max,
                                             const Claim& leader) {
  Done done;
  RW_ASSIGN_OR_RETURN(base::UnixMs step, impl_->NextStep(watermark));
  if (step == 0 || step > watermark) return done;
  Batch batch;
  for (size_t i = 0; i < steps_max && step <= watermark; ++i, step += kSlotMs) {
    const StoreSeriesView view(impl_->engine, step);
    const std::vector<v1::Alert> alerts = impl_->alerts->Step(step, now, view);
    RW_RETURN_IF_ERROR(view.status());
    for (const v1::Alert& alert : alerts) {
      const std::string key = SequenceKey(++impl_->sequence);
      batch.Put(Table::kAlertLog, key, alert.SerializeAsString());
      batch.Put(Table::kOutbox, key, "");
      done.opened += alert.state() == v1::ALERT_STATE_OPEN;
    }
    done.alerts += alerts.size();
  }
  std::string sequence;
  AppendVarint(&sequence, impl_->sequence);
  batch.Put(Table::kMeta, std::string(kStateKey), impl_->alerts->SaveState());
  batch.Put(Table::kMeta, std::string(kSequenceKeyName), sequence);
  batch.Require(leader);
  RW_RETURN_IF_ERROR(impl_->engine.Commit(batch));
  done.more = step <= watermark;
  return done;
}

struct Outbox::Impl {
  Impl(Engine& e, base::Sink& s, base::Clock& c, base::Log& l) : engine(e), sink(s), clock(c), log(l) {}
  Engine& engine;
  base::Sink& sink;
  base::Clock& clock;
  base::Log& log;
  // Of the store's thread:
  std::string scanned_to;  // every outbox key at or below is known
  std::deque<std::string> waiting;
  base::UnixMs retry_at_ms = 0;
  // Shared with delivery callbacks:
  mutable std::mutex mutex;
  std::set<std::string> in_flight;
  std::vector<std::string> delivered;
  std::vector<std::string> failed;

  base::Status SendWaiting(const std::shared_ptr<Impl>& self);
  base::Status DeleteDelivered(const Claim& leader, size_t* sent);
};

Outbox::Outbox(Engine& engine, base::Sink& sink, base::Clock& clock, base::Log& log)
    : impl_(std::make_shared<Impl>(engine, sink, clock, log)) {}
Outbox::~Outbox() = default;

base::Status Outbox::Restore() {
  impl_->waiting.clear();
  impl_->scanned_to.clear();
  return {};
}

bool Outbox::empty() const {
  const std::scoped_lock lock(impl_->mutex);
  return impl_->waiting.empty() && impl_->in_flight.empty() && impl_->delivered.empty() && impl_->failed.empty();
}

// Sends what waits until the sink is full; delivery reports come back through `self`.
base::Status Outbox::Impl::SendWaiting(const std::shared_ptr<Impl>& self) {
  while (!waiting.empty()) {
    const std::string key = waiting.front();
    RW_ASSIGN_OR_RETURN(const auto stored, engine.Get(Table::kAlertLog, key));
    v1::Alert alert;
    if (!stored || !alert.ParseFromString(*stored)) return base::DataLoss("alert log: row missing or damaged");
    base::Record record;
    record.topic = std::string(base::kAlertsTopic);
    record.key = AlertRecordKey(alert);
    record.value = AlertJson(alert);
    for (auto& [name, value] : AlertHeaders(alert)) record.headers.push_back({name, value});
    {
      const std::scoped_lock lock(mutex);
      if (in_flight.size() >= kInFlightMax) return {};
      in_flight.insert(key);
    }
    const base::Status taken = sink.Send(std::move(record), [self, key](const base::Delivery& delivery) {
      const std::scoped_lock lock(self->mutex);
      self->in_flight.erase(key);
      (delivery.status.ok() ? self->delivered : self->failed).push_back(key);
    });
    if (!taken.ok()) {
      const std::scoped_lock lock(mutex);
      in_flight.erase(key);
      retry_at_ms = clock.NowMs() + kRetryMs;
      log.RateLimited(base::LogLevel::kWarn, "alert_not_sent", {{"why", taken.message()}});
      return {};
    }
    waiting.pop_front();
  }
  return {};
}

base::Status Outbox::Impl::DeleteDelivered(const Claim& leader, size_t* sent) {
  std::vector<std::string> done;
  {
    const std::scoped_lock lock(mutex);
    done.swap(delivered);
  }
  if (done.empty()) return {};
  Batch batch;
  for (const auto& key : done) batch.Delete(Table::kOutbox, key);
  batch.Require(leader);
  if (auto status = engine.Commit(batch); !status.ok()) {
    const std::scoped_lock lock(mutex);
    delivered.insert(delivered.end(), done.begin(), done.end());
    return status;
  }
  *sent += done.size();
  return {};
}

base::Status Outbox::Run(const Claim& leader, size_t* sent) {
  Impl& impl = *impl_;
  RW_RETURN_IF_ERROR(impl.DeleteDelivered(leader, sent));
  {
    const std::scoped_lock lock(impl.mutex);
    if (!impl.failed.empty()) {
      impl.waiting.insert(impl.waiting.end(), impl.failed.begin(), impl.failed.end());
      std::sort(impl.waiting.begin(), impl.waiting.end());
      impl.failed.clear();
      impl.retry_at_ms = impl.clock.NowMs() + kRetryMs;
    }
  }
  RW_RETURN_IF_ERROR(impl.engine.Scan(Table::kOutbox, impl.scanned_to, "", false, [&](auto key, auto) {
    if (key == impl.scanned_to) return true;
    impl.scanned_to = std::string(key);
    impl.waiting.push_back(impl.scanned_to);
    return true;
  }));
  if (impl.retry_at_ms > impl.clock.NowMs()) return {};
  return impl.SendWaiting(impl_);
}

}  // namespace racewatch::store
