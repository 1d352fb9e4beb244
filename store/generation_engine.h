// One generation as if it were the only one. Articles, details, times, stories and counts exist once per generation: those
// of generation 0 in their own tables, those of the others in Table::kGeneration. Everything else is shared: addresses,
// feed, story members and leads, alerts, positions, and the counts of first taggings, which a re-tag does not touch. Code that works
// on an Engine or a View works on either without knowing which.
//
// GenerationEngine is the active one. A snapshot of it shows all old or all new, never a mixture: which generation is
// active is read from the snapshot itself. Reads past a snapshot, and commits, are those of the generation as last bound;
// over an engine that others write too, a commit fails with ABORTED when the list of generations has changed since, and
// binds anew. Commit and Bind belong to one thread; the rest is safe from any. What is wrapped outlives the wrapper.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "store/engine.h"
#include "store/generations.h"

namespace racewatch::store {

// Where a row of `table` of this generation lies.
struct Place {
  Table table;
  std::string key;
};
Place PlaceOf(uint32_t generation, Table table, std::string_view key);

class GenerationView final : public View {
 public:
  GenerationView(const View& whole, uint32_t generation) : whole_(whole), generation_(generation) {}
  GenerationView(std::unique_ptr<View> whole, uint32_t generation)
      : owned_(std::move(whole)), whole_(*owned_), generation_(generation) {}

  base::Result<std::optional<std::string>> Get(Table table, std::string_view key) const override;
  base::Result<std::vector<std::optional<std::string>>> MultiGet(
      Table table, const std::vector<std::string_view>& keys) const override;
  // Of windows, without those of first taggings for generations above 0.
  base::Status Scan(Table table, std::string_view begin, std::string_view end, bool reverse,
                    const Visit& visit) const override;
  uint32_t generation() const { return generation_; }

 private:
  const std::unique_ptr<View> owned_;
  const View& whole_;
  const uint32_t generation_;
};

class GenerationEngine final : public Engine {
 public:
  explicit GenerationEngine(Engine& whole) : whole_(whole) {}

  // Reads the list of generations. Before first use and whenever it may have changed.
  base::Status Bind();
  const Generations& generations() const { return bound_; }  // the thread of Bind
  Engine& mutable_whole() { return whole_; }

  base::Result<std::optional<std::string>> Get(Table table, std::string_view key) const override;
  base::Result<std::vector<std::optional<std::string>>> MultiGet(
      Table table, const std::vector<std::string_view>& keys) const override;
  base::Status Scan(Table table, std::string_view begin, std::string_view end, bool reverse,
                    const Visit& visit) const override;
  base::Result<Claim> TakeClaim(const std::string& cluster_id, const base::TopicPartition& where) override {
    return whole_.TakeClaim(cluster_id, where);
  }
  base::Result<std::optional<Claim>> TakeLease(const std::string& name, const std::string& holder,
                                               std::chrono::milliseconds time) override {
    return whole_.TakeLease(name, holder, time);
  }
  bool shared() const override { return whole_.shared(); }
  uint64_t moment() const override { return whole_.moment(); }
  base::Status Commit(const Batch& batch) override { return CommitAs(batch, &Engine::Commit); }
  base::Status CommitUnsynced(const Batch& batch) override { return CommitAs(batch, &Engine::CommitUnsynced); }
  base::Status Sync() const override { return whole_.Sync(); }
  bool unsynced() const override { return whole_.unsynced(); }
  std::unique_ptr<View> Snapshot() const override;
  const Engine& whole() const override { return whole_.whole(); }

 private:
  base::Status CommitAs(const Batch& batch, base::Status (Engine::*commit)(const Batch&));

  Engine& whole_;
  std::optional<std::string> row_;  // the list as stored
  Generations bound_;
  std::atomic<uint32_t> active_ = 0;
};

// A snapshot of the newest generation of this model, whatever is active; NOT_FOUND names those that there are.
base::Result<std::unique_ptr<GenerationView>> SnapshotOfModel(const Engine& engine, const std::string& model_version);

// The first day whose stories are all counted in a generation; 0: every day. Of earlier ones, which an older build froze, only
// the first tagging (generation 0) knows stories. nullopt: the active generation.
base::Result<uint32_t> FirstDayWithStories(const View& view, std::optional<uint32_t> generation = std::nullopt);

}  // namespace racewatch::store
