// A child process of a system test: started with its own log file, killed or stopped by pid, and never
// left behind. Not thread-safe.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

namespace racewatch::system_test {

class ChildProcess {
 public:
  // Starts argv[0]; standard output and error go to `log_path` (appended).
  ChildProcess(std::vector<std::string> argv, std::string log_path);
  ~ChildProcess();  // SIGKILL if it still runs
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  bool running();
  void Kill();  // SIGKILL, and waits
  // SIGTERM, waits, SIGKILL after `timeout`. The exit code, or 128 + signal.
  int Stop(std::chrono::seconds timeout = std::chrono::seconds(35));
  int exit_code() const { return exit_code_; }  // after it ended
  pid_t pid() const { return pid_; }
  const std::string& log_path() const { return log_path_; }

 private:
  bool Reap(bool block);

  const std::string log_path_;
  pid_t pid_ = -1;
  bool ended_ = false;
  int exit_code_ = -1;
};

// Runs to its end; standard output in `out` (may be null). The exit code.
int RunToEnd(const std::vector<std::string>& argv, std::string* out);

// A TCP port of 127.0.0.1 that was free a moment ago.
int FreePort();

// Body of GET http://127.0.0.1:PORT/PATH, empty when there is no 200.
std::string HttpGet(int port, const std::string& path);

}  // namespace racewatch::system_test
