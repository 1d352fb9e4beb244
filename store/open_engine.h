// The engine that a configuration asks for: PostgreSQL when it names one, else RocksDB in the state folder.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "store/engine.h"

namespace racewatch::v1 {
class StoreConfig;
}

namespace racewatch::store {

// `config` is complete (WithDefaults). Errors: those of the engines' Open and of CheckRestored (backup.h).
base::Result<std::unique_ptr<Engine>> OpenEngine(const v1::StoreConfig& config, const std::string& state_dir);

}  // namespace racewatch::store
