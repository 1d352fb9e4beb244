#include "store/postgresql_engine.h"

#include <algorithm>
#include <deque>
#include <future>
#include <map>
#include <mutex>
#include <set>
#include <span>
#include <unordered_map>
#include <utility>

#include "store/codec.h"
#include "store/failed_view.h"
#include "store/migrations.h"
#include "store/pg_tables.h"
#include "store/position_row.h"

namespace racewatch::store {
namespace {

constexpr size_t kCountsAsideMin = 32;  // fewer are not worth a thread
constexpr char kLockTimeout[] = "(55P03)";
constexpr char kTakeLock[] = "UPDATE commits SET number = number + 1, counted = counted + $1 RETURNING counted";

// What a transaction reads under the lock before it writes: single rows of several tables.
class Reads {
 public:
  void Want(Table table, std::string key) { wanted_[table].insert(std::move(key)); }
  base::Status Send(PgConnection& c) {
    for (const auto& [table, keys] : wanted_)
      RW_RETURN_IF_ERROR(c.Send(PgCall("SELECT k, v FROM " + PgTable(table) + " WHERE k = ANY($1)").BytesArray({keys.begin(), keys.end()})));
    return {};
  }
  size_t calls() const { return wanted_.size(); }
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

// What a transaction writes, gathered by table and kind of statement, and handed to the server in pieces: it works on one
// while the next is packed. Borrows keys and values until they are sent.
class Writes {
 public:
  void Put(Table table, std::string_view key, std::string_view value) { rows_[table].puts.push_back({key, value, {}}); }
  void Insert(Table table, std::string_view key, std::string_view value) { rows_[table].inserts.push_back({key, value, {}}); }
  void Replace(Table table, std::string_view key, std::string_view before, std::string_view value) {
    rows_[table].replaces.push_back({key, value, before});
  }
  void Delete(Table table, std::string_view key) { rows_[table].deletes.push_back(key); }
  void DeleteRange(Table table, std::string_view begin, std::string_view end) {
    ranges_.push_back(PgCall("DELETE FROM " + PgTable(table) + " WHERE k >= $1 AND k < $2").Bytes(begin).Bytes(end));
  }
  // Holds what would not live until it is sent.
  std::string_view Keep(std::string bytes) { return kept_.emplace_back(std::move(bytes)); }

  // Ranges first, then single rows; texts, which take long to pack, last.
  base::Status Send(PgConnection& c) {
    for (const PgCall& call : std::exchange(ranges_, {})) RW_RETURN_IF_ERROR(c.Send(call));
    auto rows = std::exchange(rows_, {});
    for (const bool texts : {false, true})
      for (auto& [table, of_table] : rows)
        if ((table == Table::kDetail || table == Table::kStoryQueue) == texts) RW_RETURN_IF_ERROR(SendTable(c, table, &of_table, texts));
    return {};
  }

 private:
  struct Row {
    std::string_view key, value, before;
  };
  struct Rows {
    std::vector<Row> puts, inserts, replaces;
    std::vector<std::string_view> deletes;
  };

