// The way out of ingest: hands records to the sink, keeps each until its delivery report, sends again what
// failed for a passing reason, and puts what can never be delivered into the dead-letter topic. Owned by
// the loop thread; reports come in on the sink's threads and wait for Poll. Nothing is ever given up: a
// ticket ends as delivered or as dead-lettered, or the process ends first.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/bus/record.h"
#include "base/bus/sink.h"
#include "base/log.h"
#include "base/metrics.h"

namespace racewatch::ingest {

class Outbox {
 public:
  struct Finished {
    uint64_t ticket = 0;
    bool dead_lettered = false;
  };

  // `wake` is called from the sink's threads when a report has come in. All references outlive the outbox;
  // reports that come in after its end are ignored.
  Outbox(base::Sink& sink, base::StageMetrics& metrics, base::Log& log, std::function<void()> wake);
  ~Outbox();

  // Takes the record whatever the sink says. One ticket per record.
  void Send(uint64_t ticket, base::Record record);

  // Sends what waits (in order) and returns what has finished since the last call.
  std::vector<Finished> Poll();

  size_t in_flight() const { return records_.size(); }
  size_t in_flight_bytes() const { return bytes_; }
  // True while the sink refuses records: ask again in a few milliseconds.
  bool blocked() const { return !waiting_.empty(); }

 private:
  struct Reports;
  struct Held {
    base::Record record;
    uint32_t attempts = 0;
    bool dead_letter = false;
  };
  // False: the sink is full, stop trying for now.
  bool TrySend(uint64_t ticket);
  void ToDeadLetters(Held* held, const base::Status& why);

  base::Sink& sink_;
  base::StageMetrics& metrics_;
  base::Log& log_;
  std::shared_ptr<Reports> reports_;
  std::unordered_map<uint64_t, Held> records_;
  std::deque<uint64_t> waiting_;
  size_t bytes_ = 0;
};

}  // namespace racewatch::ingest
