// Up to which moment of event time alert steps may be decided. A partition's time is the latest first fetch among the
// records read from it, never its publishing times: those come hours apart, and one wrong date would run ahead. Live
// partitions only; a backfill moves nothing and holds nothing back.
//   While records wait, the slowest partition that still has some decides; those without any are idle and do not count.
//   With everything read, time is the latest of all partitions: it stands still while an earlier stage is away.
//   After `idle_ms` without anything new, time follows the clock again, that much behind it.
// One thread, no I/O.
#pragma once

#include <map>
#include <optional>

#include "base/bus/record.h"
#include "base/clock.h"

namespace racewatch::store {

class Watermark {
 public:
  struct Options {
    int64_t lateness_ms = 600'000;  // how far behind the steps stay
    int64_t idle_ms = 3'600'000;
  };
  explicit Watermark(Options options) : options_(options) {}

  // Something of `where` was counted; `fetched_at` is the latest first fetch in it.
  void Read(const base::TopicPartition& where, base::UnixMs fetched_at);

  // Everything read is counted. `now` is the clock before the last poll, `lag` what the source says of each partition
  // (nullopt: unknown, which holds; once one partition alone stays unknown for idle_ms, it is idle). Without
  // `stories_done` the last batch is not in stories yet: time goes as far as the one before it, and nothing is settled.
  void Settle(base::UnixMs now, const std::map<base::TopicPartition, std::optional<int64_t>>& lag, bool stories_done = true);

  // The watermark as of the last Settle; 0 until the clock has moved on from it. What comes in at one moment is so
  // either all before a step or all behind it, whatever the size of batches.
  base::UnixMs At(base::UnixMs now) const;

  // Everything known at this moment of the clock is counted, the backfill too.
  base::UnixMs settled() const { return settled_; }
  // As At, whether or not the clock has moved. For the metric.
  base::UnixMs latest() const { return time_ > 0 ? time_ - options_.lateness_ms : 0; }
  // Of what was read from `where`; 0: nothing yet.
  base::UnixMs newest(const base::TopicPartition& where) const;

 private:
  base::UnixMs Known(const base::TopicPartition& where) const;
  bool Waits(const base::TopicPartition& where, std::optional<int64_t> lag, bool others_known, base::UnixMs now);

  const Options options_;
  void TakeFresh();

  std::map<base::TopicPartition, base::UnixMs> newest_;
  std::map<base::TopicPartition, base::UnixMs> fresh_;  // of the last batch
  std::map<base::TopicPartition, base::UnixMs> unknown_since_;
  base::UnixMs settled_ = 0;
  base::UnixMs moment_ = 0;  // of the clock, or of a waiting partition: what `time_` rests on
  base::UnixMs time_ = 0;
};

}  // namespace racewatch::store
