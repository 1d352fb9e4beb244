// CRC-32C (Castagnoli) as RFC 3720 appendix B.4 has it, with the instruction of SSE 4.2 where the processor has one. RocksDB
// as Debian builds it computes it by table only, an eighth of the time of a commit: where its archive is linked, the linker
// hands its calls to this one (cmake/packages.cmake). Pure, any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace racewatch::base {

// The checksum of what `crc` is the checksum of, followed by `data`.
uint32_t Crc32c(std::string_view data, uint32_t crc = 0);

// The same by table, as on processors without the instruction.
uint32_t Crc32cByTable(std::string_view data, uint32_t crc = 0);

}  // namespace racewatch::base
