#include "classify/tagger_role.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

#include "base/bus/bus_metrics.h"
#include "base/bus/dead_letter.h"
#include "base/bus/topics.h"
#include "base/config.h"
#include "base/metrics.h"
#include "classify/classifier_client.h"
#include "classify/offset_tracker.h"
#include "classify/tag_step.h"

namespace racewatch::classify {
namespace {

using std::chrono::milliseconds;
using Instant = std::chrono::steady_clock::time_point;

constexpr size_t kBatchBytesMax = 900 << 10;  // the service's limit is 1 MiB with framing
constexpr milliseconds kCommitInterval{200};
constexpr milliseconds kPollWait{50};
constexpr milliseconds kRevokeWait{5000};

// The partition a record came from. Shared by its records; a lost partition's late answers find it closed.
struct Partition {
  base::TopicPartition where;
  OffsetTracker tracker;
  bool revoked = false;
};

struct Item {
  base::Record record;
  std::string id;                          // of the article; empty when undecodable
  std::unique_ptr<v1::Document> document;  // null once a call has taken it: made again for the next try
  std::shared_ptr<Partition> partition;
  uint32_t attempts = 0;
};

// A finished item on its way to the bus. The record is made from it for each try, so none is copied in case.
struct Outgoing {
  Item item;
  v1::Tags tags;
  base::UnixMs at = 0;
  std::string reason, detail;  // of a dead letter
  bool dead_letter() const { return !reason.empty(); }
  base::Record Make() const {
    return dead_letter() ? base::MakeDeadLetter(item.record, "tagger", reason, detail, std::max(item.attempts, 1u))
                         : MakeTaggedRecord(item.record, item.id, tags, at);
  }
};

struct Batch {
  std::vector<Item> items;
  size_t bytes = 0;
  uint32_t tries = 0;  // of this batch as a whole, for back-off
  bool live = false;   // not only history: goes first
  Instant not_before{};
};

}  // namespace

v1::TaggerConfig WithDefaults(v1::TaggerConfig config) {
  if (config.http().listen().empty()) config.mutable_http()->set_listen("127.0.0.1:8473");
  if (config.classifier().empty()) config.set_classifier("127.0.0.1:9472");
  if (config.batch_documents_max() == 0) config.set_batch_documents_max(32);
  if (config.calls_in_flight_max() == 0) config.set_calls_in_flight_max(4);
  if (config.deadline_ms() == 0) config.set_deadline_ms(10000);
  if (config.attempts_max() == 0) config.set_attempts_max(5);
  if (config.backfill_percent_max() == 0) config.set_backfill_percent_max(25);
  return config;
}

void ValidateTaggerConfig(const v1::TaggerConfig& config, base::Problems* problems) {
  base::CheckListen("http.listen", config.http().listen(), problems);
  base::CheckRange("batch_documents_max", config.batch_documents_max(), 1, 64, problems);
  base::CheckRange("calls_in_flight_max", config.calls_in_flight_max(), 1, 256, problems);
  base::CheckRange("deadline_ms", config.deadline_ms(), 10, 600000, problems);
  base::CheckRange("attempts_max", config.attempts_max(), 1, 1000, problems);
  base::CheckRange("backfill_percent_max", config.backfill_percent_max(), 1, 90, problems);
}

struct TaggerRole::Impl : std::enable_shared_from_this<TaggerRole::Impl> {
  Impl(const v1::TaggerConfig& c, ClassifierClient& cl, base::Sink& s, base::Clock& k, prometheus::Registry& r, base::Log& l)
      : config(c), client(cl), sink(s), clock(k), log(l), registry(r), metrics(r, "tagger"), sink_metrics(r, "tagger") {}

  // --- the loop thread ---
  void Loop(std::stop_token stop);
  void PollOnce();
  void ShareOut();
  void Accept(base::Record record);
  void Pack();
  void StartCalls();
  void SendParked();
  void CommitProgress(bool now);
  bool DrainPartitions(const std::vector<base::TopicPartition>& partitions, milliseconds timeout);

  // --- any thread ---
  void OnReply(Batch batch, ClassifierClient::Reply reply, Instant started);
  void Retry(Batch batch, const ClassifierClient::Reply& reply);
  void FinishItem(Item item, v1::ClassifyResult result);
  void Bury(Item item, std::string_view reason, std::string_view detail);
  void Send(std::shared_ptr<Outgoing> out);
  void OnDelivery(const std::shared_ptr<Outgoing>& out, const base::Delivery& delivery);
  void Park(std::shared_ptr<Outgoing> out);
  milliseconds BackOff(uint32_t tries);