  // In key order, as every store writes: whoever did it in another one could wait for us as we wait for it. Of several rows
  // with one key the last.
  static void Sort(std::vector<Row>* rows) {
    const auto by_key = [](const Row& a, const Row& b) { return a.key < b.key; };
    if (!std::is_sorted(rows->begin(), rows->end(), by_key)) std::stable_sort(rows->begin(), rows->end(), by_key);
    size_t kept = 0;
    for (size_t i = 0; i < rows->size(); ++i)
      if (i + 1 == rows->size() || (*rows)[i].key != (*rows)[i + 1].key) (*rows)[kept++] = (*rows)[i];
    rows->resize(kept);
  }
  static PgCall Call(const std::string& sql, std::span<const Row> rows) {
    PgCall call(sql);
    call.BytesArray(rows.size(), [rows](size_t i, std::string* out) { out->append(rows[i].key); });
    call.BytesArray(rows.size(), [rows](size_t i, std::string* out) { PgPack(rows[i].value, out); });
    return call;
  }
  // So few at a time that the server has begun with the first long before the last are packed. Texts by two threads.
  static base::Status SendRows(PgConnection& c, const std::string& sql, std::span<const Row> rows, bool texts) {
    const auto piece = [&](size_t at) { return Call(sql, rows.subspan(at, std::min(kRowsAtOnce, rows.size() - at))); };
    for (size_t at = 0; at < rows.size(); at += kRowsAtOnce) {
      std::future<PgCall> next;
      if (texts && at + kRowsAtOnce < rows.size()) next = std::async(std::launch::async, piece, at + kRowsAtOnce);
      RW_RETURN_IF_ERROR(c.Send(piece(at)));
      RW_RETURN_IF_ERROR(c.Push());
      if (!next.valid()) continue;
      at += kRowsAtOnce;
      RW_RETURN_IF_ERROR(c.Send(next.get()));
      RW_RETURN_IF_ERROR(c.Push());
    }
    return {};
  }
  static base::Status SendTable(PgConnection& c, Table table, Rows* rows, bool texts) {
    const std::string name = PgTable(table);
    const std::string insert = "INSERT INTO " + name + " SELECT * FROM unnest($1::bytea[], $2::bytea[])";
    if (!rows->deletes.empty()) RW_RETURN_IF_ERROR(c.Send(PgCall("DELETE FROM " + name + " WHERE k = ANY($1)").BytesArray(rows->deletes)));
    for (auto* each : {&rows->inserts, &rows->puts, &rows->replaces}) Sort(each);
    RW_RETURN_IF_ERROR(SendRows(c, insert, rows->inserts, texts));
    RW_RETURN_IF_ERROR(SendRows(c, insert + " ON CONFLICT (k) DO UPDATE SET v = EXCLUDED.v", rows->puts, texts));
    if (rows->replaces.empty()) return {};
    const std::vector<Row>& replaces = rows->replaces;
    return c.Send(Call("WITH done AS (UPDATE " + name + " t SET v = n.v FROM unnest($1::bytea[], $2::bytea[], $3::bytea[]) n(k, v, b) "
                       "WHERE t.k = n.k AND t.v = n.b RETURNING 1) SELECT expect_rows(count(*), $4) FROM done", replaces)
                      .BytesArray(replaces.size(), [&replaces](size_t i, std::string* out) { PgPack(replaces[i].before, out); })
                      .Number(static_cast<int64_t>(replaces.size())));
  }

  static constexpr size_t kRowsAtOnce = 128;
  std::vector<PgCall> ranges_;
  std::map<Table, Rows> rows_;
  std::deque<std::string> kept_;
};

// The last write to each key, in key order.
class LastWrites {
 public:
  explicit LastWrites(const Batch& batch) {
    for (const Write& write : batch.writes())
      if (write.kind != Write::Kind::kDeleteRange) writes_.push_back(&write);
    std::stable_sort(writes_.begin(), writes_.end(), Before);
    size_t kept = 0;
    for (size_t i = 0; i < writes_.size(); ++i)
      if (i + 1 == writes_.size() || Before(writes_[i], writes_[i + 1])) writes_[kept++] = writes_[i];
    writes_.resize(kept);
  }
  const Write* Find(Table table, std::string_view key) const {
    const auto at = std::lower_bound(writes_.begin(), writes_.end(), std::pair(table, key),
                                     [](const Write* write, const auto& wanted) { return Name(write) < wanted; });
    return at == writes_.end() || Name(*at) != std::pair(table, key) ? nullptr : *at;
  }
  const std::vector<const Write*>& all() const { return writes_; }

