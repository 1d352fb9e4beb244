#include "store/settlement.h"

#include <string>

#include "store/codec.h"

namespace racewatch::store {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr std::string_view kPrefix = "settled/";
constexpr seconds kNoteEvery{1}, kLookEvery{60};
constexpr int64_t kUnknown = -1;

std::string Key(const base::TopicPartition& where) {
  return std::string(kPrefix) + where.topic + "/" + std::to_string(where.partition);
}

std::string Encode(const Noted& noted) {
  std::string out;
  AppendSigned(&out, noted.at);
  AppendSigned(&out, noted.newest);
  AppendSigned(&out, noted.lag.value_or(kUnknown));
  return out;
}

base::Result<Noted> Decode(std::string_view bytes) {
  Reader in(bytes);
  Noted noted;
  noted.at = in.Signed();
  noted.newest = in.Signed();
  if (const int64_t lag = in.Signed(); lag != kUnknown) noted.lag = lag;
  if (!in.ok() || !in.done()) return base::DataLoss("settlement row: damaged");
  return noted;
}

}  // namespace

base::Status Settlement::Note(const std::map<base::TopicPartition, Noted>& partitions,
                              const std::map<base::TopicPartition, Claim>& claims) {
  if (steady_clock::now() < next_note_) return {};
  Batch batch;
  for (const auto& [where, noted] : partitions) {
    const auto claim = claims.find(where);
    if (claim == claims.end()) continue;
    batch.Put(Table::kMeta, Key(where), Encode(noted));
    batch.Require(claim->second);
  }
  if (batch.writes().empty()) return {};
  RW_RETURN_IF_ERROR(engine_.Commit(batch));
  next_note_ = steady_clock::now() + kNoteEvery;
  return {};
}

base::Result<std::map<base::TopicPartition, Noted>> Settlement::Read(base::UnixMs now, int64_t silent_ms) {
  if (partitions_.empty() || steady_clock::now() >= next_look_) {
    RW_ASSIGN_OR_RETURN(partitions_, source_.Partitions());
    next_look_ = steady_clock::now() + kLookEvery;
  }
  std::vector<std::string> names;
  for (const auto& where : partitions_) names.push_back(Key(where));
  RW_ASSIGN_OR_RETURN(const auto rows, engine_.MultiGet(Table::kMeta, {names.begin(), names.end()}));
  std::map<base::TopicPartition, Noted> all;
  for (size_t i = 0; i < rows.size(); ++i) {
    Noted& noted = all[partitions_[i]];
    if (!rows[i]) continue;
    RW_ASSIGN_OR_RETURN(noted, Decode(*rows[i]));
    if (now - noted.at > silent_ms) noted.lag.reset();
  }
  return all;
}

}  // namespace racewatch::store