  const v1::TaggerConfig config;
  ClassifierClient& client;
  base::Sink& sink;
  base::Clock& clock;
  base::Log& log;
  prometheus::Registry& registry;
  base::StageMetrics metrics;
  base::SinkMetrics sink_metrics;
  std::unique_ptr<base::SourceMetrics> source_metrics;
  base::Source* source = nullptr;
  std::function<void(base::Status)> on_fatal;

  mutable std::mutex mutex;
  std::condition_variable changed;
  std::map<base::TopicPartition, std::shared_ptr<Partition>> partitions;
  std::deque<Item> fresh;        // decoded, not yet in a batch
  std::deque<Item> history;      // likewise, of the backfill lane
  std::deque<Batch> ready;       // waiting for a free call or for their back-off
  std::deque<std::shared_ptr<Outgoing>> parked;  // the sink was full
  size_t calls_in_flight = 0;
  size_t in_hand = 0;            // records accepted and not finished
  size_t history_in_hand = 0;    // those of the backfill lane among them
  bool history_paused = false;   // the loop's own, as is the next
  bool reassigned = false;       // since ShareOut looked
  size_t in_hand_bytes = 0;
  std::string not_ready = "no answer from the classifier yet";
  std::mt19937 random{std::random_device{}()};
  Instant last_commit{};
  std::atomic<uint64_t> tagged = 0;
  std::atomic<uint64_t> dead_lettered = 0;
  bool caught_up = false;        // the last poll found nothing and the source had no lag
  std::jthread thread;
};

void TaggerRole::Impl::Loop(std::stop_token stop) {
  while (!stop.stop_requested()) {
    metrics.Heartbeat();
    sink_metrics.Observe(sink);
    SendParked();
    PollOnce();
    Pack();
    StartCalls();
    bool finished;
    {
      const std::scoped_lock lock(mutex);
      finished = in_hand == 0;
    }
    CommitProgress(finished);
  }
}

// Backfilled articles may fill their share of what is in hand and no more, so that live ones find room whenever they come.
// Paused partitions lose what the client has fetched ahead; half a share between the two marks keeps that rare.
void TaggerRole::Impl::ShareOut() {
  const size_t share = kInHandRecordsMax * config.backfill_percent_max() / 100;
  size_t held;
  {
    const std::scoped_lock lock(mutex);
    held = history_in_hand;
  }
  // New partitions come unpaused: all go on, and stop together when it is time.
  const bool anew = std::exchange(reassigned, false) && history_paused;
  if (!anew && (history_paused ? held > share / 2 : held < share)) return;
  std::vector<base::TopicPartition> partitions_of_history;
  for (const base::TopicPartition& where : source->assignment())
    if (where.topic == base::kBackfillTopic) partitions_of_history.push_back(where);
  const base::Status status = history_paused ? source->Resume(partitions_of_history) : source->Pause(partitions_of_history);
  if (status.ok()) history_paused = !history_paused;
}

void TaggerRole::Impl::PollOnce() {
  ShareOut();
  bool full;
  bool busy;
  {
    std::unique_lock lock(mutex);
    full = in_hand >= kInHandRecordsMax || in_hand_bytes >= kInHandBytesMax;
    busy = !parked.empty() || !ready.empty();
    if (full) changed.wait_for(lock, milliseconds(5));
  }
  if (full) return;  // the consumer's own keep-alive does not depend on Poll for far longer than this
  auto records = source->Poll({}, busy ? milliseconds(2) : kPollWait);
  if (!records.ok()) {
    metrics.Error("poll");
    log.RateLimited(base::LogLevel::kWarn, "poll_failed", {{"error", records.status().message()}});
    if (!records.status().retryable() && on_fatal) on_fatal(records.status());
    std::unique_lock lock(mutex);
    changed.wait_for(lock, milliseconds(100));
    return;
  }
  source_metrics->Observe(*source, *records, clock.NowMs());
  if (records->empty()) {
    const auto lag = source->Lag();
    const bool none = std::all_of(lag.begin(), lag.end(), [](const auto& entry) { return entry.second == 0; });
    const std::scoped_lock lock(mutex);
    caught_up = none;
    return;
  }
  metrics.Received(static_cast<double>(records->size()));
  for (base::Record& record : *records) Accept(std::move(record));
}

void TaggerRole::Impl::Accept(base::Record record) {
  Item item;
  {
    const std::scoped_lock lock(mutex);
    caught_up = false;
    const base::TopicPartition where{record.topic, record.partition};
    auto& partition = partitions[where];
    if (!partition) partition = std::make_shared<Partition>(Partition{where, {}, false});
    partition->tracker.Add(record.offset);
    ++in_hand;
    history_in_hand += record.topic == base::kBackfillTopic;
    in_hand_bytes += record.ByteSize();
    item.partition = partition;
  }
  item.record = std::move(record);
  auto document = DecodeDocument(item.record);
  if (!document.ok()) {
    Bury(std::move(item), "undecodable", document.status().message());
    return;
  }
  item.id = (*document)->id();
  item.document = std::move(*document);
  if (item.record.FindHeader("withdrawn") != nullptr) {  // there is no text to tag; the store keeps the labels
    FinishItem(std::move(item), {});
    return;
  }
  const std::scoped_lock lock(mutex);
  (item.record.topic == base::kBackfillTopic ? history : fresh).push_back(std::move(item));
}

void TaggerRole::Impl::Pack() {
  const std::scoped_lock lock(mutex);
  for (std::deque<Item>* items : {&fresh, &history}) {
    while (!items->empty()) {
      Batch batch;
      batch.live = items == &fresh;
      while (!items->empty() && batch.items.size() < config.batch_documents_max()) {
        const size_t bytes = std::min(items->front().record.value.size(), kTextBytesMax + (kTextBytesMax / 8)) + 128;
        if (!batch.items.empty() && batch.bytes + bytes > kBatchBytesMax) break;
        batch.bytes += bytes;
        batch.items.push_back(std::move(items->front()));
        items->pop_front();
      }
      ready.push_back(std::move(batch));
    }
  }
}

void TaggerRole::Impl::StartCalls() {
  for (;;) {
    Batch batch;
    {
      const std::scoped_lock lock(mutex);
      if (calls_in_flight >= config.calls_in_flight_max()) return;
      const Instant now = std::chrono::steady_clock::now();
      auto it = std::find_if(ready.begin(), ready.end(), [&](const Batch& b) { return b.live && b.not_before <= now; });
      if (it == ready.end()) it = std::find_if(ready.begin(), ready.end(), [&](const Batch& b) { return b.not_before <= now; });
      if (it == ready.end()) return;
      batch = std::move(*it);
      ready.erase(it);
      ++calls_in_flight;
    }
    v1::ClassifyBatchRequest request;
    for (Item& item : batch.items) {
      if (!item.document) item.document = std::move(DecodeDocument(item.record)).value();
      request.mutable_documents()->AddAllocated(item.document.release());
    }
    auto shared = std::make_shared<Batch>(std::move(batch));
    const Instant started = std::chrono::steady_clock::now();
    client.ClassifyBatch(std::move(request), milliseconds(config.deadline_ms()),
                         [self = shared_from_this(), shared, started](ClassifierClient::Reply reply) {
                           self->OnReply(std::move(*shared), std::move(reply), started);
                         });
  }
}

void TaggerRole::Impl::OnReply(Batch batch, ClassifierClient::Reply reply, Instant started) {
  metrics.Duration(std::chrono::steady_clock::now() - started);
  const bool complete = reply.status.ok() && reply.response.results_size() == static_cast<int>(batch.items.size());
  if (reply.status.ok() && !complete)
    reply.status = base::Internal("classifier: " + std::to_string(reply.response.results_size()) + " results for " +
                                  std::to_string(batch.items.size()) + " documents");
  {
    const std::scoped_lock lock(mutex);
    not_ready = complete ? "" : reply.status.message();
  }
  if (complete) {
    for (size_t i = 0; i < batch.items.size(); ++i)
      FinishItem(std::move(batch.items[i]), std::move(*reply.response.mutable_results(static_cast<int>(i))));
  } else {
    Retry(std::move(batch), reply);
  }
  const std::scoped_lock lock(mutex);
  --calls_in_flight;
  changed.notify_all();
  source->Interrupt();
}

// Three cases. The classifier is away or sheds load: wait, no document is to blame. It died or ran out of
// time with this batch in hand, or refused the batch: one document may be to blame, so the batch is
// split into single documents, and only a single document's failure counts as its attempt.
void TaggerRole::Impl::Retry(Batch batch, const ClassifierClient::Reply& reply) {
  metrics.Error(base::CodeName(reply.status.code()) == "UNAVAILABLE" ? "classifier_unavailable" : "classify_call");
  log.RateLimited(base::LogLevel::kWarn, "classify_failed",
                  {{"error", reply.status.message()}, {"documents", static_cast<uint64_t>(batch.items.size())}});
  const bool away = reply.status.code() == base::Code::kResourceExhausted ||
                    reply.status.code() == base::Code::kCancelled ||
                    (reply.status.code() == base::Code::kUnavailable && !reply.was_connected);
  ++batch.tries;
  const Instant now = std::chrono::steady_clock::now();
  if (away || (batch.items.size() > 1 && batch.tries < 2 && reply.status.retryable())) {
    batch.not_before = now + std::max(reply.pushback, BackOff(batch.tries));
    const std::scoped_lock lock(mutex);
    ready.push_back(std::move(batch));
    return;
  }
  for (Item& item : batch.items) {
    if (batch.items.size() == 1 && ++item.attempts >= config.attempts_max()) {
      Bury(std::move(item), "classify_failed", reply.status.message());
      continue;
    }
    Batch single;
    single.live = batch.live;
    single.bytes = item.record.value.size();
    single.tries = item.attempts;
    single.not_before = now + BackOff(item.attempts);
    single.items.push_back(std::move(item));
    const std::scoped_lock lock(mutex);
    ready.push_back(std::move(single));
  }
}

void TaggerRole::Impl::FinishItem(Item item, v1::ClassifyResult result) {
  if (result.code() != 0) {
    ++item.attempts;
    const base::Status status(static_cast<base::Code>(result.code()), result.error());
    if (!status.retryable() || item.attempts >= config.attempts_max()) {
      Bury(std::move(item), "classify_failed", status.message());
      return;
    }
    Batch single;
    single.live = item.record.topic != base::kBackfillTopic;
    single.bytes = item.record.value.size();
    single.not_before = std::chrono::steady_clock::now() + BackOff(item.attempts);
    single.items.push_back(std::move(item));
    const std::scoped_lock lock(mutex);
    ready.push_back(std::move(single));
    return;
  }
  auto out = std::make_shared<Outgoing>();
  out->item = std::move(item);
  out->tags = std::move(*result.mutable_tags());
  out->at = clock.NowMs();
  Send(std::move(out));
}

void TaggerRole::Impl::Bury(Item item, std::string_view reason, std::string_view detail) {
  log.RateLimited(base::LogLevel::kWarn, "dead_letter",
                  {{"reason", reason}, {"topic", item.record.topic}, {"partition", item.record.partition},
                   {"offset", item.record.offset}, {"detail", detail}});
  auto out = std::make_shared<Outgoing>();
  out->item = std::move(item);
  out->reason = reason;
  out->detail = detail;
  Send(std::move(out));
}

void TaggerRole::Impl::Send(std::shared_ptr<Outgoing> out) {
  auto status = sink.Send(out->Make(), [self = shared_from_this(), out](const base::Delivery& delivery) {
    self->OnDelivery(out, delivery);
  });
  if (status.ok()) return;
  if (!status.retryable() && !out->dead_letter()) {
    // Too large for the bus with its tags: the dead letter is cut, so it always fits.
    out->reason = "too_large";
    out->detail = status.message();
    Send(std::move(out));
    return;
  }
  Park(std::move(out));
}

void TaggerRole::Impl::OnDelivery(const std::shared_ptr<Outgoing>& out, const base::Delivery& delivery) {
  if (!delivery.status.ok()) {
    metrics.Error("delivery");
    log.RateLimited(base::LogLevel::kWarn, "delivery_failed", {{"error", delivery.status.message()}});
    Park(out);
    return;
  }
  if (out->dead_letter()) {
    metrics.Dropped("dead_lettered");
    ++dead_lettered;
  } else {
    metrics.Sent();
    ++tagged;
  }
  const std::scoped_lock lock(mutex);
  const Item& item = out->item;
  if (!item.partition->revoked) item.partition->tracker.Done(item.record.offset);
  in_hand_bytes -= std::min(in_hand_bytes, item.record.ByteSize());
  --in_hand;
  history_in_hand -= item.record.topic == base::kBackfillTopic;
  changed.notify_all();
}

void TaggerRole::Impl::Park(std::shared_ptr<Outgoing> out) {
  const std::scoped_lock lock(mutex);
  parked.push_back(std::move(out));
}

void TaggerRole::Impl::SendParked() {
  std::deque<std::shared_ptr<Outgoing>> again;
  {
    const std::scoped_lock lock(mutex);
    again.swap(parked);
  }
  for (std::shared_ptr<Outgoing>& out : again) Send(std::move(out));
}

void TaggerRole::Impl::CommitProgress(bool now) {
  const Instant time = std::chrono::steady_clock::now();
  if (!now && time - last_commit < kCommitInterval) return;
  last_commit = time;
  std::vector<base::Position> next;
  {
    const std::scoped_lock lock(mutex);
    for (auto& [where, partition] : partitions)
      if (const auto offset = partition->tracker.TakeNext()) next.push_back({where, *offset});
  }
  if (next.empty()) return;
  if (const auto status = source->Commit(next); !status.ok()) {
    // Harmless: the same positions or later ones are committed next time, and repeats are recognised.
    metrics.Error("commit");
    log.RateLimited(base::LogLevel::kWarn, "commit_failed", {{"error", status.message()}});
  }
}

bool TaggerRole::Impl::DrainPartitions(const std::vector<base::TopicPartition>& which, milliseconds timeout) {
  const Instant deadline = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    SendParked();
    Pack();
    StartCalls();
    std::unique_lock lock(mutex);
    const bool busy = std::any_of(which.begin(), which.end(), [&](const base::TopicPartition& where) {
      const auto it = partitions.find(where);
      return it != partitions.end() && it->second->tracker.pending() > 0;
    });
    if (!busy) return true;
    if (std::chrono::steady_clock::now() >= deadline) return false;
    changed.wait_for(lock, milliseconds(5));
  }
}

