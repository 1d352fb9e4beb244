// Keeps a RetagLoop going in a thread of low priority: begins where the store says the generation is complete up to, and
// begins there again after a failure, when the store does not get on with what it was sent, or when its saved queries have
// changed. Start and Stop by one
// thread, progress by any. What the constructor takes outlives it.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "classify/model/model.h"
#include "classify/retag_loop.h"
#include "cli/bus.h"
#include "store/saved_query/saved_queries.h"

namespace racewatch::cli {

class RetagWorker {
 public:
  using Offsets = std::map<base::TopicPartition, int64_t>;
  struct Held {
    Offsets covered;                         // up to where the generation holds each tagged partition
    std::vector<store::SavedQuery> queries;  // of the store, which it cannot ask of texts that it does not have
  };
  // FAILED_PRECONDITION: the generation is not being built any more, which ends the work.
  using ReadHeld = std::function<base::Result<Held>()>;
  struct Options {
    uint32_t generation = 0;
    double rate_per_s = 0;  // 0: as fast as the model tags
  };

  RetagWorker(Options options, Bus& bus, std::shared_ptr<const classify::Model> model, ReadHeld held, base::Clock& clock, base::Log& log);
  ~RetagWorker();

  void Start();
  void Stop();

  struct Progress {
    classify::RetagCounts counts;  // of this process life
    double quiet_s = 0;            // since the last article that another model had tagged
    std::string trouble;           // why nothing goes on, else empty
  };
  Progress progress() const;
  const Options& options() const { return options_; }
  const classify::Model& model() const { return *model_; }

 private:
  void Run(const std::stop_token& stop);
  base::Status RunOnce(const std::stop_token& stop);
  base::Result<int32_t> Partitions();
  void Note(const classify::RetagLoop& loop, const classify::RetagCounts& before);

  const Options options_;
  Bus& bus_;
  const std::shared_ptr<const classify::Model> model_;
  const ReadHeld held_;
  base::Clock& clock_;
  base::Log& log_;
  mutable std::mutex mutex_;  // of progress
  Progress progress_;
  std::chrono::steady_clock::time_point last_of_others_;
  std::jthread thread_;  // last: ends first
};

}  // namespace racewatch::cli
