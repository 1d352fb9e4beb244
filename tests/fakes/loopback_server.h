// What the test servers share: a free loopback port and a thread per connection. RAII: the port is free and every thread gone
// after Stop or the destructor, whatever a connection waits for.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

namespace racewatch::fakes {

class LoopbackServer {
 public:
  LoopbackServer();  // listens; connections wait until Start
  ~LoopbackServer();
  LoopbackServer(const LoopbackServer&) = delete;
  LoopbackServer& operator=(const LoopbackServer&) = delete;

  // `talk` runs once per connection, in its own thread, and returns when the connection is over; the socket is closed then.
  void Start(std::function<void(int fd)> talk);
  // Ends every connection and waits for its thread. Twice does nothing.
  void Stop();

  int port() const { return port_; }
  int connections() const { return connections_; }  // accepted so far
  bool stopping() const { return stop_; }

 private:
  void Accept();

  int listener_ = -1;
  int port_ = 0;
  std::function<void(int fd)> talk_;
  std::atomic<bool> stop_ = false;
  std::atomic<int> connections_ = 0;
  std::mutex mutex_;
  std::set<int> open_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace racewatch::fakes
