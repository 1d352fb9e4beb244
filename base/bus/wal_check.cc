#include "base/bus/wal_check.h"

#include <filesystem>
#include <fstream>
#include <system_error>

#include "base/crc32c.h"

namespace racewatch::base {

namespace {

constexpr size_t kBlockBytes = 32768;
constexpr size_t kHeaderBytes = 7;  // checksum 4, length 2, type 1; little-endian
constexpr unsigned char kTypeMax =
    4;  // full, first, middle, last; we use neither recycling nor compression
constexpr uint32_t kMaskDelta = 0xa282ead8;

uint32_t Little(std::string_view bytes, size_t at, size_t count) {
  uint32_t value = 0;
  for (size_t i = count; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

uint32_t Unmask(uint32_t masked) {
  const uint32_t rotated = masked - kMaskDelta;
  return rotated >> 17 | rotated << 15;
}

// Whether the checksum fits type and payload at any length that is there.
bool CompleteAtSomeLength(std::string_view record) {
  const uint32_t wanted = Unmask(Little(record, 0, 4));
  uint32_t crc = Crc32c(record.substr(6, 1));
  for (size_t i = kHeaderBytes; i < record.size(); ++i) {
    if (crc == wanted) return true;
    crc = Crc32c(record.substr(i, 1), crc);
  }
  return crc == wanted;
}

}  // namespace

bool WalBlockIsSound(std::string_view block) {
  while (block.size() >= kHeaderBytes) {
    const size_t length = Little(block, 4, 2);
    const bool empty = length == 0 && block[6] == 0;  // preallocated space
    if (empty) return true;
    if (static_cast<unsigned char>(block[6]) > kTypeMax) return false;
    if (kHeaderBytes + length > block.size()) return !CompleteAtSomeLength(block);
    block.remove_prefix(kHeaderBytes + length);
  }
  return true;
}

namespace {

Status CheckWal(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string block(kBlockBytes, '\0');
  while (file) {
    file.read(block.data(), kBlockBytes);
    if (!WalBlockIsSound({block.data(), static_cast<size_t>(file.gcount())}))
      return DataLoss("embedded log: " + path.string() + ": a record is damaged");
  }
  if (!file.eof()) return Unavailable("embedded log: read " + path.string() + " failed");
  return Status::Ok();
}

}  // namespace

Status CheckWals(const std::string& dir) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(dir, error))
    if (entry.path().extension() == ".log") RW_RETURN_IF_ERROR(CheckWal(entry.path()));
  return Status::Ok();
}

}  // namespace racewatch::base
