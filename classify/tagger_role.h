// The tagger: articles in, classifier answers on, tagged articles out. Place in the flow: between
// racewatch.articles.v1 (and .backfill.v1) and racewatch.tagged.v1 (and tagged-backfill).
//
// One loop thread owns the source: it polls, packs micro-batches, retries and commits. Answers arrive on
// the client's threads and go straight to the sink; a record is finished, and its offset may be committed,
// when its tagged record or its dead letter has been delivered. Everything in hand is bounded by
// kInHandRecordsMax and kInHandBytesMax. A classifier that is away costs waiting, never a record; a
// document that fails by itself attempts_max times goes to racewatch.dlq.v1.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/bus/sink.h"
#include "base/bus/source.h"
#include "base/clock.h"
#include "base/lifecycle.h"
#include "base/log.h"
#include "racewatch/v1/config.pb.h"

namespace prometheus {
class Registry;
}
namespace racewatch::base {
class Problems;
}

namespace racewatch::classify {

class ClassifierClient;

inline constexpr size_t kInHandRecordsMax = 4096;
inline constexpr size_t kInHandBytesMax = 48u << 20;

v1::TaggerConfig WithDefaults(v1::TaggerConfig config);
void ValidateTaggerConfig(const v1::TaggerConfig& config, base::Problems* problems);

class TaggerRole final : public base::Component, public base::AssignmentListener {
 public:
  // `source` reads the article topics with this object as its listener (see SetSource); `sink` and the
  // rest outlive this object. `config` is complete (WithDefaults).
  TaggerRole(const v1::TaggerConfig& config, ClassifierClient& client, base::Sink& sink, base::Clock& clock,
             prometheus::Registry& registry, base::Log& log);
  ~TaggerRole() override;

  // Before Start. The source is made with this object as its listener; Stop comes before the source goes.
  // `group` names its consumer group in the lag metrics.
  void SetSource(base::Source& source, const std::string& group);
  // Called once with the reason when the loop cannot go on (the source was fenced).
  void OnFatal(std::function<void(base::Status)> callback);

  std::string name() const override { return "tagger"; }
  base::Status Start() override;
  base::Status Stop(std::chrono::milliseconds timeout) override;
  bool Idle() const override;
  // Empty when the classifier answers, else why not (for /-/ready).
  std::string NotReady() const;

  // Of this process's life, delivered. Any thread.
  uint64_t tagged() const;
  uint64_t dead_lettered() const;

  std::map<base::TopicPartition, int64_t> OnAssigned(const std::vector<base::TopicPartition>& partitions) override;
  void OnRevoked(const std::vector<base::TopicPartition>& partitions, bool lost) override;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace racewatch::classify
