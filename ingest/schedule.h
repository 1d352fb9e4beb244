// What to fetch when: a time-ordered queue of work (feeds and pages, by number) behind a gate that keeps
// requests to one host, and to one registrable domain, apart. Owned by the loop thread. Deterministic: work
// due at the same time comes out in the order of its numbers. Times are those of the role's clock.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <queue>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"

namespace racewatch::ingest {

// Hands out start times per host: `spacing_ms` apart on one host, half of that on one registrable domain.
class HostGate {
 public:
  explicit HostGate(int64_t spacing_ms, int64_t loopback_spacing_ms = 0);

  // The earliest time from `now_ms` on at which a request to `host` may start; the slot is taken.
  base::UnixMs Reserve(const std::string& host, base::UnixMs now_ms);

  // No request to `host` starts before `until_ms` (Retry-After).
  void Hold(const std::string& host, base::UnixMs until_ms);
  base::UnixMs HeldUntil(const std::string& host) const;

 private:
  struct Host {
    base::UnixMs next_ms = 0;
    base::UnixMs held_until_ms = 0;
    int64_t spacing_ms = 0;
    std::string domain;
  };
  Host& Get(const std::string& host);
  void Forget(base::UnixMs now_ms);  // hosts without an open slot, once there are many

  const int64_t spacing_ms_;
  const int64_t loopback_spacing_ms_;
  std::unordered_map<std::string, Host> hosts_;
  std::unordered_map<std::string, base::UnixMs> domain_next_ms_;
};

class Schedule {
 public:
  static constexpr base::UnixMs kNever = std::numeric_limits<base::UnixMs>::max();

  explicit Schedule(HostGate& gate) : gate_(gate) {}

  // `host` empty: no gate (files). The same work may not be in the queue twice.
  void Add(uint64_t work, std::string host, base::UnixMs due_ms);

  // The next piece of work that may start now, if any.
  std::optional<uint64_t> Pop(base::UnixMs now_ms);

  // When Pop may next have something; kNever when empty.
  base::UnixMs next_ms() const { return queue_.empty() ? kNever : queue_.top().due_ms; }
  size_t size() const { return queue_.size(); }

 private:
  struct Entry {
    base::UnixMs due_ms;
    uint64_t work;
    std::string host;
    bool has_slot;
    bool operator>(const Entry& other) const {
      return due_ms != other.due_ms ? due_ms > other.due_ms : work > other.work;
    }
  };
  HostGate& gate_;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> queue_;
};

}  // namespace racewatch::ingest
