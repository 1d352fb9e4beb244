// One Apache Kafka node for a system test, with racewatch's topics, in a folder of its own; stopped by the destructor.
// Not thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/bus/record.h"

namespace racewatch::system_test {

class KafkaNode {
 public:
  // Whether the jars are there; `where` says where they were looked for.
  static bool Available(std::string* where);

  explicit KafkaNode(std::string folder);
  ~KafkaNode();
  KafkaNode(const KafkaNode&) = delete;
  KafkaNode& operator=(const KafkaNode&) = delete;

  // Empty when it did not start.
  const std::string& address() const { return address_; }
  // All that lies in the topic now. Throws when it cannot be read to its end within 60 s.
  std::vector<base::Record> Read(std::string_view topic) const;

 private:
  const std::string folder_;
  std::string address_;
};

}  // namespace racewatch::system_test
