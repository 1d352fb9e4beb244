// Leases of an engine whose state only one process can open: held by name in memory, fenced by the same claims as a
// partition's. Not thread-safe; its engine guards it.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "store/engine.h"

namespace racewatch::store {

class LocalLeases {
 public:
  using TakeClaim = std::function<base::Result<Claim>(const base::TopicPartition&)>;

  base::Result<std::optional<Claim>> Take(const std::string& name, const std::string& holder,
                                          std::chrono::milliseconds time, const TakeClaim& take_claim) {
    const auto now = std::chrono::steady_clock::now();
    Lease& lease = leases_[name];
    if (lease.holder != holder) {
      if (!lease.holder.empty() && now < lease.expires) return std::optional<Claim>();
      RW_ASSIGN_OR_RETURN(lease.claim, take_claim({name, 0}));
      lease.holder = holder;
    }
    lease.expires = now + time;
    return std::optional<Claim>(lease.claim);
  }
  void ExpireAll() {
    for (auto& [name, lease] : leases_) lease.expires = {};
  }

 private:
  struct Lease {
    std::string holder;
    Claim claim;
    std::chrono::steady_clock::time_point expires;
  };
  std::map<std::string, Lease> leases_;
};

}  // namespace racewatch::store
