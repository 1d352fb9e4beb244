#include "store/pg_tables.h"

#include <zstd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>

namespace racewatch::store {
namespace {

struct Shape {
  Table table;
  const char* name;
  bool rewritten;  // rows change in place: pages keep room for that
};
constexpr std::array kShapes = {
    Shape{Table::kMeta, "meta", true},          Shape{Table::kPosition, "position", true},
    Shape{Table::kWindow, "window_count", true}, Shape{Table::kFamily, "family_count", true},
    Shape{Table::kArticle, "article", true},    Shape{Table::kDetail, "detail", false},
    Shape{Table::kUrl, "url", false},           Shape{Table::kFeed, "feed", false},
    Shape{Table::kTime, "time", false},         Shape{Table::kTrail, "trail", false},
    Shape{Table::kStoryQueue, "story_queue", false}, Shape{Table::kStory, "story", true},
    Shape{Table::kStoryMember, "story_member", false}, Shape{Table::kStoryTime, "story_time", false},
    Shape{Table::kStoryEntry, "story_entry", false}, Shape{Table::kAlertLog, "alert_log", false},
    Shape{Table::kOutbox, "outbox", false},     Shape{Table::kGeneration, "generation", true},
    Shape{Table::kStoryLead, "story_lead", false},
    Shape{Table::kCorrection, "correction", false}};

constexpr size_t kPackBytesMin = 400;
constexpr int kPackLevel = 1;  // levels below 0 take a little less time and half as much room again, which the server pays for; any unpacks
constexpr size_t kUnpackedBytesMax = 64u << 20;
constexpr char kPlain = 0, kZstd = 1;
constexpr int kScanRowsFirst = 64, kScanRowsMax = 2048;

}  // namespace

std::string PgTable(Table table) {
  for (const Shape& shape : kShapes)
    if (shape.table == table) return '"' + std::string(shape.name) + '"';
  return "\"unknown\"";
}

std::string PgSchemaStatements(const std::set<std::string>& present) {
  std::string out;
  for (const Shape& shape : kShapes) {
    if (present.contains(shape.name)) continue;
    const std::string name = PgTable(shape.table);
    // What is stored is compressed already: the server neither tries again nor moves it out of line before it must.
    out += "CREATE TABLE " + name + " (k bytea PRIMARY KEY, v bytea NOT NULL) WITH (toast_tuple_target = 8160, fillfactor = " +
           (shape.rewritten ? "60" : "100") + "); ALTER TABLE " + name + " ALTER COLUMN v SET STORAGE EXTERNAL, ALTER COLUMN k SET STORAGE PLAIN;\n";
  }
  if (out.empty() && present.contains("commits") && present.contains("lease")) return out;
  // The row of "commits" is the lock that every commit takes. `counted` grows with each commit that changes counts.
  out += "CREATE TABLE IF NOT EXISTS commits (one boolean PRIMARY KEY DEFAULT true CHECK (one), number bigint NOT NULL DEFAULT 0, "
         "counted bigint NOT NULL DEFAULT 0) WITH (fillfactor = 10);\n"
         "INSERT INTO commits (one) VALUES (true) ON CONFLICT DO NOTHING;\n"
         "CREATE TABLE IF NOT EXISTS lease (name text PRIMARY KEY, holder text NOT NULL, ends timestamptz NOT NULL);\n"
         "CREATE OR REPLACE FUNCTION expect_rows(written bigint, wanted bigint) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN "
         "IF written <> wanted THEN RAISE EXCEPTION 'a row has changed since it was read' USING ERRCODE = 'RW001'; END IF; "
         "RETURN written; END $$;\n";
  return out;
}

void PgPack(std::string_view value, std::string* out) {
  const size_t at = out->size();
  if (value.size() >= kPackBytesMin) {
    out->resize(at + 1 + ZSTD_compressBound(value.size()));
    // A context of the thread's own: one for each value would cost as much as the packing.
    thread_local const std::unique_ptr<ZSTD_CCtx, size_t (*)(ZSTD_CCtx*)> context(ZSTD_createCCtx(), ZSTD_freeCCtx);
    const size_t size = ZSTD_compressCCtx(context.get(), out->data() + at + 1, out->size() - at - 1, value.data(), value.size(), kPackLevel);
    const bool pays = !ZSTD_isError(size) && size < value.size();
    out->resize(pays ? at + 1 + size : at);
    if (pays) (*out)[at] = kZstd;
    if (pays) return;
  }
  out->push_back(kPlain);
  out->append(value);
}

base::Result<std::string> PgUnpack(std::string_view stored) {
  if (stored.empty()) return base::DataLoss("postgresql: a value without its first byte");
  const std::string_view bytes = stored.substr(1);
  if (stored[0] == kPlain) return std::string(bytes);
  const auto size = ZSTD_getFrameContentSize(bytes.data(), bytes.size());
  if (stored[0] != kZstd || size > kUnpackedBytesMax) return base::DataLoss("postgresql: a value in an unknown form");
  std::string out(size, '\0');
  if (ZSTD_decompress(out.data(), out.size(), bytes.data(), bytes.size()) != size) return base::DataLoss("postgresql: a value that does not unpack");
  return out;
}

base::Result<std::vector<std::optional<std::string>>> PgMultiGet(PgConnection& connection, Table table,
                                                                 const std::vector<std::string_view>& keys) {
  std::vector<std::optional<std::string>> out(keys.size());
  if (keys.empty()) return out;
  RW_ASSIGN_OR_RETURN(const PgRows rows, connection.Ask(PgCall("SELECT k, v FROM " + PgTable(table) + " WHERE k = ANY($1)").BytesArray(keys)));
  std::unordered_map<std::string_view, int> at;
  for (int i = 0; i < rows.size(); ++i) at.emplace(rows.Bytes(i, 0), i);
  for (size_t i = 0; i < keys.size(); ++i) {
    const auto found = at.find(keys[i]);
    if (found == at.end()) continue;
    RW_ASSIGN_OR_RETURN(out[i], PgUnpack(rows.Bytes(found->second, 1)));
  }
  return out;
}

base::Status PgScan(PgConnection& connection, Table table, std::string_view begin, std::string_view end, bool reverse,
                    const View::Visit& visit) {
  std::string low(begin), high(end);
  for (int limit = kScanRowsFirst;; limit = std::min(limit * 4, kScanRowsMax)) {
    const bool bounded = !high.empty();
    PgCall call("SELECT k, v FROM " + PgTable(table) + " WHERE k >= $1" + (bounded ? " AND k < $3" : "") + " ORDER BY k" +
                (reverse ? " DESC" : "") + " LIMIT $2");
    call.Bytes(low).Number(limit);
    if (bounded) call.Bytes(high);
    RW_ASSIGN_OR_RETURN(const PgRows rows, connection.Ask(call));
    for (int i = 0; i < rows.size(); ++i) {
      RW_ASSIGN_OR_RETURN(const std::string value, PgUnpack(rows.Bytes(i, 1)));
      if (!visit(rows.Bytes(i, 0), value)) return {};
    }
    if (rows.size() < limit) return {};
    const std::string last(rows.Bytes(rows.size() - 1, 0));
    if (reverse) high = last;
    else low = last + '\0';
    if (reverse && high.empty()) return {};
  }
}

base::Result<PgPool::Lease> PgPool::Take() {
  std::unique_ptr<PgConnection> taken;
  {
    const std::scoped_lock lock(mutex_);
    if (!idle_.empty()) {
      taken = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  if (!taken) {
    RW_ASSIGN_OR_RETURN(taken, PgConnection::Open(conninfo_, setup_));
  }
  return Lease(taken.release(), [this](PgConnection* back) {
    std::unique_ptr<PgConnection> owned(back);
    if (owned->broken()) return;
    const std::scoped_lock lock(mutex_);
    if (idle_.size() < kIdleMax) idle_.push_back(std::move(owned));
  });
}

}  // namespace racewatch::store
