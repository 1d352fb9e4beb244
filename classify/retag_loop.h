// Tags the archive again: records of the tagged topics in, records of racewatch.retag.v1 out, under a generation of their
// own and with where they come from (base/bus/retag_origin.h). What goes out holds labels and which saved queries it meets, but
// neither title nor text: the store has those, and a takedown need not look for them here. An article whose text was removed keeps the labels it has.
//
// Keeps no state: it starts where the store says that the generation is complete up to, and the store passes over what is
// sent twice. Follows the live end of the topics, so that both models tag what comes in meanwhile. One thread; what the
// constructor takes outlives it. Errors of Step: those of the source; UNAVAILABLE when something was not delivered: make a
// new loop from what the store has by then.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/bus/record.h"
#include "base/bus/retag_origin.h"
#include "base/bus/sink.h"
#include "base/bus/source.h"
#include "base/clock.h"
#include "base/status.h"
#include "classify/model/model.h"

namespace racewatch::v1 {
class TaggedArticle;
}

namespace racewatch::classify {

using ClassifyText = std::function<void(const DocumentView&, Scratch&, v1::Tags*)>;

struct RetagOptions {
  uint32_t generation = 0;
  std::string model_version;  // of what `classify` does
  int32_t partitions = 1;     // of racewatch.retag.v1
  // Asked of each article once it has its labels, while its text is at hand; what it adds goes out with it. May be empty.
  std::function<void(v1::TaggedArticle*)> ask = {};
  uint64_t queries = 0;  // what is asked, for the header of the records
};

struct RetagCounts {
  uint64_t read = 0;
  uint64_t tagged = 0;   // by the new model
  uint64_t copied = 0;   // had been tagged by it already
  uint64_t kept = 0;     // without a text: labels as they were
  uint64_t skipped = 0;  // no article, or deleted
};

// The record for racewatch.retag.v1 that `tagged` makes, partition aside; says in `counts` which of the cases above it was.
base::Record MakeRetagRecord(const base::Record& tagged, const base::RetagOrigin& origin, const RetagOptions& options,
                             const ClassifyText& classify, Scratch& scratch, base::UnixMs now_ms, RetagCounts* counts);

class RetagLoop final : public base::AssignmentListener {
 public:
  // `covered`: where to begin, by tagged partition; a partition that is not in it begins at its start.
  RetagLoop(RetagOptions options, ClassifyText classify, base::Sink& sink, base::Clock& clock,
            std::map<base::TopicPartition, int64_t> covered);
  ~RetagLoop() override;

  static std::vector<std::string> Topics();
  // Made with Topics(), without a group, with this object as listener. Before the first Step.
  void SetSource(base::Source& source) { source_ = &source; }

  // Hands on the next records, at most 500; how many. 0: none came within `wait`. CANCELLED: the sink was full, and `stop` came
  // before there was room.
  base::Result<size_t> Step(std::chrono::milliseconds wait, const std::stop_token& stop = {});

  const RetagCounts& counts() const { return counts_; }
  // Up to where it has handed on.
  const std::map<base::TopicPartition, int64_t>& next() const { return next_; }
  // When it last read an article that another model had tagged.
  std::chrono::steady_clock::time_point last_of_others() const { return last_of_others_; }

  std::map<base::TopicPartition, int64_t> OnAssigned(const std::vector<base::TopicPartition>& partitions) override;
  void OnRevoked(const std::vector<base::TopicPartition>&, bool) override {}

 private:
  struct Reports;  // shared with delivery callbacks
  base::Status Send(base::Record record, const std::stop_token& stop);

  const RetagOptions options_;
  const ClassifyText classify_;
  base::Sink& sink_;
  base::Clock& clock_;
  std::map<base::TopicPartition, int64_t> next_;
  base::Source* source_ = nullptr;
  Scratch scratch_;
  RetagCounts counts_;
  std::chrono::steady_clock::time_point last_of_others_;
  std::shared_ptr<Reports> reports_;
};

}  // namespace racewatch::classify