milliseconds TaggerRole::Impl::BackOff(uint32_t tries) {
  const int64_t base_ms = std::min<int64_t>(2000, 50LL << std::min(tries, 7u));
  const std::scoped_lock lock(mutex);
  return milliseconds(std::uniform_int_distribution<int64_t>(base_ms / 2, base_ms)(random));
}

TaggerRole::TaggerRole(const v1::TaggerConfig& config, ClassifierClient& client, base::Sink& sink, base::Clock& clock,
                       prometheus::Registry& registry, base::Log& log)
    : impl_(std::make_shared<Impl>(config, client, sink, clock, registry, log)) {}

TaggerRole::~TaggerRole() { (void)Stop(milliseconds(0)); }

void TaggerRole::SetSource(base::Source& source, const std::string& group) {
  impl_->source = &source;
  impl_->source_metrics = std::make_unique<base::SourceMetrics>(impl_->registry, group);
}
void TaggerRole::OnFatal(std::function<void(base::Status)> callback) { impl_->on_fatal = std::move(callback); }

base::Status TaggerRole::Start() {
  if (impl_->source == nullptr) return base::FailedPrecondition("tagger: no source");
  impl_->thread = std::jthread([impl = impl_](std::stop_token stop) { impl->Loop(stop); });
  return {};
}

