#include "store/shadow_step.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/bus/topics.h"
#include "store/codec.h"
#include "store/progress.h"
#include "store/retag_status.h"
#include "store/shadow_batch.h"

namespace racewatch::store {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr size_t kPieceRecords = 500;
constexpr int64_t kPieceWaitMs = 100;
constexpr size_t kHeldMax = 10'000;  // about 1 KB each; more are left in the topic

}  // namespace

// What one transaction does: how many records of each tagged partition go, which of them count, and where that leads to.
struct ShadowStep::Piece {
  std::map<base::TopicPartition, size_t> taken;
  std::vector<const Held*> records;  // in order per tagged partition
  Offsets covered;
  size_t repeats = 0;
  size_t holes = 0;
  size_t asked_otherwise = 0;
};

ShadowStep::ShadowStep(GenerationEngine& engine, RetagSource make_source, uint32_t late_days_max, base::Clock& clock,
                       base::StageMetrics& metrics, base::Log& log)
    : engine_(engine), make_source_(std::move(make_source)), late_days_max_(late_days_max), clock_(clock), metrics_(metrics), log_(log),
      syncing_(engine.whole()) {}
ShadowStep::~ShadowStep() { Close(); }

void ShadowStep::Close() {
  (void)syncing_.Wait();
  if (source_) (void)source_->Close();
  source_.reset();
  opened_for_ = 0;
  claims_.clear();
  held_.clear();
  waiting_.clear();
  read_to_.clear();
  held_count_ = 0;
}

std::map<base::TopicPartition, int64_t> ShadowStep::OnAssigned(const std::vector<base::TopicPartition>& partitions) {
  std::map<base::TopicPartition, int64_t> positions;
  for (const auto& where : partitions) {
    auto claim = engine_.TakeClaim(cluster_id_, where);
    if (!claim.ok()) {
      unclaimed_ = claim.status();
      continue;
    }
    if (claim->next_offset >= 0) positions[where] = claim->next_offset;
    claims_[where] = std::move(claim).value();
  }
  return positions;
}

void ShadowStep::OnRevoked(const std::vector<base::TopicPartition>& partitions, bool) {
  for (const auto& where : partitions) claims_.erase(where);
}

base::Status ShadowStep::Poll(const Generation& generation, milliseconds wait) {
  if (held_count_ >= kHeldMax) return {};
  auto records = source_->Poll({.records_max = kPieceRecords}, wait);
  RW_RETURN_IF_ERROR(std::exchange(unclaimed_, {}));
  if (!records.ok()) {
    if (!records.status().retryable()) return records.status();
    metrics_.Error("bus_unavailable");
    return {};
  }
  metrics_.Received(static_cast<double>(records->size()));
  for (base::Record& record : *records) {
    const base::TopicPartition where{record.topic, record.partition};
    int64_t& next = read_to_[where];
    next = std::max(next, record.offset + 1);
    auto origin = base::ReadRetagOrigin(record);
    if (!origin || origin->generation != generation.number) {
      metrics_.Dropped("foreign_generation");
      continue;
    }
    waiting_[where].insert(record.offset);
    if (held_count_++ == 0) held_since_ = steady_clock::now();
    auto& queue = held_[origin->where];
    queue.push_back({std::move(record), std::move(*origin)});
  }
  return {};
}

// A transaction costs much by itself, above all the rows of counts, which it writes whole: it waits for a full piece, but
// not for long.
bool ShadowStep::Due(const Generation& generation) const {
  return held_count_ >= kPieceRecords || generation.state == Generation::State::kSwitching ||
         steady_clock::now() - held_since_ >= clock_.RealDuration(kPieceWaitMs);
}

