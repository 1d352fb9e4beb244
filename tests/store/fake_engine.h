// An engine in memory with switches: fail a commit before or after it happened, or the sync after it; pass for a database that several
// processes share. Runs the same conformance suite as the real ones, so it cannot drift. Thread-safe.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "store/engine.h"
#include "store/failed_view.h"
#include "store/local_leases.h"
#include "store/position_row.h"

namespace racewatch::store {

class FakeEngine final : public Engine {
 public:
  enum class Fault { kNone, kBeforeCommit, kAfterCommit, kUnknown };
  // The next commit fails: with UNAVAILABLE and nothing written, or (as when the process dies before it learns the
  // result) with INTERNAL and everything written, or (as when the connection is lost) with UNAVAILABLE and everything
  // written.
  void FailNext(Fault fault) { fault_ = fault; }
  // So many syncs fail with UNAVAILABLE.
  void FailSyncs(int times) {
    const std::scoped_lock lock(mutex_);
    syncs_to_fail_ = times;
  }
  // As if every holder of a lease had been silent for too long.
  void ExpireLeases() {
    const std::scoped_lock lock(mutex_);
    leases_.ExpireAll();
  }
  // Every question for a lease fails from now on.
  void CutLeases() { leases_cut_ = true; }
  void SetShared(bool shared) { shared_ = shared; }
  bool shared() const override { return shared_; }

  base::Result<std::optional<std::string>> Get(Table table, std::string_view key) const override {
    const std::scoped_lock lock(mutex_);
    return rows_.Get(table, key);
  }
  base::Result<std::vector<std::optional<std::string>>> MultiGet(
      Table table, const std::vector<std::string_view>& keys) const override {
    const std::scoped_lock lock(mutex_);
    return rows_.MultiGet(table, keys);
  }
  base::Status Scan(Table table, std::string_view begin, std::string_view end, bool reverse,
                    const Visit& visit) const override {
    const std::scoped_lock lock(mutex_);  // `visit` may read from here
    return rows_.Scan(table, begin, end, reverse, visit);
  }
  std::unique_ptr<View> Snapshot() const override {
    const std::scoped_lock lock(mutex_);
    if (const base::Status synced = Sync(); !synced.ok()) return std::make_unique<FailedView>(synced);
    return std::make_unique<Rows>(rows_);
  }

  base::Result<Claim> TakeClaim(const std::string& cluster_id, const base::TopicPartition& where) override {
    const std::scoped_lock lock(mutex_);
    PositionRow row;
    std::string& stored = rows_.map[{Table::kPosition, PositionKey(cluster_id, where)}];
    if (!stored.empty() && !PositionRow::Decode(stored, &row)) return base::DataLoss("position row damaged");
    ++row.epoch;
    stored = row.Encode();
    return Claim{cluster_id, where, row.epoch, row.next_offset};
  }

  base::Result<std::optional<Claim>> TakeLease(const std::string& name, const std::string& holder,
                                               std::chrono::milliseconds time) override {
    if (leases_cut_) return base::Unavailable("the database is away");
    const std::scoped_lock lock(mutex_);
    return leases_.Take(name, holder, time, [this](const base::TopicPartition& where) { return TakeClaim("", where); });
  }

  base::Status CommitUnsynced(const Batch& batch) override {
    const std::scoped_lock lock(mutex_);
    RW_RETURN_IF_ERROR(Commit(batch));
    unsynced_ = true;
    return {};
  }
  base::Status Sync() const override {
    const std::scoped_lock lock(mutex_);
    if (unsynced_ && syncs_to_fail_ > 0) return --syncs_to_fail_, base::Unavailable("fault at the sync");
    unsynced_ = false;
    return {};
  }
  bool unsynced() const override {
    const std::scoped_lock lock(mutex_);
    return unsynced_;
  }

