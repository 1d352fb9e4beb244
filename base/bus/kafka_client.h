// What the Kafka source, sink and topic tools share: configuration from racewatch.v1.KafkaConfig,
// librdkafka's errors as our Status, its log lines in our log. Internal to the Kafka half of the
// bus. Stateless functions, safe from any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/bus/kafka_handles.h"
#include "base/status.h"

namespace racewatch::v1 {
class KafkaConfig;
}

namespace racewatch::base {

class Log;

// A configuration with everything that producers and consumers have alike, then
// `config.properties`. INVALID_ARGUMENT with librdkafka's text for a property it does not know or a
// value it refuses, and for properties on which the guarantees rest (acks, idempotence, offset
// storage), which are ours.
Result<KafkaConf> ClientConf(const v1::KafkaConfig& config, const std::string& role);
Result<KafkaConf> ProducerConf(const v1::KafkaConfig& config, const std::string& role);
// An empty group: for a consumer that assigns itself its partitions and never commits.
Result<KafkaConf> ConsumerConf(const v1::KafkaConfig& config, const std::string& role,
                               const std::string& group);

Status SetProperty(rd_kafka_conf_t* conf, const std::string& name, const std::string& value);

// Makes the client and takes `conf`. Callbacks get `opaque`. librdkafka's log goes to `log` (may be
// null).
Result<KafkaHandle> MakeClient(rd_kafka_type_t type, KafkaConf conf, void* opaque);

// The status for an error code. `what`: what we tried, on what. NO_ERROR is OK.
Status KafkaStatus(rd_kafka_resp_err_t error, std::string_view what, const char* reason = nullptr);
// The fatal error of a client that reported one; OK when it has none.
Status FatalStatus(rd_kafka_t* client, std::string_view what);

// Writes a line of librdkafka's own log: rate-limited, event `kafka_client`.
void LogClientLine(Log* log, int level, const char* facility, const char* text);

}  // namespace racewatch::base
