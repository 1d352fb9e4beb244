// A disk that is soon full: a small tmpfs of the test's own, in a process of its own (a mount stays in its namespace, and
// RocksDB's threads do not live on in a forked process). Not thread-safe.
#pragma once

#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace racewatch::fakes {

// What the process answers without the right to mount; it is then skipped, by name.
inline constexpr int kNoMount = 77;

// Starts this test binary again for the one test of `filter` with a tmpfs of `size` ("12m") on `dir`; there it calls `inside`
// and ends with its answer. Returns the answer, or 128 + the signal that ended it.
template <typename Inside>
int OnSmallDisk(const std::string& dir, const std::string& size, const std::string& filter, Inside inside) {
  if (const char* mine = std::getenv("RACEWATCH_SMALL_DISK")) {
    if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) _exit(kNoMount);
    if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) _exit(kNoMount);
    if (mount("tmpfs", mine, "tmpfs", 0, ("size=" + size).c_str()) != 0) _exit(kNoMount);
    _exit(inside(std::string(mine)));
  }
  const pid_t child = fork();
  if (child == 0) {
    setenv("RACEWATCH_SMALL_DISK", dir.c_str(), 1);
    execl("/proc/self/exe", "test", ("--gtest_filter=" + filter).c_str(), nullptr);
    _exit(127);
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child) return 127;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace racewatch::fakes
