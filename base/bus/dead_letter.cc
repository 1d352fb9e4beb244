#include "base/bus/dead_letter.h"

#include <string>

#include "base/bus/topics.h"
#include "base/sha256.h"

namespace racewatch::base {
Record MakeDeadLetter(const Record& original, std::string_view stage, std::string_view reason,
                      std::string_view detail, uint32_t attempts) {
  Record letter;
  letter.topic = kDeadLetterTopic;
  letter.key = original.key;
  letter.value = original.value.substr(0, kDeadLetterBytesMax);
  letter.headers = original.headers;
  auto add = [&letter](std::string name, std::string value) {
    letter.headers.push_back({std::move(name), std::move(value)});
  };
  add("dlq.reason", std::string(reason));
  add("dlq.stage", std::string(stage));
  add("dlq.topic", original.topic);
  add("dlq.partition", std::to_string(original.partition));
  add("dlq.offset", std::to_string(original.offset));
  add("dlq.attempts", std::to_string(attempts));
  add("dlq.detail", std::string(detail));
  if (original.value.size() > kDeadLetterBytesMax) {
    add("dlq.original_bytes", std::to_string(original.value.size()));
    add("dlq.original_sha256", Sha256Hex(original.value));
  }
  return letter;
}

Result<Record> OriginalOf(const Record& letter) {
  const std::string* topic = letter.FindHeader("dlq.topic");
  if (topic == nullptr || topic->empty()) return InvalidArgument("dead letter: no header dlq.topic");
  if (const std::string* bytes = letter.FindHeader("dlq.original_bytes"))
    return FailedPrecondition("dead letter: only " + std::to_string(letter.value.size()) + " of " + *bytes + " bytes were kept");
  Record original;
  original.topic = *topic;
  original.key = letter.key;
  original.value = letter.value;
  original.tombstone = letter.tombstone;
  for (const Header& header : letter.headers)
    if (!header.name.starts_with("dlq.")) original.headers.push_back(header);
  return original;
}

}  // namespace racewatch::base
