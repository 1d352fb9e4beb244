#include "tests/store/killed_child.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace racewatch::store {

bool RunAndKill(std::vector<std::string> argv, int rounds, unsigned later_us) {
  int out[2];
  EXPECT_EQ(pipe(out), 0);
  const pid_t child = fork();
  if (child == 0) {
    dup2(out[1], STDOUT_FILENO);
    close(out[0]);
    close(out[1]);
    std::vector<char*> words;
    for (std::string& word : argv) words.push_back(word.data());
    words.push_back(nullptr);
    execv(words[0], words.data());
    _exit(127);
  }
  close(out[1]);
  char c = 0;
  bool killed = false;
  for (int seen = 0; read(out[0], &c, 1) == 1;) {
    if (c != '.' || ++seen != rounds) continue;
    usleep(later_us);
    kill(child, SIGKILL);
    killed = true;
    break;
  }
  close(out[0]);
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  if (killed) return WIFSIGNALED(status);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "status " << status;
  return false;
}

}  // namespace racewatch::store