 private:
  static std::pair<Table, std::string_view> Name(const Write* write) { return {write->table, write->key}; }
  static bool Before(const Write* a, const Write* b) { return Name(a) < Name(b); }
  std::vector<const Write*> writes_;
};

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
  static base::Status Check(const Batch& batch, const LastWrites& last, const Reads& reads);
  base::Status ReadAgain(PgConnection& c, const Batch& batch, Reads* reads);
  base::Status Count(const Batch& batch, const Reads& reads, Writes* writes);
  base::Status SendAll(PgConnection& c, const Batch& batch, int64_t* now_counted);
  base::Result<Claim> BumpEpoch(PgConnection& c, const std::string& cluster_id, const base::TopicPartition& where);
};

namespace {

// Expectations whose key is written as well are checked by the write itself.
bool CheckedByWrite(const Expectation& expected, const LastWrites& last) {
  const Write* write = last.Find(expected.table, expected.key);
  return write != nullptr && write->kind == Write::Kind::kPut;
}

void AddOwnRows(const Batch& batch, const Reads& reads, Writes* writes) {
  for (const auto& owner : batch.owners()) {
    if (owner.next_offset < 0) continue;
    writes->Put(Table::kPosition, writes->Keep(PositionKey(owner.claim.cluster_id, owner.claim.where)),
                writes->Keep(PositionRow{owner.claim.epoch, owner.next_offset}.Encode()));
  }
  std::map<Table, uint64_t> last;
  for (const auto& [table, value] : batch.appends()) {
    const auto [at, is_new] = last.try_emplace(table, 0);
    if (const auto stored = is_new ? reads.Find(Table::kMeta, LastKey(table)) : std::nullopt) at->second = Reader(*stored).Varint();
    std::string key;
    AppendBig(&key, ++at->second);
    writes->Insert(table, writes->Keep(std::move(key)), value);
  }
  for (const auto& [table, number] : last) {
    std::string value;
    AppendVarint(&value, number);
    writes->Put(Table::kMeta, writes->Keep(LastKey(table)), writes->Keep(std::move(value)));
  }
}

void AddBatchRows(const Batch& batch, const LastWrites& last, Writes* writes) {
  std::map<std::pair<Table, std::string_view>, const Expectation*> expected;
  for (const Expectation& e : batch.expectations()) expected[{e.table, e.key}] = &e;
  for (const Write& write : batch.writes())
    if (write.kind == Write::Kind::kDeleteRange) writes->DeleteRange(write.table, write.key, write.value);
  for (const Write* write : last.all()) {
    const auto at = expected.find({write->table, write->key});
    if (write->kind == Write::Kind::kDelete) writes->Delete(write->table, write->key);
    else if (at == expected.end()) writes->Put(write->table, write->key, write->value);
    else if (at->second->value) writes->Replace(write->table, write->key, *at->second->value, write->value);
    else writes->Insert(write->table, write->key, write->value);
  }
}

}  // namespace

base::Status PostgreSqlEngine::Impl::Check(const Batch& batch, const LastWrites& last, const Reads& reads) {
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

// Others have counted since: nothing of the ledger's cache is sure any more.
base::Status PostgreSqlEngine::Impl::ReadAgain(PgConnection& c, const Batch& batch, Reads* reads) {
  ledger.Clear();
  for (auto& [kind, key] : ledger.Missing(batch.counts())) reads->Want(TableOf(kind), std::move(key));
  RW_RETURN_IF_ERROR(reads->Send(c));
  RW_RETURN_IF_ERROR(c.Flush());
  RW_ASSIGN_OR_RETURN(const auto answers, c.Await(c.under_way()));
  return reads->Take(answers, answers.size() - reads->calls());
}

base::Status PostgreSqlEngine::Impl::Count(const Batch& batch, const Reads& reads, Writes* writes) {
  const auto load = [&](CountLedger::Kind kind, std::string_view key) -> base::Result<std::optional<std::string>> {
    return reads.Find(TableOf(kind), key);
  };
  return ledger.Apply(batch.counts(), load, [&](CountLedger::Kind kind, std::string_view key, std::string_view value) {
    if (value.empty()) writes->Delete(TableOf(kind), key);
    else writes->Put(TableOf(kind), key, writes->Keep(std::string(value)));
  });
}

// Everything before COMMIT. The server works on the rows while the next ones are packed, and the counts are added up beside.
// What it says of the rows read, and so whether the batch may happen at all, is looked at before anything else that it says.
base::Status PostgreSqlEngine::Impl::SendAll(PgConnection& c, const Batch& batch, int64_t* now_counted) {
  const LastWrites last(batch);
  const bool counts = !batch.counts().empty();
  Reads reads, again;
  Writes writes, counted_rows;
  for (const auto& owner : batch.owners()) reads.Want(Table::kPosition, PositionKey(owner.claim.cluster_id, owner.claim.where));
  for (const Expectation& expected : batch.expectations())
    if (!CheckedByWrite(expected, last)) reads.Want(expected.table, expected.key);
  for (const auto& [table, value] : batch.appends()) reads.Want(Table::kMeta, LastKey(table));
  if (counts && counted >= 0)
    for (auto& [kind, key] : ledger.Missing(batch.counts())) reads.Want(TableOf(kind), std::move(key));
  RW_RETURN_IF_ERROR(c.Send(PgCall("BEGIN")));
  RW_RETURN_IF_ERROR(c.Send(PgCall(kTakeLock).Number(counts ? 1 : 0)));
  RW_RETURN_IF_ERROR(reads.Send(c));
  RW_RETURN_IF_ERROR(c.Flush());
  AddBatchRows(batch, last, &writes);
  RW_RETURN_IF_ERROR(writes.Send(c));
  RW_ASSIGN_OR_RETURN(const auto answers, c.Await(2 + reads.calls()));
  RW_RETURN_IF_ERROR(reads.Take(answers, 2));
  RW_RETURN_IF_ERROR(Check(batch, last, reads));
  *now_counted = answers[1].Number(0, 0);
  const bool changed = counts && counted + 1 != *now_counted;
  if (changed) RW_RETURN_IF_ERROR(ReadAgain(c, batch, &again));
  std::future<base::Status> counting;
  if (counts) {
    const auto when = batch.counts().size() < kCountsAsideMin ? std::launch::deferred : std::launch::async;
    counting = std::async(when, [&] { return Count(batch, changed ? again : reads, &counted_rows); });
  }
  AddOwnRows(batch, reads, &writes);
  RW_RETURN_IF_ERROR(writes.Send(c));
  if (!counts) return {};
  RW_RETURN_IF_ERROR(counting.get());
  return counted_rows.Send(c);
}

base::Status PostgreSqlEngine::Impl::CommitOn(PgConnection& c, const Batch& batch) {
  int64_t now_counted = -1;
  base::Status status = SendAll(c, batch, &now_counted);
  if (status.ok()) status = c.Send(PgCall("COMMIT"));
  if (status.ok()) status = c.Finish().status();
  if (!status.ok()) return c.Drop(), status;
  if (batch.counts().empty()) return {};
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
  writes.Put(Table::kPosition, key, writes.Keep(row.Encode()));
  RW_RETURN_IF_ERROR(writes.Send(c));
  RW_RETURN_IF_ERROR(c.Finish().status());
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
  const std::string lock_limit = "SET lock_timeout = " + std::to_string(options.idle_ms_max.count());
  auto impl = std::make_unique<Impl>(options, common + "SET synchronous_commit = on; " + idle + std::to_string(options.idle_ms_max.count()) +
                                                  "; " + lock_limit, common + idle + "'60s'");
  RW_ASSIGN_OR_RETURN(PgConnection * c, impl->Connected(&impl->writer));
  // Several processes may start at once: one makes the schema and migrates it, the others wait for it and find it made, longer
  // than a commit waits for another: as long as a statement may take. The session holds the lock, so it goes with the process.
  const std::string key = "(hashtext('racewatch " + options.schema + "'))";
  RW_RETURN_IF_ERROR(c->Run("SET lock_timeout = 0; SELECT pg_advisory_lock" + key));
  RW_RETURN_IF_ERROR(c->Run(lock_limit));
  RW_ASSIGN_OR_RETURN(const PgRows tables, c->Ask(PgCall("SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = $1").Text(options.schema)));
  std::set<std::string> present;
  for (int i = 0; i < tables.size(); ++i) present.emplace(tables.Bytes(i, 0));
  if (const std::string missing = PgSchemaStatements(present); !missing.empty())
    RW_RETURN_IF_ERROR(c->Run("BEGIN; CREATE SCHEMA IF NOT EXISTS \"" + options.schema + "\"; " + missing + "COMMIT"));
  std::unique_ptr<PostgreSqlEngine> engine(new PostgreSqlEngine(std::move(impl)));
  RW_RETURN_IF_ERROR(Migrate(*engine).Annotate("postgresql schema " + options.schema));
  RW_RETURN_IF_ERROR(c->Run("SELECT pg_advisory_unlock" + key));
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
