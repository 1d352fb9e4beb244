// The run of `racewatch backfill`: archives through the builder to a target, in batches, each remembered in the position
// file once it is delivered. An interrupted run goes on where it stopped; what was delivered and not yet remembered is
// sent again under the same ids. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "ingest/backfill/archive.h"
#include "ingest/publisher_registry.h"
#include "racewatch/v1/backfill.pb.h"

namespace racewatch::cli {

class BackfillTarget {
 public:
  virtual ~BackfillTarget() = default;
  // Returns when everything in it is delivered. UNAVAILABLE: not, and trying again did not help.
  virtual base::Status Deliver(const v1::BackfillBatch& batch) = 0;
};

// How far each file has been delivered: one JSON object in a file, written anew and renamed. A file that changed its
// size or time since is read from its beginning.
class BackfillPositions {
 public:
  struct Position {
    uint64_t items = 0;
    uint64_t bytes = 0;
    int64_t mtime_ns = 0;
    bool complete = false;
  };
  explicit BackfillPositions(std::string path) : path_(std::move(path)) {}
  base::Status Load();  // a missing file is an empty one
  base::Status Save() const;
  Position& Of(const std::string& file);  // reset when the file has changed

 private:
  const std::string path_;
  std::map<std::string, Position> positions_;
};

// read = sent + dropped + dead_lettered, of this run; `resumed` items of earlier runs are not read again.
struct BackfillCounts {
  uint64_t read = 0;
  uint64_t sent = 0;
  std::map<std::string, uint64_t> dropped;
  uint64_t dead_lettered = 0;
  uint64_t resumed = 0;
  uint64_t unreadable = 0;  // files that could not be read to their end
};

struct BackfillProgress {
  std::string file;
  double share = 0;  // of all files, by bytes
  uint64_t articles = 0;
};

struct BackfillOptions {
  ingest::ArchiveOptions archive;
  double rate_per_s = 0;  // 0: as fast as the target takes it
  std::function<void(const BackfillProgress&)> on_progress;
  std::function<void(const std::string& line)> on_problem;  // one line for a person
};

// Fails only when the target or the position file does, or a source is not there at all.
base::Status RunBackfill(const std::vector<std::string>& sources, const BackfillOptions& options, const ingest::PublisherRegistry& publishers,
                         const base::Clock& clock, BackfillPositions& positions, BackfillTarget& target, BackfillCounts* counts);

}  // namespace racewatch::cli