base::Result<ShadowStep::Piece> ShadowStep::Choose(const Generation& generation) const {
  Piece piece;
  const uint64_t asked = FingerprintOf(queries_);
  const Engine& whole = engine_.mutable_whole();
  RW_ASSIGN_OR_RETURN(const Offsets counted, ReadCounted(whole, cluster_id_));
  RW_ASSIGN_OR_RETURN(const Offsets stored, ReadCovered(whole, generation.number));
  for (const auto& [where, queue] : held_) {
    const auto limit = counted.find(where);
    const auto begun = stored.find(where);
    int64_t covered = begun == stored.end() ? 0 : begun->second;
    size_t& taken = piece.taken[where];
    for (; taken < queue.size() && piece.records.size() < kPieceRecords; ++taken) {
      const base::RetagOrigin& origin = queue[taken].origin;
      if (origin.to <= covered) {
        ++piece.repeats;
      } else if (origin.queries != asked) {
        ++piece.asked_otherwise;  // the re-tagger learns of it and begins anew
      } else if (origin.from > covered) {
        ++piece.holes;  // sent again by whoever resumes from what is covered
      } else {
        if (limit == counted.end() || origin.to > limit->second) break;
        covered = origin.to;
        piece.covered[where] = covered;
        piece.records.push_back(&queue[taken]);
      }
    }
  }
  return piece;
}

base::Status ShadowStep::Apply(const Generation& generation, const Piece& piece, const Claim& leader) {
  const auto begun = steady_clock::now();
  std::vector<const base::Record*> records;
  for (const Held* held : piece.records)
    if (!held->record.value.empty()) records.push_back(&held->record);
  ShadowBatch shadow(engine_, generation, queries_, late_days_max_, clock_.NowMs());
  Batch batch;
  RW_RETURN_IF_ERROR(shadow.Fill(records, &batch));
  for (const auto& [where, offset] : piece.covered) {
    std::string value;
    AppendSigned(&value, offset);
    batch.Put(Table::kMeta, CoveredKey(generation.number, where), std::move(value));
  }
  auto waiting = waiting_;
  for (const auto& [origin, taken] : piece.taken)
    for (size_t i = 0; i < taken; ++i) {
      const base::Record& record = held_.at(origin)[i].record;
      waiting[{record.topic, record.partition}].erase(record.offset);
    }
  for (const auto& [where, next] : read_to_) {
    const auto& left = waiting[where];
    const auto claim = claims_.find(where);
    if (claim != claims_.end()) batch.Advance(claim->second, left.empty() ? next : *left.begin());
  }
  batch.Require(leader);
  // The positions go with it: what a power cut takes of it is read and applied again.
  RW_RETURN_IF_ERROR(syncing_.Wait());
  RW_RETURN_IF_ERROR(engine_.mutable_whole().CommitUnsynced(batch));
  syncing_.Start();
  waiting_ = std::move(waiting);
  held_since_ = steady_clock::now();
  for (const auto& [origin, taken] : piece.taken) {
    auto& queue = held_.at(origin);
    queue.erase(queue.begin(), queue.begin() + static_cast<long>(taken));
    held_count_ -= taken;
  }
  metrics_.Duration(steady_clock::now() - begun);
  metrics_.Sent(static_cast<double>(shadow.counted()));
  for (const auto& [reason, n] : shadow.dropped()) metrics_.Dropped(reason, static_cast<double>(n));
  if (piece.asked_otherwise > 0) metrics_.Dropped("other_queries", static_cast<double>(piece.asked_otherwise));
  if (piece.repeats > 0) metrics_.Dropped("duplicate", static_cast<double>(piece.repeats));
  if (piece.holes > 0) {
    metrics_.Dropped("out_of_order", static_cast<double>(piece.holes));
    log_.RateLimited(base::LogLevel::kWarn, "retag_records_missing", {{"generation", generation.number}});
  }
  return {};
}

base::Status ShadowStep::ChangeList(Generations next, const Claim& leader, Batch* batch) {
  const Generations& now = engine_.generations();
  batch->Replace(Table::kMeta, std::string(kGenerationsKey), now.Encode(), next.Encode());
  batch->Require(leader);
  RW_RETURN_IF_ERROR(engine_.mutable_whole().Commit(*batch));
  return engine_.Bind();
}

