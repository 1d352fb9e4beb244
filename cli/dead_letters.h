// Looks at the dead letters of a bus and sends them again: behind `racewatch dlq`, straight over Kafka, or inside
// `racewatch up`, whose embedded log only its own process may open, under /api/v1/dlq. Each call reads the topic from
// its start with a source of its own, without a group. Any thread; the bus outlives this object.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "base/bus/record.h"
#include "base/status.h"

namespace racewatch::base {
class HttpServer;
class Sink;
}  // namespace racewatch::base

namespace racewatch::cli {

class Bus;

// Which letters. Empty fields admit everything.
struct LetterFilter {
  std::string stage;
  std::string reason;
  std::string topic;                // where the record had come from
  std::set<std::string> positions;  // `PARTITION/OFFSET` in the dead-letter topic, as `list` prints them
  bool Admits(const base::Record& letter) const;
};

class DeadLetters {
 public:
  explicit DeadLetters(Bus& bus) : bus_(bus) {}

  // The newest `limit` letters that pass, oldest first, one JSON object a line: position, at, key, stage, reason,
  // detail, topic, partition, offset, attempts, bytes. UNAVAILABLE when the bus does not answer.
  base::Result<std::string> List(const LetterFilter& filter, size_t limit);

  // One letter with its headers and its value: as JSON where it parses as what its topic holds, else as text.
  // NOT_FOUND when there is none at that position.
  base::Result<std::string> Show(const std::string& position);
  // The bytes of its value.
  base::Result<std::string> Value(const std::string& position);

  // Sends the originals of all that pass to the topics they came from and waits until they are delivered. One line
  // for each that cannot be sent ({"position","error"}), last {"requeued":N,"refused":N}. The letters stay: a letter that is
  // requeued twice is counted once by the store all the same.
  base::Result<std::string> Requeue(const LetterFilter& filter);

  // Serves the four under /api/v1/dlq. Requeue wants `Content-Type: application/json`, which a page of another
  // site cannot send without asking. Before the server starts; this object outlives it.
  void ServeOn(base::HttpServer& server);

 private:
  base::Status ForEach(const std::function<base::Status(base::Record&&)>& visit);
  base::Result<base::Record> Find(const std::string& position);

  Bus& bus_;
};

}  // namespace racewatch::cli
