// Builds the next generation from racewatch.retag.v1 beside the active one, and switches to it. Runs in the leader, on the
// thread that counts, a piece at a time, so it never holds up a live batch for longer than one of its own.
//
// A record is applied when its article has been counted in the active generation (the position of its tagged partition says
// so), each once and in order (base/bus/retag_origin.h), in one transaction with its positions: kill -9 anywhere and resume.
// A record whose text was asked other saved queries than are in force now is left out and comes again from the re-tagger.
// What the record does not carry, texts above all, is taken from the active generation; what that has removed with its
// frozen days is counted without. Stories follow theirs; those of frozen days count by the labels of the article that led them.
//
// Switch: the list of generations says kSwitching, all stores stop counting, and once everything counted is covered, one
// transaction makes the generation active. After kSwitchTime without that, counting goes on and nothing has changed.
// One thread. What the constructor takes outlives this. Errors: those of the engine; FAILED_PRECONDITION: another leads.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/bus/retag_origin.h"
#include "base/bus/source.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/status.h"
#include "store/generation_engine.h"
#include "store/saved_query/saved_queries.h"
#include "store/sync_ahead.h"

namespace racewatch::store {

// Makes the source of racewatch.retag.v1, without a group, for this listener.
using RetagSource = std::function<base::Result<std::unique_ptr<base::Source>>(base::AssignmentListener&)>;

class ShadowStep final : public base::AssignmentListener {
 public:
  static constexpr std::chrono::seconds kSwitchTime{5};

  // Without a `make_source` nothing is ever built.
  ShadowStep(GenerationEngine& engine, RetagSource make_source, uint32_t late_days_max, base::Clock& clock, base::StageMetrics& metrics,
             base::Log& log);
  ~ShadowStep() override;

  struct Done {
    bool worked = false;    // something was applied or changed, or waits a moment for others to go with
    bool switched = false;  // another generation is active: what was kept of the former is void
  };
  // Does the next piece, for the list of generations as the engine has bound it; waits up to `wait` for records.
  base::Result<Done> Run(const std::string& cluster_id, const Claim& leader, std::chrono::milliseconds wait);
  // Lets go of the topic, when another leads or nothing is built.
  void Close();

  std::map<base::TopicPartition, int64_t> OnAssigned(const std::vector<base::TopicPartition>& partitions) override;
  void OnRevoked(const std::vector<base::TopicPartition>& partitions, bool lost) override;

 private:
  struct Piece;
  base::Status Poll(const Generation& generation, std::chrono::milliseconds wait);
  bool Due(const Generation& generation) const;
  base::Result<Piece> Choose(const Generation& generation) const;
  base::Status Apply(const Generation& generation, const Piece& piece, const Claim& leader);
  base::Status Switch(const Generation& generation, const Claim& leader, Done* done);
  base::Status ChangeList(Generations next, const Claim& leader, Batch* batch);

  GenerationEngine& engine_;
  const RetagSource make_source_;
  const uint32_t late_days_max_;
  base::Clock& clock_;
  base::StageMetrics& metrics_;
  base::Log& log_;
  std::string cluster_id_;
  std::unique_ptr<base::Source> source_;
  uint32_t opened_for_ = 0;  // generation
  std::vector<SavedQuery> queries_;  // in force
  std::map<base::TopicPartition, Claim> claims_;
  base::Status unclaimed_;
  struct Held {
    base::Record record;
    base::RetagOrigin origin;
  };
  std::map<base::TopicPartition, std::deque<Held>> held_;              // by tagged partition: read, not applied
  std::map<base::TopicPartition, std::set<int64_t>> waiting_;          // their offsets, by partition of the topic
  std::map<base::TopicPartition, int64_t> read_to_;                    // of the topic
  size_t held_count_ = 0;
  std::chrono::steady_clock::time_point held_since_;  // since when they wait for a piece to become full
  std::chrono::steady_clock::time_point switch_until_;
  SyncAhead syncing_;
};

}  // namespace racewatch::store
