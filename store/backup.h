// A consistent copy of all tables as one stream of bytes, taken while the store runs, and its way back into an empty
// engine of either kind. Compressed in blocks (zstd), each with a checksum (XXH3-64); the last block says how many rows
// there were, so that a cut file is told from a whole one.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "store/engine.h"

namespace racewatch::store {

// Reads one snapshot piece by piece. One thread; the engine outlives it.
class BackupWriter {
 public:
  explicit BackupWriter(const Engine& engine);
  ~BackupWriter();
  // The next bytes; empty once everything has been given. Errors: those of the engine's reads.
  base::Result<std::string> Next();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Fills `bytes` with exactly `size` bytes of the file, fewer at its end.
using BackupRead = std::function<base::Status(size_t size, std::string* bytes)>;

// Puts a backup into an engine that holds nothing; returns the number of rows. FAILED_PRECONDITION: the engine is not
// empty; INVALID_ARGUMENT: no backup, damaged or cut, or of a newer build. After an error the engine must be thrown away
// (CheckRestored refuses it).
base::Result<uint64_t> RestoreBackup(const BackupRead& read, Engine& engine);

// FAILED_PRECONDITION when a restore into this engine did not come to its end.
base::Status CheckRestored(const View& view);

}  // namespace racewatch::store
