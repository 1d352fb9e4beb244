#include "tests/system/kafka_node.h"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "base/bus/kafka_source.h"
#include "racewatch/v1/config.pb.h"
#include "tests/system/child_process.h"

namespace racewatch::system_test {

bool KafkaNode::Available(std::string* where) {
  const char* lib = std::getenv("RACEWATCH_KAFKA_LIB");
  *where = lib != nullptr ? lib : RACEWATCH_SOURCE_DIR "/build/kafka/lib";
  return std::filesystem::exists(*where + "/.complete");
}

KafkaNode::KafkaNode(std::string folder) : folder_(std::move(folder)) {
  std::string lib;
  if (!Available(&lib)) return;
  setenv("RACEWATCH_KAFKA_LIB", lib.c_str(), 1);
  if (RunToEnd({RACEWATCH_SOURCE_DIR "/deploy/kafka/start", folder_}, nullptr) != 0) return;
  std::string address;
  std::ifstream(folder_ + "/address") >> address;
  if (RunToEnd({RACEWATCH_BINARY_DIR "/racewatch", "topics", "apply", "--bootstrap", address}, nullptr) == 0) address_ = address;
}

KafkaNode::~KafkaNode() { RunToEnd({RACEWATCH_SOURCE_DIR "/deploy/kafka/stop", folder_}, nullptr); }

std::vector<base::Record> KafkaNode::Read(std::string_view topic) const {
  v1::KafkaConfig config;
  config.set_bootstrap_servers(address_);
  base::SourceOptions options;
  options.topics = {std::string(topic)};
  auto source = base::KafkaSource::Create(config, "reader", options, nullptr);
  if (!source.ok()) throw std::runtime_error(source.status().message());
  std::vector<base::Record> all;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (std::chrono::steady_clock::now() < deadline) {
    auto records = (*source)->Poll({5000, 64u << 20}, std::chrono::milliseconds(300));
    if (!records.ok()) continue;
    for (auto& record : *records) all.push_back(std::move(record));
    if (!records->empty() || (*source)->assignment().empty()) continue;
    int64_t expected = 0;
    for (const auto& where : (*source)->assignment())
      if (auto range = (*source)->Range(where); range.ok()) expected += range->end - range->start;
    if (static_cast<int64_t>(all.size()) < expected) continue;
    if (const auto closed = (*source)->Close(); !closed.ok()) throw std::runtime_error(closed.message());
    return all;
  }
  throw std::runtime_error("topic " + std::string(topic) + ": not read to its end in 60 s");
}

}  // namespace racewatch::system_test
