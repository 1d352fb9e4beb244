#include "store/retag_status.h"

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>

#include "base/bus/topics.h"
#include "store/codec.h"
#include "store/position_row.h"
#include "store/progress.h"

namespace racewatch::store {
namespace {

using Json = nlohmann::ordered_json;

std::string CoveredPrefix(uint32_t generation) { return "covered/" + std::to_string(generation) + "/"; }

// Changes the list, unless somebody else has changed it meanwhile.
base::Status Change(Engine& whole, const std::function<base::Status(Generations*, Batch*)>& change) {
  RW_ASSIGN_OR_RETURN(const auto stored, whole.Get(Table::kMeta, kGenerationsKey));
  RW_ASSIGN_OR_RETURN(Generations generations, Generations::Decode(stored));
  Batch batch;
  RW_RETURN_IF_ERROR(change(&generations, &batch));
  std::string encoded = generations.Encode();
  if (stored == encoded) return {};
  batch.Replace(Table::kMeta, std::string(kGenerationsKey), stored, std::move(encoded));
  return whole.Commit(batch);
}

Generation* Building(Generations* generations) {
  const Generation* found = generations->Building();
  return found == nullptr ? nullptr : &generations->all[static_cast<size_t>(found - generations->all.data())];
}

int64_t Of(const Offsets& offsets, const base::TopicPartition& where) {
  const auto at = offsets.find(where);
  return at == offsets.end() ? 0 : at->second;
}

}  // namespace

uint64_t RetagStatus::lag() const {
  uint64_t lag = 0;
  for (const auto& [where, next] : counted) lag += static_cast<uint64_t>(std::max<int64_t>(0, next - Of(covered, where)));
  return lag;
}

std::string CoveredKey(uint32_t generation, const base::TopicPartition& where) {
  return CoveredPrefix(generation) + where.topic + "/" + std::to_string(where.partition);
}

base::Result<Offsets> ReadCounted(const View& whole, const std::string& cluster_id) {
  Offsets out;
  for (const std::string_view topic : {base::kTaggedTopic, base::kTaggedBackfillTopic}) {
    std::string prefix;
    AppendText(&prefix, cluster_id);
    AppendText(&prefix, topic);
    base::Status damage;
    RW_RETURN_IF_ERROR(whole.Scan(Table::kPosition, prefix, "", false, [&](std::string_view key, std::string_view value) {
      if (!key.starts_with(prefix)) return false;
      PositionRow row;
      Reader rest(key.substr(prefix.size()));
      const auto partition = static_cast<int32_t>(rest.Big<uint32_t>());
      if (!rest.ok() || !PositionRow::Decode(value, &row)) return damage = base::DataLoss("position row: damaged"), false;
      if (row.next_offset > 0) out[{std::string(topic), partition}] = row.next_offset;
      return true;
    }));
    RW_RETURN_IF_ERROR(damage);
  }
  return out;
}

base::Result<Offsets> ReadCovered(const View& whole, uint32_t generation) {
  const std::string prefix = CoveredPrefix(generation);
  std::string end = prefix;
  ++end.back();
  Offsets out;
  RW_RETURN_IF_ERROR(whole.Scan(Table::kMeta, prefix, end, false, [&](std::string_view key, std::string_view value) {
    const std::string_view rest = key.substr(prefix.size());
    const size_t slash = rest.rfind('/');
    out[{std::string(rest.substr(0, slash)), std::stoi(std::string(rest.substr(slash + 1)))}] = Reader(value).Signed();
    return true;
  }));
  return out;
}

base::Result<RetagStatus> ReadRetag(const View& whole) {
  RetagStatus out;
  RW_ASSIGN_OR_RETURN(out.generations, ReadGenerations(whole));
  RW_ASSIGN_OR_RETURN(const Progress progress, ReadProgress(whole));
  out.model_version = progress.model_version;
  if (const Generation* building = out.generations.Building()) {
    RW_ASSIGN_OR_RETURN(out.covered, ReadCovered(whole, building->number));
    RW_ASSIGN_OR_RETURN(out.queries, ReadQueries(whole, building->number));
  }
  RW_ASSIGN_OR_RETURN(const auto cluster_id, whole.Get(Table::kMeta, "cluster"));
  if (!cluster_id) return out;
  RW_ASSIGN_OR_RETURN(out.counted, ReadCounted(whole, *cluster_id));
  return out;
}

base::Result<uint32_t> BeginRetag(Engine& whole, const std::string& model_version, base::UnixMs now) {
  if (model_version.empty() || model_version.size() > 200) return base::InvalidArgument("retag: model_version: 1 to 200 bytes are needed");
  uint32_t number = 0;
  RW_RETURN_IF_ERROR(Change(whole, [&](Generations* generations, Batch* batch) -> base::Status {
    if (const Generation* building = Building(generations)) {
      number = building->number;
      if (building->model_version == model_version) return {};
      return base::FailedPrecondition("retag: generation " + std::to_string(number) + " of model " + building->model_version +
                                      " is being built: go on with that model or cancel it");
    }
    const Generation* active = generations->Find(generations->active);
    if (active != nullptr && active->model_version == model_version)
      return base::FailedPrecondition("retag: the active series are those of model " + model_version + " already");
    number = ++generations->last;
    generations->all.push_back({number, Generation::State::kBuilding, model_version, now, 0});
    return AskInGeneration(whole, number, batch);
  }));
  return number;
}

base::Status RequestSwitch(Engine& whole) {
  RW_ASSIGN_OR_RETURN(const RetagStatus status, ReadRetag(whole));
  if (status.generations.Building() == nullptr) return base::FailedPrecondition("retag: no generation is being built");
  if (status.lag() > kSwitchLagMax)
    return base::FailedPrecondition("retag: " + std::to_string(status.lag()) + " records are not re-tagged yet, at most " +
                                    std::to_string(kSwitchLagMax) + " may be missing for a switch");
  return Change(whole, [](Generations* generations, Batch*) -> base::Status {
    Generation* building = Building(generations);
    if (building == nullptr) return base::FailedPrecondition("retag: no generation is being built");
    building->state = Generation::State::kSwitching;
    return {};
  });
}

base::Status CancelRetag(Engine& whole) {
  return Change(whole, [](Generations* generations, Batch*) -> base::Status {
    Generation* building = Building(generations);
    if (building == nullptr) return base::FailedPrecondition("retag: no generation is being built");
    building->state = Generation::State::kAbandoned;
    return {};
  });
}

std::string ToJson(const RetagStatus& status) {
  Json out{{"active", status.generations.active}, {"model_version", status.model_version}, {"generations", Json::array()}};
  for (const Generation& one : status.generations.all)
    out["generations"].push_back({{"generation", one.number},
                                  {"model_version", one.model_version},
                                  {"state", StateName(one.state)},
                                  {"begun_ms", one.begun_ms},
                                  {"switched_ms", one.switched_ms}});
  if (const Generation* building = status.generations.Building()) {
    Json& part = out["building"] = {{"generation", building->number}, {"model_version", building->model_version}, {"lag", status.lag()},
                                    {"queries", Json::array()}, {"partitions", Json::array()}};
    for (const SavedQuery& query : status.queries) part["queries"].push_back({{"name", query.name}, {"expression", query.expression}});
    Offsets all = status.counted;
    all.insert(status.covered.begin(), status.covered.end());
    for (const auto& [where, next] : all)
      part["partitions"].push_back({{"topic", where.topic}, {"partition", where.partition}, {"counted", Of(status.counted, where)},
                                    {"covered", Of(status.covered, where)}});
  }
  return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace racewatch::store
