#include "tests/store/killed_child.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace racewatch::store {

bool RunAndKill(std::vector<std::string> argv, int rounds, unsigned later_us) {
  int ends[2];
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDIN_FILENO);
    std::vector<char*> words;
    for (std::string& word : argv) words.push_back(word.data());
    words.push_back(nullptr);
    execv(words[0], words.data());
    _exit(127);
  }
  close(ends[1]);
  char c = 0;
  bool killed = false;
  for (int seen = 0; !killed && recv(ends[0], &c, 1, 0) == 1;) {
    ++seen;
    if (send(ends[0], &c, 1, MSG_NOSIGNAL) != 1) break;
    if (seen < rounds) continue;
    usleep(later_us);
    kill(child, SIGKILL);
    killed = true;
  }
  close(ends[0]);
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  if (killed && WIFSIGNALED(status)) return true;
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "status " << status;
  return false;
}

}  // namespace racewatch::store