base::Status TaggerRole::Stop(milliseconds timeout) {
  if (!impl_->thread.joinable()) return {};
  impl_->thread.request_stop();
  impl_->source->Interrupt();
  impl_->thread.join();
  std::vector<base::TopicPartition> all;
  {
    const std::scoped_lock lock(impl_->mutex);
    for (const auto& [where, partition] : impl_->partitions) all.push_back(where);
  }
  // What is not finished in time is read again after the restart; its offset was never committed.
  const bool drained = impl_->DrainPartitions(all, timeout);
  impl_->CommitProgress(true);
  return drained ? base::Status() : base::DeadlineExceeded("tagger: documents still in hand at the end of draining");
}

bool TaggerRole::Idle() const {
  const std::scoped_lock lock(impl_->mutex);
  return impl_->in_hand == 0 && impl_->caught_up;
}

std::string TaggerRole::NotReady() const {
  const std::scoped_lock lock(impl_->mutex);
  return impl_->not_ready;
}

uint64_t TaggerRole::tagged() const { return impl_->tagged; }
uint64_t TaggerRole::dead_lettered() const { return impl_->dead_lettered; }

std::map<base::TopicPartition, int64_t> TaggerRole::OnAssigned(const std::vector<base::TopicPartition>& assigned) {
  impl_->log.Info("partitions_assigned", {{"count", static_cast<uint64_t>(assigned.size())}});
  impl_->reassigned = true;
  return {};
}

void TaggerRole::OnRevoked(const std::vector<base::TopicPartition>& revoked, bool lost) {
  impl_->log.Info("partitions_revoked", {{"count", static_cast<uint64_t>(revoked.size())}, {"lost", lost}});
  if (!lost) {
    impl_->DrainPartitions(revoked, kRevokeWait);
    impl_->CommitProgress(true);
  }
  const std::scoped_lock lock(impl_->mutex);
  for (const auto& where : revoked) {
    const auto it = impl_->partitions.find(where);
    if (it == impl_->partitions.end()) continue;
    it->second->revoked = true;
    impl_->partitions.erase(it);
  }
}

}  // namespace racewatch::classify
