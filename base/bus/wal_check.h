// Looks at the end of each write-ahead log of a RocksDB folder before RocksDB does. RocksDB takes a
// last record whose length runs past the end of the file for one that was being written when the
// machine stopped, and drops it. A flipped bit in that length looks the same; this check tells them
// apart: if the bytes that are there match the record's checksum at a shorter length, it was
// complete, and we say so. Reads the last 32 KiB block of each. No threads.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace racewatch::base {

// DATA_LOSS when a `*.log` in `dir` ends in a complete record with a damaged length.
Status CheckWalTail(const std::string& dir);

// The same for the last block of a log (the format: RocksDB wiki, "Write Ahead Log File Format").
// True when its tail is sound or torn, false when it is damaged.
bool WalBlockTailIsSound(std::string_view block);

// CRC-32C (Castagnoli), as RFC 3720 appendix B.4.
uint32_t Crc32c(std::string_view data, uint32_t crc = 0);

}  // namespace racewatch::base
