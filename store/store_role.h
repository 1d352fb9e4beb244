// The store as a component: tagged articles in, exact trends, stories, alerts and answers out. One thread of its
// own owns the source and every write: poll → decode → one transaction → story step → alert steps → outbox. It
// resumes from its own positions, so this object is the source's listener. Over RocksDB it reads every partition by
// itself and the group of the source is empty; over PostgreSQL it shares a group with its like, and the leader among
// them alone runs what comes after counting and exports the trends. Undecodable records go to racewatch.dlq.v1 before their position moves; they
// never stop a partition. A broker that is away costs waiting; being fenced or a damaged disk ends the role.
#pragma once

#include <cstdint>
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
#include "base/status.h"
#include "store/shadow_step.h"
#include "store/store_config.h"

namespace grpc {
class Service;
}
namespace prometheus {
class Registry;
}
namespace racewatch::base {
class HttpServer;
}

namespace racewatch::store {

class ErrorRates;
struct RetagStatus;

inline constexpr char kStoreServiceName[] = "racewatch.v1.StoreService";

// received = stored + Σ dropped + dead_lettered, of this process life.
struct StoreCounts {
  uint64_t received = 0;
  uint64_t stored = 0;  // new ids
  std::map<std::string, uint64_t> dropped;
  uint64_t dead_lettered = 0;
  uint64_t alerts_opened = 0;
  // Of the state, whoever wrote it:
  uint64_t stories = 0;  // singletons included
  std::string digest;
};

class StoreRole final : public base::Component, public base::AssignmentListener {
 public:
  // Registers pages, API and metrics, so make it before `http` starts. References outlive the role. `sink`
  // takes alerts and dead letters.
  StoreRole(const v1::StoreConfig& config, base::Sink& sink, base::Clock& clock, prometheus::Registry& registry,
            base::Log& log, base::HttpServer& http, std::string state_dir);
  ~StoreRole() override;

  // The topics of the source: live and backfilled tagged articles.
  static std::vector<std::string> Topics();
  // Before Start. The source is made with Topics(), this object as listener and a group only over PostgreSQL; it is
  // closed after Stop.
  void SetSource(base::Source& source);
  // How to read racewatch.retag.v1; without it the store builds no re-tag. Before Start.
  void SetRetagSource(RetagSource make_source);
  // Called at most once, from the role's thread, when it cannot go on. Set before Start.
  void OnFatal(std::function<void(base::Status)> on_fatal);
  // Takes over queries, rules, subscribers and silences of a valid configuration; the rest stays as it was at start. Any thread.
  void Reload(const v1::StoreConfig& config);
  // The measured errors of a model, whose shares are given corrected too (error_rates.h); nullptr: none are. Any thread.
  void SetErrorRates(std::shared_ptr<const ErrorRates> rates);
  // For the process's gRPC server, under kStoreServiceName.
  grpc::Service& service();

  std::string name() const override { return "store"; }
  // FAILED_PRECONDITION: state folder in use (exit 74) or of a newer version. UNAVAILABLE: no database. DATA_LOSS: damaged.
  base::Status Start() override;
  base::Status Stop(std::chrono::milliseconds timeout) override;
  // Waits for one round of the loop, at most a quarter of a second: true when that round found nothing to do.
  bool Idle() const override;
  // Empty when records are read and counted, else why not (for /-/ready).
  std::string NotReady() const;

  // Begins a re-tag, or goes on with it, as retag_status.h says. After Start. Any thread.
  base::Result<uint32_t> BeginRetag(const std::string& model_version);
  base::Result<RetagStatus> retag() const;

  // Reads the digest from the tables, which takes a while on a large state. After Start. Any thread.
  StoreCounts counts() const;

  std::map<base::TopicPartition, int64_t> OnAssigned(const std::vector<base::TopicPartition>& partitions) override;
  void OnRevoked(const std::vector<base::TopicPartition>& partitions, bool lost) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace racewatch::store
