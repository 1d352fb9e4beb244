#include "base/disk_space.h"

#include <sys/statvfs.h>

namespace racewatch::base {

Status RequireSpace(const std::string& dir, uint64_t bytes, std::string_view what) {
  struct statvfs disk;
  if (statvfs(dir.c_str(), &disk) != 0) return {};
  const uint64_t free = uint64_t{disk.f_bavail} * disk.f_frsize;
  if (free >= bytes) return {};
  return Unavailable(std::string(what) + ": the disk of " + dir + " is full: " + std::to_string(free >> 20) + " MiB free, " +
                     std::to_string((bytes + (1u << 20) - 1) >> 20) + " MiB needed");
}

}  // namespace racewatch::base
