#include "base/bus/kafka_statistics.h"

#include <nlohmann/json.hpp>
#include <string>

namespace racewatch::base {

KafkaStatistics ParseKafkaStatistics(std::string_view json) {
  KafkaStatistics statistics;
  const auto root = nlohmann::json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (!root.is_object()) return statistics;
  const auto none = nlohmann::json::object();
  const auto child = [&none](const nlohmann::json& of, const char* name) -> const nlohmann::json& {
    const auto it = of.find(name);
    return it != of.end() && it->is_object() ? *it : none;
  };
  for (const auto& [name, broker] : child(root, "brokers").items())
    if (broker.is_object() && broker.value("state", std::string()) == "UP")
      statistics.broker_up = true;
  for (const auto& [topic, description] : child(root, "topics").items()) {
    if (!description.is_object()) continue;
    for (const auto& [number, partition] : child(description, "partitions").items()) {
      if (!partition.is_object()) continue;
      const int64_t id = partition.value("partition", int64_t{-1});
      const int64_t end = partition.value("ls_offset", int64_t{-1});
      if (id >= 0 && end >= 0) statistics.ends[{topic, static_cast<int32_t>(id)}] = end;
    }
  }
  return statistics;
}

}  // namespace racewatch::base
