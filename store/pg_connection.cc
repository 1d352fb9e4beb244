#include "store/pg_connection.h"

#include <libpq-fe.h>

#include <utility>

#include "store/codec.h"

namespace racewatch::store {
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

// The binary form of a one-dimensional array (array_recv in PostgreSQL's arrayfuncs.c).
PgCall& PgCall::BytesArray(const std::vector<std::string_view>& values) {
  types_.push_back(kByteaArray);
  std::string& out = values_.emplace_back();
  size_t bytes = 20;
  for (const auto value : values) bytes += 4 + value.size();
  out.reserve(bytes);
  AppendBig(&out, uint32_t{values.empty() ? 0u : 1u});
  AppendBig(&out, uint32_t{0});  // no nulls
  AppendBig(&out, uint32_t{kBytea});
  if (values.empty()) return *this;
  AppendBig(&out, static_cast<uint32_t>(values.size()));
  AppendBig(&out, uint32_t{1});  // index of the first
  for (const auto value : values) {
    AppendBig(&out, static_cast<uint32_t>(value.size()));
    out.append(value);
  }
  return *this;
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

PgConnection::PgConnection(pg_conn* connection) : connection_(connection, PQfinish) {}
PgConnection::~PgConnection() = default;

base::Result<std::unique_ptr<PgConnection>> PgConnection::Open(const std::string& conninfo, const std::string& setup) {
  std::unique_ptr<PgConnection> made(new PgConnection(PQconnectdb(conninfo.c_str())));
  if (PQstatus(made->connection_.get()) != CONNECTION_OK)
    return base::Unavailable("postgresql: " + FirstLine(PQerrorMessage(made->connection_.get())));
  RW_RETURN_IF_ERROR(made->Run(setup));
  return made;
}

bool PgConnection::broken() const { return PQstatus(connection_.get()) != CONNECTION_OK; }

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

base::Status PgConnection::Prepare(const PgCall& call) {
  if (prepared_.contains(call.sql_)) return {};
  const std::string name = "s" + std::to_string(prepared_.size());
  const PgRows result(PQprepare(connection_.get(), name.c_str(), call.sql_.c_str(), static_cast<int>(call.types_.size()), call.types_.data()));
  if (!result.ok()) return Error(result.get());
  prepared_.emplace(call.sql_, name);
  return {};
}

base::Result<PgRows> PgConnection::Ask(const PgCall& call) {
  RW_ASSIGN_OR_RETURN(auto rows, Ask(std::vector<PgCall>{call}));
  return std::move(rows.front());
}

base::Result<std::vector<PgRows>> PgConnection::Ask(const std::vector<PgCall>& calls) {
  pg_conn* const c = connection_.get();
  for (const PgCall& call : calls) RW_RETURN_IF_ERROR(Prepare(call));
  if (PQenterPipelineMode(c) != 1) return Error(nullptr);
  bool sent = true;
  for (const PgCall& call : calls) {
    std::vector<const char*> values;
    std::vector<int> lengths, formats(call.values_.size(), kBinary);
    for (const auto& value : call.values_) {
      values.push_back(value.data());
      lengths.push_back(static_cast<int>(value.size()));
    }
    sent = sent && PQsendQueryPrepared(c, prepared_.at(call.sql_).c_str(), static_cast<int>(values.size()), values.data(), lengths.data(),
                                       formats.data(), kBinary) == 1;
  }
  sent = sent && PQpipelineSync(c) == 1;
  base::Status failed = sent ? base::Status() : Error(nullptr);
  std::vector<PgRows> rows;
  // Each statement gives its result and then a null; the end of all gives PGRES_PIPELINE_SYNC.
  for (bool synced = !sent; !synced;) {
    PgRows result(PQgetResult(c));
    if (result.get() == nullptr) {
      if (!broken()) continue;
      if (failed.ok()) failed = Error(nullptr);
      break;
    }
    if (result.synced()) synced = true;
    else if (!result.ok() && failed.ok()) failed = Error(result.get());
    else if (failed.ok()) rows.push_back(std::move(result));
  }
  if (PQexitPipelineMode(c) != 1 && failed.ok()) failed = Error(nullptr);
  if (!failed.ok()) return failed;
  return rows;
}

}  // namespace racewatch::store
