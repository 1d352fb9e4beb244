// What travels on the bus between stages: a record, and where it lies. Plain values, no threads.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace racewatch::base {

// Largest Record::ByteSize that a sink takes; brokers and topics are set up for it.
inline constexpr size_t kRecordBytesMax = 4u << 20;

struct Header {
  std::string name;
  std::string value;
  friend bool operator==(const Header&, const Header&) = default;
};

struct TopicPartition {
  std::string topic;
  int32_t partition = 0;
  friend auto operator<=>(const TopicPartition&, const TopicPartition&) = default;
};

// An offset in a partition. As a resume position it names the *next* record to read, as Kafka commits it.
struct Position {
  TopicPartition where;
  int64_t offset = 0;
  friend auto operator<=>(const Position&, const Position&) = default;
};

struct Record {
  std::string topic;
  int32_t partition = -1;  // -1 when sending: chosen from the key (murmur2, as Kafka's Java client does)
  int64_t offset = -1;     // -1 when sending
  int64_t timestamp_ms = 0;  // Unix milliseconds of the append; 0 when sending means now
  std::string key;
  std::string value;
  bool tombstone = false;  // a null value: deletes the key when the topic is compacted
  std::vector<Header> headers;

  // The value of the first header of that name, or nullptr.
  const std::string* FindHeader(std::string_view name) const {
    for (const auto& h : headers)
      if (h.name == name) return &h.value;
    return nullptr;
  }
  size_t ByteSize() const {
    size_t n = topic.size() + key.size() + value.size() + 64;
    for (const auto& h : headers) n += h.name.size() + h.value.size();
    return n;
  }
};

}  // namespace racewatch::base
