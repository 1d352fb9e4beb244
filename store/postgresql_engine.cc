#include "store/postgresql_engine.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <unordered_map>
#include <utility>

#include "store/codec.h"
#include "store/failed_view.h"
#include "store/migrations.h"
#include "store/pg_tables.h"
#include "store/position_row.h"

namespace racewatch::store {
namespace {

constexpr char kLockTimeout[] = "(55P03)";
constexpr char kTakeLock[] = "UPDATE commits SET number = number + 1, counted = counted + $1 RETURNING counted";

// What a transaction reads under the lock before it writes: single rows of several tables.
class Reads {
 public:
  void Want(Table table, std::string key) { wanted_[table].insert(std::move(key)); }
  void AddTo(std::vector<PgCall>* calls) {
    for (const auto& [table, keys] : wanted_)
      calls->push_back(PgCall("SELECT k, v FROM " + PgTable(table) + " WHERE k = ANY($1)").BytesArray({keys.begin(), keys.end()}));
  }
  // Takes the answers from `first` on.
  base::Status Take(const std::vector<PgRows>& answers, size_t first) {
    for (const auto& wanted : wanted_) {
      const Table table = wanted.first;
      const PgRows& rows = answers[first++];
      for (int i = 0; i < rows.size(); ++i) {
        std::string& row = rows_[{table, std::string(rows.Bytes(i, 0))}];
        RW_ASSIGN_OR_RETURN(row, PgUnpack(rows.Bytes(i, 1)));
      }
    }
    return {};
  }
  std::optional<std::string> Find(Table table, std::string_view key) const {
    const auto at = rows_.find({table, std::string(key)});
    return at == rows_.end() ? std::nullopt : std::optional(at->second);
  }

 private:
  std::map<Table, std::set<std::string>> wanted_;
  std::map<std::pair<Table, std::string>, std::string> rows_;
};

// What a transaction writes, gathered by table and kind of statement.
class Writes {
 public:
  void Put(Table table, std::string_view key, std::string_view value) { puts_[table][key] = PgPack(value); }
  void Insert(Table table, std::string_view key, std::string_view value) { inserts_[table][key] = PgPack(value); }
  void Replace(Table table, std::string_view key, std::string_view before, std::string_view value) {
    replaces_[table][key] = {PgPack(before), PgPack(value)};
  }
  void Delete(Table table, std::string_view key) { deletes_[table].push_back(key); }
  void DeleteRange(Table table, std::string_view begin, std::string_view end) {
    calls_.push_back(PgCall("DELETE FROM " + PgTable(table) + " WHERE k >= $1 AND k < $2").Bytes(begin).Bytes(end));
  }

  // Ranges first, then single rows.
  std::vector<PgCall> Take() {
    for (auto& [table, keys] : deletes_)
      calls_.push_back(PgCall("DELETE FROM " + PgTable(table) + " WHERE k = ANY($1)").BytesArray(keys));
    for (const auto& [table, rows] : inserts_)
      AddRows("INSERT INTO " + PgTable(table) + " SELECT * FROM unnest($1::bytea[], $2::bytea[])", rows);
    for (const auto& [table, rows] : puts_)
      AddRows("INSERT INTO " + PgTable(table) + " SELECT * FROM unnest($1::bytea[], $2::bytea[]) ON CONFLICT (k) DO UPDATE SET v = EXCLUDED.v", rows);
    for (const auto& [table, rows] : replaces_) {
      std::vector<std::string_view> keys, before, after;
      for (const auto& [key, values] : rows) {
        keys.push_back(key);
        before.push_back(values.first);
        after.push_back(values.second);
      }
      calls_.push_back(PgCall("WITH done AS (UPDATE " + PgTable(table) + " t SET v = n.v FROM unnest($1::bytea[], $2::bytea[], $3::bytea[]) n(k, b, v) "
                              "WHERE t.k = n.k AND t.v = n.b RETURNING 1) SELECT expect_rows(count(*), $4) FROM done")
                           .BytesArray(keys).BytesArray(before).BytesArray(after).Number(static_cast<int64_t>(keys.size())));
    }
    return std::move(calls_);
  }

