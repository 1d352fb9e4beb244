// The ingest role as a component: feeds and pages in, articles out to the sink's racewatch.articles.v1.
// One thread of its own (IngestLoop) does everything; `/api/v1/feeds` on the given HTTP server shows each
// feed's state (GET), adds (POST) and removes (DELETE ?id=) feeds; `/websub/` is for hubs. Its state (seen marks, validators, schedule) lives under the state folder and survives
// kill -9. Bad input is counted and explained, never fatal; only a broken disk ends the role (OnFatal).
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/bus/sink.h"
#include "base/bus/source.h"
#include "base/clock.h"
#include "base/lifecycle.h"
#include "base/log.h"
#include "base/status.h"
#include "ingest/intake.h"

namespace prometheus {
class Registry;
}
namespace racewatch::base {
class HttpServer;
class Problems;
}  // namespace racewatch::base
namespace racewatch::v1 {
class IngestConfig;
}

namespace racewatch::ingest {

// Every mistake at once; `config` may come without defaults.
void ValidateIngestConfig(const v1::IngestConfig& config, base::Problems* problems);
v1::IngestConfig WithDefaults(v1::IngestConfig config);

class IngestRole final : public base::Component {
 public:
  // Registers its pages, so make it before `http` starts. References outlive the role; the sink is closed
  // after the role has stopped.
  IngestRole(const v1::IngestConfig& config, base::Sink& sink, base::Clock& clock, prometheus::Registry& registry,
             base::Log& log, base::HttpServer& http, std::string state_dir);
  ~IngestRole() override;

  // With share_feeds: makes a source of racewatch.feeds.v1; a group that is not empty is given without prefix. Set before
  // Start, which calls it twice; the sources end with the role.
  using MakeSource = std::function<base::Result<std::unique_ptr<base::Source>>(base::SourceOptions)>;
  void ShareThrough(MakeSource make_source);

  // Called at most once, from the role's thread, when it cannot go on. Set before Start.
  void OnFatal(std::function<void(base::Status)> on_fatal);

  std::string name() const override { return "ingest"; }
  // PERMISSION_DENIED: state folder in use. NOT_FOUND, INVALID_ARGUMENT: feed list or publishers file.
  base::Status Start() override;
  base::Status Stop(std::chrono::milliseconds timeout) override;
  bool Idle() const override;

  // entries = sent + revisions + dropped + dead_lettered + in_flight. Any thread.
  IngestCounts counts() const;
  // When something is due next, on the role's clock. Any thread.
  base::UnixMs next_due_ms() const;
  // The clock was moved: look again now. Any thread.
  void Wake();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace racewatch::ingest
