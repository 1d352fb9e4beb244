#include "store/leader.h"

#include <algorithm>
#include <utility>

#include "base/pause.h"

namespace racewatch::store {
namespace {

// Tries per lease: two may fail before it runs out. Who follows asks more often: a lease may be given back.
constexpr int kTriesPerLease = 4;
constexpr std::chrono::milliseconds kFollowEvery{500};

}  // namespace

LeaderKeeper::LeaderKeeper(Engine& engine, std::string holder, std::chrono::milliseconds lease, base::Log& log)
    : engine_(engine), holder_(std::move(holder)), lease_(lease), log_(log), thread_([this](const std::stop_token& stop) { Keep(stop); }) {}

LeaderKeeper::~LeaderKeeper() {
  thread_.request_stop();
  thread_.join();
  if (claim()) (void)engine_.TakeLease(kLeaderName, holder_, std::chrono::milliseconds(0));
}

std::optional<Claim> LeaderKeeper::claim() const {
  const std::scoped_lock lock(mutex_);
  return claim_ && std::chrono::steady_clock::now() < ends_ ? claim_ : std::nullopt;
}

void LeaderKeeper::Keep(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    // Counted from before the question, so that our clock never says longer than the database's.
    const auto asked = std::chrono::steady_clock::now();
    auto taken = engine_.TakeLease(kLeaderName, holder_, lease_);
    if (!taken.ok()) log_.RateLimited(base::LogLevel::kWarn, "lease_not_kept", {{"why", taken.status().message()}});
    auto pause = lease_ / kTriesPerLease;
    {
      const std::scoped_lock lock(mutex_);
      if (taken.ok()) {
        const bool led = claim_.has_value(), leads = taken->has_value();
        claim_ = std::move(taken).value();
        ends_ = asked + lease_;
        if (led != leads) log_.Info(leads ? "leads" : "follows", {{"epoch", leads ? claim_->epoch : 0}});
      }
      if (!claim_) pause = std::min(pause, kFollowEvery);
    }
    base::PauseFor(pause, stop);
  }
}

}  // namespace racewatch::store