  base::Status Commit(const Batch& batch) override {
    const std::scoped_lock lock(mutex_);
    RW_RETURN_IF_ERROR(Sync());
    const Fault fault = std::exchange(fault_, Fault::kNone);
    if (fault == Fault::kBeforeCommit) return base::Unavailable("fault before commit");
    Rows next = rows_;
    RW_RETURN_IF_ERROR(WriteTo(batch, &next));
    rows_ = std::move(next);
    if (fault == Fault::kAfterCommit) return base::Internal("fault after commit");
    if (fault == Fault::kUnknown) return base::Unavailable("fault after commit, the answer was lost");
    return {};
  }

 private:
  struct Rows final : View {
    std::map<std::pair<Table, std::string>, std::string> map;

    base::Result<std::optional<std::string>> Get(Table table, std::string_view key) const override {
      const auto at = map.find({table, std::string(key)});
      if (at == map.end()) return std::optional<std::string>();
      return std::optional<std::string>(at->second);
    }
    base::Result<std::vector<std::optional<std::string>>> MultiGet(
        Table table, const std::vector<std::string_view>& keys) const override {
      std::vector<std::optional<std::string>> out;
      for (const auto key : keys) out.push_back(Get(table, key).value());
      return out;
    }
    base::Status Scan(Table table, std::string_view begin, std::string_view end, bool reverse,
                      const Visit& visit) const override {
      auto low = map.lower_bound({table, std::string(begin)});
      auto high = end.empty() ? map.lower_bound({static_cast<Table>(static_cast<int>(table) + 1), ""})
                              : map.lower_bound({table, std::string(end)});
      if (!reverse) {
        for (auto at = low; at != high; ++at)
          if (!visit(at->first.second, at->second)) break;
        return {};
      }
      while (high != low) {
        --high;
        if (!visit(high->first.second, high->second)) break;
      }
      return {};
    }
  };

  static base::Status WriteTo(const Batch& batch, Rows* rows) {
    for (const auto& owner : batch.owners()) {
      PositionRow row;
      std::string& stored = rows->map[{Table::kPosition, PositionKey(owner.claim.cluster_id, owner.claim.where)}];
      if (!PositionRow::Decode(stored, &row)) return base::DataLoss("position row missing");
      if (row.epoch != owner.claim.epoch) return base::FailedPrecondition("fenced");
      if (owner.next_offset >= 0) row.next_offset = owner.next_offset;
      stored = row.Encode();
    }
    for (const auto& expected : batch.expectations())
      if (rows->Get(expected.table, expected.key).value() != expected.value) return base::Aborted("a row has changed");
    for (const auto& [table, value] : batch.appends()) {
      std::string& last = rows->map[{Table::kMeta, LastKey(table)}];
      const uint64_t number = (last.empty() ? 0 : Reader(last).Varint()) + 1;
      last.clear();
      AppendVarint(&last, number);
      std::string key;
      AppendBig(&key, number);
      rows->map[{table, key}] = value;
    }
    CountLedger ledger;
    RW_RETURN_IF_ERROR(ledger.Apply(
        batch.counts(), [&](CountLedger::Kind kind, std::string_view key) { return rows->Get(TableOf(kind), key); },
        [&](CountLedger::Kind kind, std::string_view key, std::string_view value) {
          if (value.empty()) rows->map.erase({TableOf(kind), std::string(key)});
          else rows->map[{TableOf(kind), std::string(key)}] = std::string(value);
        }));
    for (const auto& write : batch.writes()) {
      if (write.kind == Write::Kind::kPut) rows->map[{write.table, write.key}] = write.value;
      if (write.kind == Write::Kind::kDelete) rows->map.erase({write.table, write.key});
      if (write.kind == Write::Kind::kDeleteRange)
        rows->map.erase(rows->map.lower_bound({write.table, write.key}), rows->map.lower_bound({write.table, write.value}));
    }
    return {};
  }

  mutable std::recursive_mutex mutex_;
  Rows rows_;
  LocalLeases leases_;
  Fault fault_ = Fault::kNone;
  mutable int syncs_to_fail_ = 0;
  mutable bool unsynced_ = false;
  bool shared_ = false;
  std::atomic<bool> leases_cut_ = false;
};

}  // namespace racewatch::store
