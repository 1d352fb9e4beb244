// Reads the write-ahead logs of a RocksDB folder before RocksDB does, for two kinds of damage that
// it would forgive without a word. A last record whose length runs past the end of the file looks
// torn to it; if the bytes that are there match the record's checksum at a shorter length, the
// record was complete and its length is damaged. And a record type of recycled logs, which we do
// not use, ends the log for it. Everything else is left to RocksDB's checksums. No threads.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace racewatch::base {

// DATA_LOSS when a `*.log` in `dir` has such damage.
Status CheckWals(const std::string& dir);

// The same for one block of a log, 32 KiB or, at its end, less (the format: RocksDB wiki, "Write
// Ahead Log File Format"). A torn tail is sound.
bool WalBlockIsSound(std::string_view block);

}  // namespace racewatch::base
