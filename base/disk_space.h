// Room on the disk of a folder, asked before a write. RocksDB (7.8 as Debian builds it) aborts the process when a write-ahead
// log meets a full disk at the wrong moment, so its users stop earlier. Thread-safe; a microsecond a call.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace racewatch::base {

// UNAVAILABLE when the file system of `dir` has fewer than `bytes` left: trying again helps once there is room. `what`
// begins the message. A file system that cannot be asked counts as roomy: the write itself will tell.
Status RequireSpace(const std::string& dir, uint64_t bytes, std::string_view what);

}  // namespace racewatch::base
