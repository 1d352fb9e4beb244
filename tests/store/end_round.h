// What a helper process that is killed in mid-work says to its test (killed_child.h).
#pragma once

#include <sys/socket.h>
#include <unistd.h>

namespace racewatch::store {

// Tells the test that a round is done and waits for its leave to go on. Started by hand (standard input is not the test's
// socket), it returns at once.
inline void EndRound() {
  char c = '.';
  if (send(STDIN_FILENO, &c, 1, MSG_NOSIGNAL) == 1) (void)recv(STDIN_FILENO, &c, 1, 0);
}

}  // namespace racewatch::store
