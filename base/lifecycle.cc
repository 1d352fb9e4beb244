#include "base/lifecycle.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/pause.h"

namespace racewatch::base {
namespace {

constexpr auto kDrainTimeout = std::chrono::seconds(30);

sigset_t StopSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

}  // namespace

struct Lifecycle::Impl {
  explicit Impl(Log& l) : log(l) {}

  Status StartAll() {
    for (Component* component : components) {
      if (Status status = component->Start(); !status.ok()) {
        log.Error("start_failed", {{"component", component->name()}, {"error", status.message()}});
        return status;
      }
      ++started;
      log.Debug("component_started", {{"component", component->name()}});
    }
    return {};
  }

  Status StopAll() {
    const auto deadline = std::chrono::steady_clock::now() + kDrainTimeout;
    Status first;
    while (started > 0) {
      Component* component = components[--started];
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
      Status status = component->Stop(std::max(left, std::chrono::milliseconds(100)));
      if (status.ok()) continue;
      log.Error("stop_failed", {{"component", component->name()}, {"error", status.message()}});
      if (first.ok()) first = status;
    }
    return first;
  }

  // Waits for signals on a thread of its own: a handler could do almost nothing safely.
  void WatchSignals(std::stop_token stop) {
    const sigset_t set = StopSignals();
    int seen = 0;
    while (!stop.stop_requested()) {
      const timespec wait{0, 100'000'000};
      const int signal = sigtimedwait(&set, nullptr, &wait);
      if (signal <= 0) continue;
      if (++seen > 1) {
        log.Warn("stop_forced", {{"signal", signal}});
        _exit(128 + signal);
      }
      log.Info("stop_requested", {{"signal", signal}});
      const std::scoped_lock lock(mutex);
      if (!reason) reason = Status::Ok();
      changed.notify_all();
    }
  }

  // Draining is bounded from outside: a component that hangs must not keep a dead process alive.
  void Watchdog(std::stop_token stop) {
    PauseFor(kDrainTimeout + std::chrono::seconds(2), stop);
    if (stop.stop_requested()) return;
    log.Error("drain_timeout", {{"seconds", static_cast<int64_t>(kDrainTimeout.count())}});
    _exit(70);
  }

  Log& log;
  std::vector<Component*> components;
  size_t started = 0;
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<Status> reason;
  std::atomic<bool> running = false;
};

Lifecycle::Lifecycle(Log& log) : impl_(std::make_unique<Impl>(log)) {
  const sigset_t set = StopSignals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
}
Lifecycle::~Lifecycle() = default;

void Lifecycle::Add(Component& component) { impl_->components.push_back(&component); }

void Lifecycle::RequestStop(Status reason) {
  const std::scoped_lock lock(impl_->mutex);
  if (!impl_->reason || impl_->reason->ok()) impl_->reason = std::move(reason);
  impl_->changed.notify_all();
}

bool Lifecycle::running() const { return impl_->running; }

Status Lifecycle::Run() {
  std::jthread signals([this](std::stop_token stop) { impl_->WatchSignals(stop); });
  Status result = impl_->StartAll();
  if (result.ok()) {
    impl_->running = true;
    std::unique_lock lock(impl_->mutex);
    impl_->changed.wait(lock, [this] { return impl_->reason.has_value(); });
    result = *impl_->reason;
    impl_->running = false;
  }
  std::jthread watchdog([this](std::stop_token stop) { impl_->Watchdog(stop); });
  const Status stopped = impl_->StopAll();
  return result.ok() ? stopped : result;
}

}  // namespace racewatch::base
