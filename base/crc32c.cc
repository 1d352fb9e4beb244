#include "base/crc32c.h"

#include <array>
#include <cstddef>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace racewatch::base {
namespace {

constexpr std::array<uint32_t, 256> CrcTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
    table[i] = crc;
  }
  return table;
}

#if defined(__x86_64__)
[[gnu::target("sse4.2")]] uint32_t Crc32cByInstruction(std::string_view data, uint32_t crc) {
  const char* at = data.data();
  const char* const end = at + data.size();
  uint64_t state = ~crc;
  for (; end - at >= 8; at += 8) {
    uint64_t word;
    std::memcpy(&word, at, sizeof word);
    state = _mm_crc32_u64(state, word);
  }
  auto rest = static_cast<uint32_t>(state);
  for (; at != end; ++at) rest = _mm_crc32_u8(rest, static_cast<unsigned char>(*at));
  return ~rest;
}
#endif

}  // namespace

uint32_t Crc32cByTable(std::string_view data, uint32_t crc) {
  static constexpr std::array<uint32_t, 256> kTable = CrcTable();
  crc = ~crc;
  for (const char c : data) crc = kTable[(crc ^ static_cast<unsigned char>(c)) & 0xff] ^ crc >> 8;
  return ~crc;
}

uint32_t Crc32c(std::string_view data, uint32_t crc) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("sse4.2")) return Crc32cByInstruction(data, crc);
#endif
  return Crc32cByTable(data, crc);
}

// What the linker calls in place of rocksdb::crc32c::Extend.
uint32_t ExtendForRocksDb(uint32_t crc, const char* data, size_t bytes) asm("__wrap__ZN7rocksdb6crc32c6ExtendEjPKcm");
uint32_t ExtendForRocksDb(uint32_t crc, const char* data, size_t bytes) { return Crc32c({data, bytes}, crc); }

}  // namespace racewatch::base