 private:
  using Rows = std::map<std::string_view, std::string>;
  void AddRows(const std::string& sql, const Rows& rows) {
    std::vector<std::string_view> keys, values;
    for (const auto& [key, value] : rows) {
      keys.push_back(key);
      values.push_back(value);
    }
    calls_.push_back(PgCall(sql).BytesArray(keys).BytesArray(values));
  }

  std::map<Table, Rows> puts_, inserts_;
  std::map<Table, std::map<std::string_view, std::pair<std::string, std::string>>> replaces_;
  std::map<Table, std::vector<std::string_view>> deletes_;
  std::vector<PgCall> calls_;
};

// The last write to each key.
std::map<std::pair<Table, std::string_view>, const Write*> LastWrites(const Batch& batch) {
  std::map<std::pair<Table, std::string_view>, const Write*> last;
  for (const Write& write : batch.writes())
    if (write.kind != Write::Kind::kDeleteRange) last[{write.table, write.key}] = &write;
  return last;
}

class SnapshotView final : public View {
 public:
  explicit SnapshotView(PgPool::Lease connection) : connection_(std::move(connection)) {}
  ~SnapshotView() override { (void)connection_->Run("ROLLBACK"); }
  base::Result<std::optional<std::string>> Get(Table table, std::string_view key) const override {
    RW_ASSIGN_OR_RETURN(auto rows, MultiGet(table, {key}));
    return std::move(rows.front());
  }
  base::Result<std::vector<std::optional<std::string>>> MultiGet(Table table, const std::vector<std::string_view>& keys) const override {
    const std::scoped_lock lock(mutex_);
    return PgMultiGet(*connection_, table, keys);
  }
  // `visit` may read from this view.
  base::Status Scan(Table table, std::string_view begin, std::string_view end, bool reverse, const Visit& visit) const override {
    const std::scoped_lock lock(mutex_);
    return PgScan(*connection_, table, begin, end, reverse, visit);
  }

 private:
  PgPool::Lease connection_;
  mutable std::recursive_mutex mutex_;
};

}  // namespace

struct PostgreSqlEngine::Impl {
  Impl(const PostgreSqlOptions& o, std::string for_writing, const std::string& for_reading)
      : options(o), writer_setup(std::move(for_writing)), pool(o.conninfo, for_reading) {}

  const PostgreSqlOptions options;
  const std::string writer_setup;
  PgPool pool;
  std::mutex mutex;  // of everything below
  std::unique_ptr<PgConnection> writer;
  CountLedger ledger;
  int64_t counted = -1;  // the ledger's cache is as of this commit; -1: unknown
  std::mutex lease_mutex;
  std::unique_ptr<PgConnection> leaser;

