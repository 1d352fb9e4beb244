#include "store/migrations.h"

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "store/article_row.h"
#include "store/codec.h"
#include "store/position_row.h"
#include "store/progress.h"

namespace racewatch::store {
namespace {

constexpr size_t kRowsPerCommit = 2000;
constexpr char kSchemaKey[] = "schema";

std::string Number(uint64_t n) {
  std::string out;
  AppendVarint(&out, n);
  return out;
}

// Version 1 kept one progress row for the whole store, and a feed row was known by its sequence alone.
base::Status FeedRowsGetVersions(Engine& engine) {
  std::string from;
  for (bool more = true; more;) {
    Batch batch;
    more = false;
    RW_RETURN_IF_ERROR(engine.Scan(Table::kFeed, from, "", false, [&](std::string_view key, std::string_view value) {
      if (batch.writes().size() == kRowsPerCommit) return more = true, false;
      from = std::string(key);
      if (value.size() == sizeof(ArticleId))
        batch.Put(Table::kFeed, from, FeedRow{std::string(value), Reader(key).Big<uint64_t>()}.Encode());
      return true;
    }));
    RW_RETURN_IF_ERROR(engine.Commit(batch));
  }
  return {};
}

base::Status ProgressIsKeptByPartition(Engine& engine) {
  RW_ASSIGN_OR_RETURN(const auto stored, engine.Get(Table::kMeta, "progress"));
  if (!stored) return {};
  Reader in(*stored);
  Progress progress;
  const uint64_t version = in.Varint();
  const uint64_t feed_sequence = in.Varint();
  progress.stream_ms = in.Signed();
  progress.first_hour = static_cast<uint32_t>(in.Varint());
  const auto first_open_day = static_cast<uint32_t>(in.Varint());
  (void)in.Varint();  // articles counted, which the windows say as well
  progress.model_version = std::string(in.Text());
  if (!in.ok() || version != 1) return base::DataLoss("progress row: damaged");
  progress.NoteUnknown();
  Batch batch;
  batch.Put(Table::kMeta, ProgressKey({"", 0}), progress.Encode());
  batch.Put(Table::kMeta, std::string(kFrozenKey), EncodeFrozen(first_open_day));
  for (const Table table : {Table::kFeed, Table::kStoryQueue}) batch.Put(Table::kMeta, LastKey(table), Number(feed_sequence));
  batch.Delete(Table::kMeta, "progress");
  return engine.Commit(batch);
}

base::Status From1To2(Engine& engine) {
  RW_RETURN_IF_ERROR(FeedRowsGetVersions(engine));
  return ProgressIsKeptByPartition(engine);
}

// Rows of articles and stories may hold saved queries, which an older build would call damage; those without them are read
// as they are.
base::Status From2To3(Engine&) { return {}; }

// Without a second generation all rows stay where they are; an older build would overlook one.
base::Status From3To4(Engine&) { return {}; }

// Which articles led the stories of days that are frozen already is not known any more.
base::Status From4To5(Engine& engine) {
  RW_ASSIGN_OR_RETURN(const auto frozen, engine.Get(Table::kMeta, kFrozenKey));
  if (!frozen) return {};
  Batch batch;
  batch.Put(Table::kMeta, std::string(kLeadsKey), *frozen);
  return engine.Commit(batch);
}

// An older build would leave corrections out of a backup and the texts of a takedown in them.
base::Status From5To6(Engine&) { return {}; }

// The step that leads from version i + 1 to i + 2.
constexpr std::array<base::Status (*)(Engine&), kSchemaVersion - 1> kSteps = {From1To2, From2To3, From3To4, From4To5, From5To6};

base::Status SetVersion(Engine& engine, uint64_t version) {
  Batch batch;
  batch.Put(Table::kMeta, kSchemaKey, Number(version));
  return engine.Commit(batch);
}

}  // namespace

base::Status Migrate(Engine& engine) {
  RW_ASSIGN_OR_RETURN(const auto stored, engine.Get(Table::kMeta, kSchemaKey));
  if (!stored) return SetVersion(engine, kSchemaVersion);
  const uint64_t version = Reader(*stored).Varint();
  if (version == 0) return base::DataLoss("schema row: damaged");
  if (version > kSchemaVersion)
    return base::FailedPrecondition("written by a newer racewatch (schema " + std::to_string(version) + ", this build knows " +
                                    std::to_string(kSchemaVersion) + ")");
  for (uint64_t v = version; v < kSchemaVersion; ++v) {
    RW_RETURN_IF_ERROR(kSteps[v - 1](engine));
    RW_RETURN_IF_ERROR(SetVersion(engine, v + 1));
  }
  return {};
}

}  // namespace racewatch::store
