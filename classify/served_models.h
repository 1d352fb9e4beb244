// The models of one classifier: the one that answers, the one that answered before it, and a canary that reads a share of
// the calls too and is only compared. A call takes Now() once and sees one model through any change. Changes happen one
// after the other, whoever asks for them (RPC, signal, a re-tag); every method may be called from any thread. A file is
// mapped while its model is in use, so replace files by renaming, never by writing into them.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "base/log.h"
#include "base/status.h"
#include "classify/answer_labels.h"
#include "classify/model/model.h"

namespace racewatch::classify {

// How the labels of a canary compare with those that were given, since these two models are in service together.
class Comparison {
 public:
  explicit Comparison(std::shared_ptr<const Model> model) : model_(std::move(model)) {}

  const std::shared_ptr<const Model>& model() const { return model_; }
  void Add(const AnswerLabels& given, const AnswerLabels& canary);

  struct Counts {
    uint64_t both = 0;
    uint64_t only_active = 0;
    uint64_t only_canary = 0;
  };
  uint64_t documents() const { return documents_.load(); }
  Counts Of(size_t label) const;

 private:
  struct Cells {
    std::atomic<uint64_t> both = 0, only_active = 0, only_canary = 0;
  };
  const std::shared_ptr<const Model> model_;
  std::atomic<uint64_t> documents_ = 0;
  std::array<Cells, kAnswerLabels> cells_;
};

class ServedModels {
 public:
  struct Options {
    std::string path;
    std::string canary_path;  // empty: none
    double canary_percent = 0;
    std::shared_ptr<const SecondTier> second_tier = nullptr;  // of every model, the canary too
  };
  // Errors as Model::Load, of either file. `log` outlives this object.
  static base::Result<std::unique_ptr<ServedModels>> Load(Options options, base::Log& log);

  struct Serving {
    std::shared_ptr<const Model> model;
    std::shared_ptr<Comparison> canary;  // null: none
  };
  Serving Now() const;
  // Version of the model that Rollback would go back to; empty: none.
  std::string previous_version() const;
  double canary_percent() const { return options_.canary_percent; }
  // True for canary_percent of the calls of this.
  bool TakesSample();

  struct Change {
    std::shared_ptr<const Model> model;
    std::string previous_version;
  };
  // Reads the files in service again, the canary's too. A file with the same bytes is no change. On error, as Model::Load,
  // everything stays as it was.
  base::Result<Change> Reload();
  // The same with another file in the folder of the configured one; empty: the file in service. INVALID_ARGUMENT: `name`
  // leads out of that folder; FAILED_PRECONDITION: the file does not load.
  base::Result<Change> ReloadFile(const std::string& name);
  // The same with any file and second tier, with which later Reloads are made too.
  base::Result<Change> Serve(const std::string& path, std::shared_ptr<const SecondTier> second_tier);
  std::shared_ptr<const SecondTier> second_tier() const;
  // Goes back to the model that answered before the last change; FAILED_PRECONDITION: there was none. Once more undoes it.
  base::Result<Change> Rollback();

 private:
  ServedModels(Options options, base::Log& log) : options_(std::move(options)), log_(log) {}
  base::Result<Change> Take(const std::string& path);
  void ReloadCanary();
  Change PutInService(std::shared_ptr<const Model> model, std::string path);

  const Options options_;
  base::Log& log_;
  std::mutex change_mutex_;    // a change from its beginning to its end; before `mutex_`
  mutable std::mutex mutex_;   // everything below
  Serving serving_;
  std::string path_;
  std::shared_ptr<const SecondTier> second_tier_;
  std::shared_ptr<const Model> previous_;
  std::string previous_path_;
  std::atomic<uint64_t> calls_ = 0;
};

}  // namespace racewatch::classify
