#include "ingest/feed_share.h"

#include <algorithm>
#include <utility>

namespace racewatch::ingest {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr size_t kHeldBytesMax = 16u << 20;
constexpr milliseconds kReleasePatience(4000);  // below the least session timeout
// A heartbeat is due every 3 s, so that one has been answered by then.
constexpr milliseconds kHeartbeat(3500);
constexpr milliseconds kStandstill(3000);

}  // namespace

FeedShare::FeedShare(base::Log& log, std::function<void()> wake) : log_(log), wake_(std::move(wake)) {}

FeedShare::~FeedShare() { Stop(); }

void FeedShare::SetSources(base::Source& membership, base::Source& rows) {
  membership_ = &membership;
  rows_ = &rows;
}

void FeedShare::Start(Positions positions) {
  positions_ = std::move(positions);
  checked_ = last_round_ = steady_clock::now();
  thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
}

void FeedShare::Stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.request_stop();
  membership_->Interrupt();
  rows_->Interrupt();
  thread_.join();
}

void FeedShare::Run(const std::stop_token& stop) {
  while (!stop.stop_requested() && fatal().ok()) {
    const auto now = steady_clock::now();
    if (now - last_round_ > kStandstill) {
      const std::lock_guard lock(mutex_);
      fetch_from_ = now + kHeartbeat;
    }
    last_round_ = now;
    // All that is known comes before any of it is ours.
    if (!ReadRows() || !CheckMembership()) {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, milliseconds(200), [this] { return stopping_; });
    }
  }
  (void)membership_->Close();  // leaves the group: the others take over at once
  (void)rows_->Close();
}

bool FeedShare::ReadRows() {
  auto rows = rows_->Poll({2000, 4u << 20}, milliseconds(50));
  if (!rows.ok()) {
    Fail(rows.status());
    return false;
  }
  bool known = false;
  {
    const std::lock_guard lock(mutex_);
    known = partition_count_ > 0;
  }
  if (!known) {
    const auto count = static_cast<int32_t>(rows_->assignment().size());
    auto cluster = rows_->ClusterId();
    if (!cluster.ok()) return false;
    const std::lock_guard lock(mutex_);
    partition_count_ = count;
    cluster_id_ = *cluster;
  }
  if (!rows->empty()) {
    Event event;
    event.rows = std::move(*rows);
    Push(std::move(event));
  }
  return true;
}

bool FeedShare::CheckMembership() {
  auto records = membership_->Poll({100, 1u << 20}, milliseconds(10));  // what it reads is read by `rows`
  if (!records.ok()) {
    Fail(records.status());
    return false;
  }
  if (!to_pause_.empty()) {
    (void)membership_->Pause(to_pause_);
    to_pause_.clear();
  }
  const std::lock_guard lock(mutex_);
  checked_ = steady_clock::now();
  return true;
}

void FeedShare::Fail(const base::Status& status) {
  log_.RateLimited(base::LogLevel::kWarn, "feed_share_failed", {{"error", status.ToString()}});
  if (status.code() != base::Code::kFailedPrecondition) return;
  const std::lock_guard lock(mutex_);
  if (!stopping_) fatal_ = status;
}

// Waits while the loop has enough in hand, unless it is this thread that the loop waits for.
void FeedShare::Push(Event event) {
  size_t bytes = 0;
  for (const base::Record& row : event.rows) bytes += row.ByteSize();
  {
    std::unique_lock lock(mutex_);
    if (bytes > 0) changed_.wait(lock, [this] { return stopping_ || held_bytes_ < kHeldBytesMax; });
    held_bytes_ += bytes;
    events_.push_back(std::move(event));
  }
  wake_();
}

std::vector<FeedShare::Event> FeedShare::Take() {
  std::vector<Event> out;
  {
    const std::lock_guard lock(mutex_);
    out.swap(events_);
    held_bytes_ = 0;
  }
  changed_.notify_all();
  return out;
}

void FeedShare::Released() {
  {
    const std::lock_guard lock(mutex_);
    releasing_ = false;
  }
  changed_.notify_all();
}

bool FeedShare::MayFetch() const {
  const auto now = steady_clock::now();
  const std::lock_guard lock(mutex_);
  return now - checked_ < kStandstill && now >= fetch_from_;
}

int32_t FeedShare::partitions() const {
  const std::lock_guard lock(mutex_);
  return partition_count_;
}

std::string FeedShare::cluster_id() const {
  const std::lock_guard lock(mutex_);
  return cluster_id_;
}

base::Status FeedShare::fatal() const {
  const std::lock_guard lock(mutex_);
  return fatal_;
}

std::map<base::TopicPartition, int64_t> FeedShare::OnAssigned(const std::vector<base::TopicPartition>& partitions) {
  std::map<base::TopicPartition, int64_t> start;
  Event event;
  event.kind = Event::Kind::kAssigned;
  for (const base::TopicPartition& where : partitions) {
    auto range = rows_->Range(where);
    for (int attempt = 0; !range.ok() && attempt < 3; ++attempt) range = rows_->Range(where);
    if (!range.ok()) {
      // Without its end it cannot be known to be read: nobody fetches it until the next rebalance.
      log_.Error("feed_partition_unknown", {{"partition", static_cast<int64_t>(where.partition)}, {"error", range.status().ToString()}});
      continue;
    }
    event.until[where.partition] = range->end > range->start ? range->end : -1;
    start[where] = range->end;
    to_pause_.push_back(where);
  }
  log_.Info("feed_partitions_taken", {{"partitions", static_cast<uint64_t>(event.until.size())}});
  Push(std::move(event));
  return start;
}

void FeedShare::OnRevoked(const std::vector<base::TopicPartition>& partitions, bool lost) {
  if (partitions.empty()) return;
  Event event;
  event.kind = Event::Kind::kRevoked;
  event.lost = lost;
  for (const base::TopicPartition& where : partitions) event.partitions.push_back(where.partition);
  log_.Info("feed_partitions_released", {{"partitions", static_cast<uint64_t>(partitions.size())}, {"lost", lost}});
  {
    const std::lock_guard lock(mutex_);
    releasing_ = !lost;
  }
  Push(std::move(event));
  if (lost) return;
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, kReleasePatience, [this] { return stopping_ || !releasing_; });
}

std::map<base::TopicPartition, int64_t> FeedShare::Rows::OnAssigned(const std::vector<base::TopicPartition>& partitions) {
  std::map<base::TopicPartition, int64_t> start;
  const auto cluster = share_.rows_->ClusterId();
  const bool same = cluster.ok() && *cluster == share_.positions_.cluster_id;
  for (const base::TopicPartition& where : partitions) {
    const auto it = share_.positions_.next.find(where.partition);
    start[where] = same && it != share_.positions_.next.end() ? it->second : 0;  // 0 outside of the range: its start
  }
  return start;
}

}  // namespace racewatch::ingest