  base::Result<PgConnection*> Connected(std::unique_ptr<PgConnection>* connection) {
    if (!*connection || (*connection)->broken()) {
      connection->reset();
      RW_ASSIGN_OR_RETURN(*connection, PgConnection::Open(options.conninfo, writer_setup));
    }
    return connection->get();
  }
  // After an error: leaves the transaction, or the connection.
  void Leave(std::unique_ptr<PgConnection>* connection, const base::Status& why);
  base::Status CommitOn(PgConnection& c, const Batch& batch);
  static base::Status Check(const Batch& batch, const std::map<std::pair<Table, std::string_view>, const Write*>& last, const Reads& reads);
  base::Status AddCounts(PgConnection& c, const Batch& batch, int64_t now_counted, Reads* reads, std::vector<std::string>* kept, Writes* writes);
  base::Result<Claim> BumpEpoch(PgConnection& c, const std::string& cluster_id, const base::TopicPartition& where);
};

namespace {

// Expectations whose key is written as well are checked by the write itself.
bool CheckedByWrite(const Expectation& expected, const std::map<std::pair<Table, std::string_view>, const Write*>& last) {
  const auto at = last.find({expected.table, expected.key});
  return at != last.end() && at->second->kind == Write::Kind::kPut;
}

void AddOwnRows(const Batch& batch, const Reads& reads, std::vector<std::string>* kept, Writes* writes) {
  for (const auto& owner : batch.owners()) {
    if (owner.next_offset < 0) continue;
    PositionRow row{owner.claim.epoch, owner.next_offset};
    writes->Put(Table::kPosition, kept->emplace_back(PositionKey(owner.claim.cluster_id, owner.claim.where)), row.Encode());
  }
  std::map<Table, uint64_t> last;
  for (const auto& [table, value] : batch.appends()) {
    const auto [at, is_new] = last.try_emplace(table, 0);
    if (const auto stored = is_new ? reads.Find(Table::kMeta, LastKey(table)) : std::nullopt) at->second = Reader(*stored).Varint();
    AppendBig(&kept->emplace_back(), ++at->second);
    writes->Insert(table, kept->back(), value);
  }
  for (const auto& [table, number] : last) {
    std::string value;
    AppendVarint(&value, number);
    writes->Put(Table::kMeta, kept->emplace_back(LastKey(table)), value);
  }
}

void AddBatchRows(const Batch& batch, const std::map<std::pair<Table, std::string_view>, const Write*>& last, Writes* writes) {
  std::map<std::pair<Table, std::string_view>, const Expectation*> expected;
  for (const Expectation& e : batch.expectations()) expected[{e.table, e.key}] = &e;
  for (const Write& write : batch.writes())
    if (write.kind == Write::Kind::kDeleteRange) writes->DeleteRange(write.table, write.key, write.value);
  for (const auto& [name, write] : last) {
    const auto at = expected.find(name);
    if (write->kind == Write::Kind::kDelete) writes->Delete(write->table, write->key);
    else if (at == expected.end()) writes->Put(write->table, write->key, write->value);
    else if (at->second->value) writes->Replace(write->table, write->key, *at->second->value, write->value);
    else writes->Insert(write->table, write->key, write->value);
  }
}

}  // namespace

base::Status PostgreSqlEngine::Impl::Check(const Batch& batch, const std::map<std::pair<Table, std::string_view>, const Write*>& last,
                                           const Reads& reads) {
  for (const auto& owner : batch.owners()) {
    const auto stored = reads.Find(Table::kPosition, PositionKey(owner.claim.cluster_id, owner.claim.where));
    PositionRow row;
    if (!stored || !PositionRow::Decode(*stored, &row)) return base::DataLoss("store: position row missing or damaged");
    if (row.epoch != owner.claim.epoch)
      return base::FailedPrecondition("fenced: " + owner.claim.where.topic + "/" + std::to_string(owner.claim.where.partition) +
                                      " has epoch " + std::to_string(row.epoch) + ", ours is " + std::to_string(owner.claim.epoch));
  }
  for (const Expectation& expected : batch.expectations())
    if (!CheckedByWrite(expected, last) && reads.Find(expected.table, expected.key) != expected.value)
      return base::Aborted("store: a row has changed since it was read");
  return {};
}

// Rows that others may have changed since were read under the lock; the rest of the cache is still true.
base::Status PostgreSqlEngine::Impl::AddCounts(PgConnection& c, const Batch& batch, int64_t now_counted, Reads* reads,
                                               std::vector<std::string>* kept, Writes* writes) {
  Reads again;
  if (counted + 1 != now_counted) {
    ledger.Clear();
    for (auto& [kind, key] : ledger.Missing(batch.counts())) again.Want(TableOf(kind), std::move(key));
    std::vector<PgCall> calls;
    again.AddTo(&calls);
    RW_ASSIGN_OR_RETURN(const auto answers, c.Ask(calls));
    RW_RETURN_IF_ERROR(again.Take(answers, 0));
    reads = &again;
  }
  const auto load = [reads](CountLedger::Kind kind, std::string_view key) -> base::Result<std::optional<std::string>> {
    return reads->Find(TableOf(kind), key);
  };
  return ledger.Apply(batch.counts(), load, [&](CountLedger::Kind kind, std::string_view key, std::string_view value) {
    const std::string_view own = kept->emplace_back(key);
    if (value.empty()) writes->Delete(TableOf(kind), own);
    else writes->Put(TableOf(kind), own, value);
  });
}

base::Status PostgreSqlEngine::Impl::CommitOn(PgConnection& c, const Batch& batch) {
  const auto last = LastWrites(batch);
  const bool counts = !batch.counts().empty();
  Reads reads;
  for (const auto& owner : batch.owners()) reads.Want(Table::kPosition, PositionKey(owner.claim.cluster_id, owner.claim.where));
  for (const Expectation& expected : batch.expectations())
    if (!CheckedByWrite(expected, last)) reads.Want(expected.table, expected.key);
  for (const auto& [table, value] : batch.appends()) reads.Want(Table::kMeta, LastKey(table));
  if (counts && counted >= 0)
    for (auto& [kind, key] : ledger.Missing(batch.counts())) reads.Want(TableOf(kind), std::move(key));
  std::vector<PgCall> calls{PgCall("BEGIN"), PgCall(kTakeLock).Number(counts ? 1 : 0)};
  reads.AddTo(&calls);
  RW_ASSIGN_OR_RETURN(const auto answers, c.Ask(calls));
  RW_RETURN_IF_ERROR(reads.Take(answers, 2));
  RW_RETURN_IF_ERROR(Check(batch, last, reads));
  Writes writes;
  std::vector<std::string> kept;  // keys that the batch does not hold; never moves
  kept.reserve(batch.appends().size() * 2 + batch.owners().size() + batch.counts().size() * 16 + 32);
  const int64_t now_counted = answers[1].Number(0, 0);
  if (counts) RW_RETURN_IF_ERROR(AddCounts(c, batch, now_counted, &reads, &kept, &writes));
  AddOwnRows(batch, reads, &kept, &writes);
  AddBatchRows(batch, last, &writes);
  std::vector<PgCall> all = writes.Take();
  all.emplace_back("COMMIT");
  RW_RETURN_IF_ERROR(c.Ask(all).status());
  if (!counts) return {};
  ledger.Committed();
  counted = now_counted;
  return {};
}

// The server ends a transaction that waits for its client between round trips, but not one whose client stopped in the
// middle of sending. Whoever has waited for the lock as long as is allowed ends that one.
constexpr char kEndStopped[] =
    "SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity a JOIN pg_locks l ON l.pid = a.pid WHERE l.relation = 'commits'::regclass "
    "AND l.mode = 'RowExclusiveLock' AND l.granted AND a.wait_event = 'ClientRead' AND a.pid <> pg_backend_pid() "
    "AND a.xact_start < clock_timestamp() - $1 * interval '1 millisecond'";

void PostgreSqlEngine::Impl::Leave(std::unique_ptr<PgConnection>* connection, const base::Status& why) {
  PgConnection& c = **connection;
  bool usable = !c.broken() && c.Run("ROLLBACK").ok();
  if (usable && why.message().find(kLockTimeout) != std::string::npos)
    usable = c.Ask(PgCall(kEndStopped).Number(options.idle_ms_max.count())).ok();
  if (!usable) connection->reset();
}

base::Status PostgreSqlEngine::Commit(const Batch& batch) {
  Impl& impl = *impl_;
  const std::scoped_lock lock(impl.mutex);
  RW_ASSIGN_OR_RETURN(PgConnection * c, impl.Connected(&impl.writer));
  const base::Status status = impl.CommitOn(*c, batch);
  if (status.ok()) return status;
  impl.ledger.RolledBack();
  // Whether a COMMIT happened whose answer was lost is unknown.
  if (status.code() == base::Code::kUnavailable) impl.counted = -1;
  impl.Leave(&impl.writer, status);
  return status;
}

base::Result<Claim> PostgreSqlEngine::Impl::BumpEpoch(PgConnection& c, const std::string& cluster_id, const base::TopicPartition& where) {
  const std::string key = PositionKey(cluster_id, where);
  RW_ASSIGN_OR_RETURN(const auto stored, PgMultiGet(c, Table::kPosition, {key}));
  PositionRow row;
  if (stored[0] && !PositionRow::Decode(*stored[0], &row)) return base::DataLoss("store: position row damaged");
  ++row.epoch;
  Writes writes;
  writes.Put(Table::kPosition, key, row.Encode());
  RW_RETURN_IF_ERROR(c.Ask(writes.Take()).status());
  return Claim{cluster_id, where, row.epoch, row.next_offset};
}

base::Result<Claim> PostgreSqlEngine::TakeClaim(const std::string& cluster_id, const base::TopicPartition& where) {
  Impl& impl = *impl_;
  const std::scoped_lock lock(impl.mutex);
  RW_ASSIGN_OR_RETURN(PgConnection * c, impl.Connected(&impl.writer));
  const auto take = [&]() -> base::Result<Claim> {
    RW_RETURN_IF_ERROR(c->Ask({PgCall("BEGIN"), PgCall(kTakeLock).Number(0)}).status());
    RW_ASSIGN_OR_RETURN(Claim claim, impl.BumpEpoch(*c, cluster_id, where));
    RW_RETURN_IF_ERROR(c->Run("COMMIT"));
    return claim;
  };
  auto claim = take();
  if (!claim.ok()) impl.Leave(&impl.writer, claim.status());
  return claim;
}

base::Result<std::optional<Claim>> PostgreSqlEngine::TakeLease(const std::string& name, const std::string& holder,
                                                               std::chrono::milliseconds time) {
  Impl& impl = *impl_;
  const std::scoped_lock lock(impl.lease_mutex);
  RW_ASSIGN_OR_RETURN(PgConnection * c, impl.Connected(&impl.leaser));
  const auto take = [&]() -> base::Result<std::optional<Claim>> {
    const std::string ends = "clock_timestamp() + $3 * interval '1 millisecond'";
    // Prolonging does not wait for commits under way.
    RW_ASSIGN_OR_RETURN(const PgRows mine, c->Ask(PgCall("UPDATE lease SET ends = " + ends + " WHERE name = $1 AND holder = $2 RETURNING "
                                                         "(SELECT v FROM " + PgTable(Table::kPosition) + " WHERE k = $4)")
                                                      .Text(name).Text(holder).Number(time.count()).Bytes(PositionKey("", {name, 0}))));
    if (mine.size() == 1) {
      RW_ASSIGN_OR_RETURN(const std::string stored, PgUnpack(mine.Bytes(0, 0)));
      PositionRow row;
      if (!PositionRow::Decode(stored, &row)) return base::DataLoss("store: lease row damaged");
      return std::optional(Claim{"", {name, 0}, row.epoch, row.next_offset});
    }
    const PgCall others = PgCall("SELECT 1 FROM lease WHERE name = $1 AND holder <> $2 AND ends > clock_timestamp()").Text(name).Text(holder);
    RW_ASSIGN_OR_RETURN(const PgRows running, c->Ask(others));
    if (running.size() > 0) return std::optional<Claim>();
    RW_RETURN_IF_ERROR(c->Ask({PgCall("BEGIN"), PgCall(kTakeLock).Number(0)}).status());
    RW_ASSIGN_OR_RETURN(const PgRows taken, c->Ask(others));  // by somebody who had the lock before us
    if (taken.size() > 0) {
      RW_RETURN_IF_ERROR(c->Run("ROLLBACK"));
      return std::optional<Claim>();
    }
    RW_ASSIGN_OR_RETURN(Claim claim, impl.BumpEpoch(*c, "", {name, 0}));
    RW_RETURN_IF_ERROR(c->Ask({PgCall("INSERT INTO lease VALUES ($1, $2, " + ends + ") ON CONFLICT (name) DO UPDATE SET holder = EXCLUDED.holder, "
                                      "ends = EXCLUDED.ends").Text(name).Text(holder).Number(time.count()), PgCall("COMMIT")}).status());
    return std::optional(std::move(claim));
  };
  auto claim = take();
  if (!claim.ok()) impl.Leave(&impl.leaser, claim.status());
  return claim;
}

PostgreSqlEngine::PostgreSqlEngine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PostgreSqlEngine::~PostgreSqlEngine() = default;

base::Result<std::unique_ptr<PostgreSqlEngine>> PostgreSqlEngine::Open(const PostgreSqlOptions& options) {
  const std::string common = "SET client_min_messages = warning; SET search_path TO \"" + options.schema +
                             "\"; SET jit = off; SET plan_cache_mode = force_generic_plan; SET statement_timeout = '60s'; ";
  const std::string idle = "SET idle_in_transaction_session_timeout = ";
  auto impl = std::make_unique<Impl>(options, common + "SET synchronous_commit = on; " + idle + std::to_string(options.idle_ms_max.count()) +
                                                  "; SET lock_timeout = " + std::to_string(options.idle_ms_max.count()),
                                     common + idle + "'60s'");
  RW_ASSIGN_OR_RETURN(PgConnection * c, impl->Connected(&impl->writer));
  RW_ASSIGN_OR_RETURN(const PgRows made, c->Ask(PgCall("SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = $1 AND tablename = 'generation'")
                                                    .Text(options.schema)));
  // Several processes may start at once: the first makes the schema, the others wait for it.
  const std::string lock = "SELECT pg_advisory_xact_lock(hashtext('racewatch " + options.schema + "'))";
  if (made.size() == 0)
    RW_RETURN_IF_ERROR(c->Run("BEGIN; " + lock + "; CREATE SCHEMA IF NOT EXISTS \"" + options.schema + "\"; " + PgSchemaStatements() + "COMMIT"));
  std::unique_ptr<PostgreSqlEngine> engine(new PostgreSqlEngine(std::move(impl)));
  RW_RETURN_IF_ERROR(Migrate(*engine).Annotate("postgresql schema " + options.schema));
  return engine;
}

base::Result<std::optional<std::string>> PostgreSqlEngine::Get(Table table, std::string_view key) const {
  RW_ASSIGN_OR_RETURN(auto rows, MultiGet(table, {key}));
  return std::move(rows.front());
}

base::Result<std::vector<std::optional<std::string>>> PostgreSqlEngine::MultiGet(Table table, const std::vector<std::string_view>& keys) const {
  RW_ASSIGN_OR_RETURN(const auto connection, impl_->pool.Take());
  return PgMultiGet(*connection, table, keys);
}

base::Status PostgreSqlEngine::Scan(Table table, std::string_view begin, std::string_view end, bool reverse, const Visit& visit) const {
  return Snapshot()->Scan(table, begin, end, reverse, visit);
}

std::unique_ptr<View> PostgreSqlEngine::Snapshot() const {
  auto connection = impl_->pool.Take();
  if (!connection.ok()) return std::make_unique<FailedView>(connection.status());
  // The first statement after BEGIN is what fixes the moment.
  const base::Status begun = (*connection)->Run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1");
  if (!begun.ok()) return std::make_unique<FailedView>(begun);
  return std::make_unique<SnapshotView>(std::move(connection).value());
}

}  // namespace racewatch::store
