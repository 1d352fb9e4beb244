#include "store/pg_connection.h"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "store/codec.h"

namespace racewatch::store {

using std::chrono::milliseconds;

namespace {

// Types by their numbers in pg_type.h, which never change.
constexpr Oid kBytea = 17, kInt8 = 20, kText = 25, kByteaArray = 1001;
constexpr int kBinary = 1;

std::string FirstLine(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 300)) out.push_back(c == '\n' ? ' ' : c);
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

// SQLSTATE → code; classes as in the PostgreSQL manual, appendix A.
base::Code CodeOf(std::string_view state) {
  if (state == "RW001" || state == "23505") return base::Code::kAborted;
  const std::string_view kind = state.substr(0, 2);
  if (kind == "08" || kind == "53" || kind == "57" || kind == "40" || kind == "55") return base::Code::kUnavailable;
  if (state == "25P03" || state == "58030") return base::Code::kUnavailable;
  if (state == "XX001" || state == "XX002") return base::Code::kDataLoss;
  return base::Code::kInternal;
}

}  // namespace

PgCall& PgCall::Bytes(std::string_view value) {
  types_.push_back(kBytea);
  values_.emplace_back(value);
  return *this;
}
PgCall& PgCall::Text(std::string_view value) {
  types_.push_back(kText);
  values_.emplace_back(value);
  return *this;
}
PgCall& PgCall::Number(int64_t value) {
  types_.push_back(kInt8);
  AppendBig(&values_.emplace_back(), static_cast<uint64_t>(value));
  return *this;
}

PgCall& PgCall::BytesArray(const std::vector<std::string_view>& values) {
  return BytesArray(values.size(), [&values](size_t i, std::string* out) { out->append(values[i]); });
}

// The binary form of a one-dimensional array (array_recv in PostgreSQL's arrayfuncs.c).
std::string& PgCall::BeginArray(size_t elements) {
  types_.push_back(kByteaArray);
  std::string& out = values_.emplace_back();
  AppendBig(&out, uint32_t{elements == 0 ? 0u : 1u});
  AppendBig(&out, uint32_t{0});  // no nulls
  AppendBig(&out, uint32_t{kBytea});
  if (elements == 0) return out;
  AppendBig(&out, static_cast<uint32_t>(elements));
  AppendBig(&out, uint32_t{1});  // index of the first
  return out;
}

size_t PgCall::BeginElement(std::string* out) {
  AppendBig(out, uint32_t{0});
  return out->size();
}

void PgCall::EndElement(size_t at, std::string* out) {
  const auto bytes = static_cast<uint32_t>(out->size() - at);
  for (size_t i = 0; i < 4; ++i) (*out)[at - 4 + i] = static_cast<char>(bytes >> (24 - 8 * i) & 0xff);
}

PgRows::PgRows(pg_result* result) : result_(result, PQclear) {}
bool PgRows::ok() const {
  const ExecStatusType status = PQresultStatus(get());
  return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY;
}
bool PgRows::synced() const { return PQresultStatus(get()) == PGRES_PIPELINE_SYNC; }
int PgRows::size() const { return PQntuples(result_.get()); }
std::string_view PgRows::Bytes(int row, int column) const {
  return {PQgetvalue(result_.get(), row, column), static_cast<size_t>(PQgetlength(result_.get(), row, column))};
}
int64_t PgRows::Number(int row, int column) const { return static_cast<int64_t>(Reader(Bytes(row, column)).Big<uint64_t>()); }

PgConnection::PgConnection(pg_conn* connection, milliseconds silence_max)
    : connection_(connection, PQfinish), silence_max_(silence_max) {}
PgConnection::~PgConnection() = default;

base::Result<std::unique_ptr<PgConnection>> PgConnection::Open(const std::string& conninfo, const std::string& setup,
                                                                milliseconds silence_max) {
  std::unique_ptr<PgConnection> made(new PgConnection(PQconnectdb(conninfo.c_str()), silence_max));
  if (PQstatus(made->connection_.get()) != CONNECTION_OK)
    return base::Unavailable("postgresql: " + FirstLine(PQerrorMessage(made->connection_.get())));
  if (PQsetnonblocking(made->connection_.get(), 1) != 0) return made->Error(nullptr);  // else a server that reads nothing holds us up
  RW_RETURN_IF_ERROR(made->Run(setup));
  return made;
}

bool PgConnection::broken() const { return silent_ || PQstatus(connection_.get()) != CONNECTION_OK; }

base::Status PgConnection::Error(const pg_result* result) const {
  const char* state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : nullptr;
  const char* text = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : nullptr;
  if (state == nullptr) return base::Unavailable("postgresql: " + FirstLine(PQerrorMessage(connection_.get())));
  return {CodeOf(state), "postgresql: " + FirstLine(text ? text : "") + " (" + state + ")"};
}

base::Status PgConnection::Run(const std::string& sql) {
  if (sql.empty()) return {};
  const PgRows result(PQexec(connection_.get(), sql.c_str()));
  return result.ok() ? base::Status() : Error(result.get());
}

