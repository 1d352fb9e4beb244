#include "cli/demo_driver.h"

#include <algorithm>

#include "base/pause.h"

namespace racewatch::cli {
namespace {

// Idle must be said this often in a row: between two stages a record is in nobody's hand for an instant.
constexpr int kIdleAnswers = 2;

}  // namespace

DemoDriver::DemoDriver(Options options, base::SteppedClock& clock, std::function<bool()> idle, std::function<void()> on_end)
    : options_(options), clock_(clock), idle_(std::move(idle)), on_end_(std::move(on_end)) {}

DemoDriver::~DemoDriver() { (void)Stop(std::chrono::milliseconds(0)); }

base::Status DemoDriver::Start() {
  thread_ = std::jthread([this](std::stop_token stop) { Drive(stop); });
  return {};
}

base::Status DemoDriver::Stop(std::chrono::milliseconds) {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
  return {};
}

void DemoDriver::Drive(std::stop_token stop) {
  const auto real_start = std::chrono::steady_clock::now();
  for (base::UnixMs now = options_.start_ms;; now = std::min(now + options_.step_ms, options_.end_ms)) {
    clock_.Set(now);
    for (int answers = 0; answers < kIdleAnswers && !stop.stop_requested();) {
      base::PauseFor(std::chrono::microseconds(500), stop);
      answers = idle_() ? answers + 1 : 0;
    }
    if (options_.speed > 0) {
      const std::chrono::duration<double, std::milli> due((now - options_.start_ms) / options_.speed);
      const auto left = real_start + std::chrono::duration_cast<std::chrono::nanoseconds>(due) - std::chrono::steady_clock::now();
      if (left.count() > 0) base::PauseFor(left, stop);
    }
    if (stop.stop_requested()) return;
    if (now >= options_.end_ms) break;
  }
  on_end_();
}

}  // namespace racewatch::cli