namespace {

// The model of the series that are left when `next` takes over from what was tagged live: not that of the latest article,
// for live ones come from the next model before the switch.
base::Result<std::string> FormerModel(const View& whole, const std::string& next) {
  RW_ASSIGN_OR_RETURN(const Progress progress, ReadProgress(whole));
  if (progress.model_version != next) return progress.model_version;
  const ModelSpan* former = nullptr;
  for (const ModelSpan& span : progress.models)
    if (span.generation == 0 && span.model_version != next && (former == nullptr || span.last_hour > former->last_hour)) former = &span;
  return former == nullptr ? next : former->model_version;
}

}  // namespace

base::Status ShadowStep::Switch(const Generation& generation, const Claim& leader, Done* done) {
  Engine& whole = engine_.mutable_whole();
  Generations next = engine_.generations();
  Generation& chosen = next.all[static_cast<size_t>(next.Find(generation.number) - next.all.data())];
  RW_ASSIGN_OR_RETURN(const RetagStatus status, ReadRetag(whole));
  Batch batch;
  if (status.lag() > 0) {
    if (switch_until_ == steady_clock::time_point()) switch_until_ = steady_clock::now() + kSwitchTime;
    if (steady_clock::now() < switch_until_) return {};
    chosen.state = Generation::State::kBuilding;
    log_.Warn("retag_switch_given_up", {{"generation", chosen.number}, {"missing", status.lag()}});
    switch_until_ = {};
    return ChangeList(std::move(next), leader, &batch);
  }
  const std::string model_version = generation.model_version;
  chosen.state = Generation::State::kActive;
  chosen.switched_ms = clock_.NowMs();
  const uint32_t number = chosen.number;
  if (next.active == 0) {
    RW_ASSIGN_OR_RETURN(std::string former, FormerModel(whole, model_version));
    next.all.insert(next.all.begin(), {0, Generation::State::kClosed, std::move(former), 0, 0});
  } else {
    for (Generation& one : next.all)
      if (one.number == next.active) one.state = Generation::State::kClosed;
  }
  next.active = number;
  for (const auto& [where, offset] : status.counted) {
    RW_ASSIGN_OR_RETURN(const auto stored, whole.Get(Table::kMeta, ProgressKey(where)));
    if (!stored) continue;
    RW_ASSIGN_OR_RETURN(Progress progress, Progress::Decode(*stored));
    progress.model_version = model_version;
    batch.Put(Table::kMeta, ProgressKey(where), progress.Encode());
  }
  RW_RETURN_IF_ERROR(ChangeList(std::move(next), leader, &batch));
  log_.Info("retag_switched", {{"generation", number}, {"model_version", model_version}});
  switch_until_ = {};
  done->switched = true;
  return {};
}

base::Result<ShadowStep::Done> ShadowStep::Run(const std::string& cluster_id, const Claim& leader, milliseconds wait) {
  Done done;
  const Generation* found = engine_.generations().Building();
  if (found == nullptr || !make_source_) {
    Close();
    return done;
  }
  const Generation generation = *found;  // the list is bound anew below
  if (opened_for_ != generation.number || cluster_id_ != cluster_id) {
    Close();
    cluster_id_ = cluster_id;
    RW_ASSIGN_OR_RETURN(source_, make_source_(*this));
    opened_for_ = generation.number;
  }
  RW_RETURN_IF_ERROR(Poll(generation, wait));
  if (held_count_ > 0 && !Due(generation)) {
    done.worked = true;  // it goes on in a moment
  } else if (held_count_ > 0) {
    RW_ASSIGN_OR_RETURN(queries_, ReadQueries(engine_.whole(), generation.number));
    RW_ASSIGN_OR_RETURN(const Piece piece, Choose(generation));
    done.worked = std::any_of(piece.taken.begin(), piece.taken.end(), [](const auto& entry) { return entry.second > 0; });
    if (done.worked) RW_RETURN_IF_ERROR(Apply(generation, piece, leader));
  }
  metrics_.Heartbeat();
  if (generation.state != Generation::State::kSwitching) {
    switch_until_ = {};
    return done;
  }
  const base::Status switched = Switch(generation, leader, &done);
  if (switched.code() == base::Code::kAborted) return engine_.Bind().ok() ? base::Result<Done>(done) : base::Result<Done>(switched);
  RW_RETURN_IF_ERROR(switched);
  done.worked = done.worked || done.switched;
  return done;
}

}  // namespace racewatch::store
