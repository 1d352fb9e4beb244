#include "ingest/schedule.h"

#include <algorithm>

#include "base/http_client.h"
#include "ingest/url.h"

namespace racewatch::ingest {
namespace {

constexpr size_t kHostsKept = 100'000;

}  // namespace

HostGate::HostGate(int64_t spacing_ms, int64_t loopback_spacing_ms)
    : spacing_ms_(spacing_ms), loopback_spacing_ms_(loopback_spacing_ms) {}

HostGate::Host& HostGate::Get(const std::string& host) {
  const auto it = hosts_.find(host);
  if (it != hosts_.end()) return it->second;
  Host& added = hosts_[host];
  const std::string name = host.substr(0, host.starts_with('[') ? host.find(']') + 1 : host.find(':'));
  added.spacing_ms = base::IsLoopbackUrl("http://" + name + "/") ? loopback_spacing_ms_ : spacing_ms_;
  added.domain = RegistrableDomain(name);
  return added;
}

base::UnixMs HostGate::Reserve(const std::string& host, base::UnixMs now_ms) {
  if (hosts_.size() > kHostsKept) Forget(now_ms);
  Host& h = Get(host);
  if (h.spacing_ms == 0) return std::max(now_ms, h.held_until_ms);
  base::UnixMs& domain_next = domain_next_ms_[h.domain];
  const base::UnixMs slot = std::max({now_ms, h.next_ms, h.held_until_ms, domain_next});
  h.next_ms = slot + h.spacing_ms;
  domain_next = slot + h.spacing_ms / 2;
  return slot;
}

void HostGate::Forget(base::UnixMs now_ms) {
  std::erase_if(hosts_, [now_ms](const auto& e) { return e.second.next_ms <= now_ms && e.second.held_until_ms <= now_ms; });
  std::erase_if(domain_next_ms_, [now_ms](const auto& e) { return e.second <= now_ms; });
}

void HostGate::Hold(const std::string& host, base::UnixMs until_ms) {
  Host& h = Get(host);
  h.held_until_ms = std::max(h.held_until_ms, until_ms);
}

base::UnixMs HostGate::HeldUntil(const std::string& host) const {
  const auto it = hosts_.find(host);
  return it == hosts_.end() ? 0 : it->second.held_until_ms;
}

void Schedule::Add(uint64_t work, std::string host, base::UnixMs due_ms) {
  queue_.push({due_ms, work, std::move(host), false});
}

std::optional<uint64_t> Schedule::Pop(base::UnixMs now_ms) {
  while (!queue_.empty() && queue_.top().due_ms <= now_ms) {
    Entry entry = queue_.top();
    queue_.pop();
    if (entry.host.empty()) return entry.work;
    const bool may_start = entry.has_slot && gate_.HeldUntil(entry.host) <= now_ms;
    if (may_start) return entry.work;
    entry.due_ms = gate_.Reserve(entry.host, now_ms);
    if (entry.due_ms <= now_ms) return entry.work;
    entry.has_slot = true;
    queue_.push(std::move(entry));
  }
  return std::nullopt;
}

}  // namespace racewatch::ingest
