#include "tests/fakes/loopback_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

namespace racewatch::fakes {

LoopbackServer::LoopbackServer() : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  bind(listener_, raw, length);
  listen(listener_, 128);
  getsockname(listener_, raw, &length);
  port_ = ntohs(address.sin_port);
}

LoopbackServer::~LoopbackServer() {
  Stop();
  close(listener_);
}

void LoopbackServer::Start(std::function<void(int fd)> talk) {
  talk_ = std::move(talk);
  acceptor_ = std::thread([this] { Accept(); });
}

void LoopbackServer::Stop() {
  if (!acceptor_.joinable()) return;
  stop_ = true;
  shutdown(listener_, SHUT_RDWR);  // wakes the acceptor
  acceptor_.join();
  {
    const std::lock_guard lock(mutex_);
    for (const int fd : open_) shutdown(fd, SHUT_RDWR);
  }
  for (std::thread& thread : threads_) thread.join();
}

void LoopbackServer::Accept() {
  while (!stop_) {
    pollfd wait{listener_, POLLIN, 0};
    if (poll(&wait, 1, -1) <= 0) continue;
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    const int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    ++connections_;
    const std::lock_guard lock(mutex_);
    open_.insert(fd);
    threads_.emplace_back([this, fd] {
      talk_(fd);
      const std::lock_guard ended(mutex_);
      open_.erase(fd);
      close(fd);
    });
  }
}

}  // namespace racewatch::fakes
