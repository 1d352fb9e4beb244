#include "ingest/outbox.h"

#include <mutex>
#include <utility>

#include "base/bus/dead_letter.h"

namespace racewatch::ingest {

// Shared with the callbacks, which may outlive the outbox.
struct Outbox::Reports {
  std::mutex mutex;
  std::vector<std::pair<uint64_t, base::Status>> done;
  std::function<void()> wake;  // empty once the outbox is gone
};

Outbox::Outbox(base::Sink& sink, base::StageMetrics& metrics, base::Log& log, std::function<void()> wake)
    : sink_(sink), metrics_(metrics), log_(log), reports_(std::make_shared<Reports>()) {
  reports_->wake = std::move(wake);
}

Outbox::~Outbox() {
  const std::lock_guard lock(reports_->mutex);
  reports_->wake = nullptr;
}

void Outbox::Send(uint64_t ticket, base::Record record) {
  bytes_ += record.ByteSize();
  records_[ticket] = Held{std::move(record)};
  if (!waiting_.empty() || !TrySend(ticket)) waiting_.push_back(ticket);
}

bool Outbox::TrySend(uint64_t ticket) {
  Held& held = records_.at(ticket);
  auto report = [reports = reports_, ticket](const base::Delivery& delivery) {
    const std::lock_guard lock(reports->mutex);
    reports->done.emplace_back(ticket, delivery.status);
    if (reports->done.size() == 1 && reports->wake) reports->wake();
  };
  const base::Status status = sink_.Send(held.record, report);
  if (status.ok()) {
    ++held.attempts;
    return true;
  }
  if (status.retryable()) return false;
  if (held.dead_letter) {  // even that is refused for good: keep it, say so, try again
    metrics_.Error("dead_letter_refused");
    log_.RateLimited(base::LogLevel::kError, "dead_letter_refused", {{"error", status.ToString()}});
    return false;
  }
  ToDeadLetters(&held, status);
  return TrySend(ticket);
}

void Outbox::ToDeadLetters(Held* held, const base::Status& why) {
  metrics_.Error("undeliverable");
  log_.RateLimited(base::LogLevel::kWarn, "article_undeliverable", {{"id", held->record.key}, {"error", why.ToString()}});
  base::Record letter = base::MakeDeadLetter(held->record, "ingest", "undeliverable", why.ToString(), held->attempts);
  bytes_ += letter.ByteSize();
  bytes_ -= held->record.ByteSize();
  held->record = std::move(letter);
  held->dead_letter = true;
}

std::vector<Outbox::Finished> Outbox::Poll() {
  std::vector<std::pair<uint64_t, base::Status>> done;
  {
    const std::lock_guard lock(reports_->mutex);
    done.swap(reports_->done);
  }
  std::vector<Finished> finished;
  for (const auto& [ticket, status] : done) {
    Held& held = records_.at(ticket);
    if (status.ok()) {
      finished.push_back({ticket, held.dead_letter});
      bytes_ -= held.record.ByteSize();
      records_.erase(ticket);
      continue;
    }
    metrics_.Error("delivery_failed");
    log_.RateLimited(base::LogLevel::kWarn, "delivery_failed", {{"id", held.record.key}, {"error", status.ToString()}});
    const bool passing = status.retryable() || status.code() == base::Code::kCancelled;
    if (!passing && !held.dead_letter) ToDeadLetters(&held, status);
    waiting_.push_back(ticket);
  }
  while (!waiting_.empty() && TrySend(waiting_.front())) waiting_.pop_front();
  return finished;
}

}  // namespace racewatch::ingest
