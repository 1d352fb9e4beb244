// Brings the tables of an older build up to kSchemaVersion, step by step. Each step may be interrupted anywhere and
// run again. An engine calls it when it opens; nobody else uses the engine meanwhile.
#pragma once

#include "base/status.h"
#include "store/engine.h"

namespace racewatch::store {

// New tables are marked with the version. FAILED_PRECONDITION: a newer build wrote them.
base::Status Migrate(Engine& engine);

}  // namespace racewatch::store