base::Status PgConnection::SendPrepare(const PgCall& call) {
  const std::string name = "s" + std::to_string(names_++);
  if (PQsendPrepare(connection_.get(), name.c_str(), call.sql_.c_str(), static_cast<int>(call.types_.size()), call.types_.data()) != 1)
    return Fail(nullptr);
  under_way_.push_back(false);
  preparing_.push_back(call.sql_);
  prepared_.emplace(call.sql_, name);
  return {};
}

base::Status PgConnection::Send(const PgCall& call) {
  pg_conn* const c = connection_.get();
  if (PQpipelineStatus(c) == PQ_PIPELINE_OFF && PQenterPipelineMode(c) != 1) return Error(nullptr);
  if (!prepared_.contains(call.sql_)) RW_RETURN_IF_ERROR(SendPrepare(call));
  std::vector<const char*> values;
  std::vector<int> lengths, formats(call.values_.size(), kBinary);
  for (const auto& value : call.values_) {
    values.push_back(value.data());
    lengths.push_back(static_cast<int>(value.size()));
  }
  if (PQsendQueryPrepared(c, prepared_.at(call.sql_).c_str(), static_cast<int>(values.size()), values.data(), lengths.data(), formats.data(), kBinary) != 1)
    return Fail(nullptr);
  under_way_.push_back(true);
  return {};
}

base::Status PgConnection::Push() { return PQflush(connection_.get()) >= 0 ? base::Status() : Fail(nullptr); }

base::Status PgConnection::Flush() { return PQsendFlushRequest(connection_.get()) == 1 ? Push() : Fail(nullptr); }

// Not PQgetResult alone: it looks at what has come, then sends what waits to be sent, which may read as well, and then waits
// for more to come. When all there is to come has been read meanwhile, a refusal that nothing follows, it waits for ever.
base::Status PgConnection::AwaitOne() {
  pg_conn* const c = connection_.get();
  auto deadline = std::chrono::steady_clock::now() + silence_max_;
  while (true) {
    const int unsent = PQflush(c);
    if (unsent < 0) return Error(nullptr);
    if (!PQisBusy(c)) return {};
    const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) {
      silent_ = true;
      return base::Unavailable("postgresql: no answer for " + std::to_string(silence_max_.count()) + " ms");
    }
    pollfd socket{PQsocket(c), static_cast<short>(unsent ? POLLIN | POLLOUT : POLLIN), 0};
    if (poll(&socket, 1, static_cast<int>(left.count())) <= 0) continue;
    if (PQconsumeInput(c) != 1) return Error(nullptr);
    deadline = std::chrono::steady_clock::now() + silence_max_;
  }
}

base::Result<std::vector<PgRows>> PgConnection::Await(size_t calls) {
  std::vector<PgRows> rows;
  while (rows.size() < calls && !under_way_.empty()) {
    if (base::Status awaited = AwaitOne(); !awaited.ok()) return Drop(), awaited;
    const bool wanted = under_way_.front();
    PgRows result(PQgetResult(connection_.get()));
    if (result.get() == nullptr || !result.ok()) return Fail(result.get());
    under_way_.pop_front();
    // Each statement gives its result and then a null.
    if (const PgRows end(PQgetResult(connection_.get())); end.get() != nullptr) return Fail(end.get());
    if (wanted) rows.push_back(std::move(result));
  }
  return rows;
}

base::Result<std::vector<PgRows>> PgConnection::Finish() {
  pg_conn* const c = connection_.get();
  if (PQpipelineStatus(c) == PQ_PIPELINE_OFF) return std::vector<PgRows>();
  if (PQpipelineSync(c) != 1) return Fail(nullptr);
  ended_ = true;
  RW_ASSIGN_OR_RETURN(auto rows, Await(under_way_.size()));
  const base::Status drained = Drain();
  preparing_.clear();
  if (!drained.ok()) return drained;
  return rows;
}

// Reads up to the end of all, PGRES_PIPELINE_SYNC, whatever comes before it.
base::Status PgConnection::Drain() {
  pg_conn* const c = connection_.get();
  for (bool synced = false; !synced;) {
    RW_RETURN_IF_ERROR(AwaitOne());
    const PgRows result(PQgetResult(c));
    if (result.get() == nullptr && broken()) return Error(nullptr);
    synced = result.get() != nullptr && result.synced();
  }
  ended_ = false;
  return PQexitPipelineMode(c) == 1 ? base::Status() : Error(nullptr);
}

base::Status PgConnection::Fail(const pg_result* result) {
  const base::Status why = Error(result);
  Drop();
  return why;
}

void PgConnection::Drop() {
  pg_conn* const c = connection_.get();
  under_way_.clear();
  // What comes after an error is passed over by the server.
  for (const std::string& sql : std::exchange(preparing_, {})) prepared_.erase(sql);
  if (broken() || PQpipelineStatus(c) == PQ_PIPELINE_OFF) return;
  if (ended_ || PQpipelineSync(c) == 1) (void)Drain();
}

base::Result<PgRows> PgConnection::Ask(const PgCall& call) {
  RW_ASSIGN_OR_RETURN(auto rows, Ask(std::vector<PgCall>{call}));
  return std::move(rows.front());
}

base::Result<std::vector<PgRows>> PgConnection::Ask(const std::vector<PgCall>& calls) {
  for (const PgCall& call : calls) RW_RETURN_IF_ERROR(Send(call));
  return Finish();
}

}  // namespace racewatch::store
