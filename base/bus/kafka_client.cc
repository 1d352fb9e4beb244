#include "base/bus/kafka_client.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <utility>

#include "base/bus/record.h"
#include "base/log.h"
#include "racewatch/v1/config.pb.h"

namespace racewatch::base {

namespace {

using Properties = std::initializer_list<std::pair<const char*, std::string>>;

// A record's headers and framing on top of the largest record.
constexpr size_t kMessageBytesMax = kRecordBytesMax + (64u << 10);
constexpr int kFirstGoodCooperative =
    0x020601ff;                              // librdkafka 2.6.1: below, it can loop at 100 % CPU
constexpr int kFirstGoodScram = 0x020601ff;  // below, SCRAM fails against every 4.x broker

// The guarantees rest on these; an operator who changes them would not notice what breaks.
constexpr std::array<std::string_view, 11> kOurs = {"max.in.flight",
                                                    "max.in.flight.requests.per.connection",
                                                    "acks",
                                                    "request.required.acks",
                                                    "enable.idempotence",
                                                    "enable.auto.commit",
                                                    "enable.auto.offset.store",
                                                    "group.id",
                                                    "auto.offset.reset",
                                                    "partitioner",
                                                    "transactional.id"};

Status SetAll(rd_kafka_conf_t* conf, const Properties& properties) {
  for (const auto& [name, value] : properties) RW_RETURN_IF_ERROR(SetProperty(conf, name, value));
  return Status::Ok();
}

Status SetOperatorProperties(rd_kafka_conf_t* conf, const v1::KafkaConfig& config) {
  for (const auto& [name, value] : config.properties()) {
    if (std::find(kOurs.begin(), kOurs.end(), name) != kOurs.end())
      return InvalidArgument("kafka property " + name +
                             ": is set by racewatch, its guarantees rest on it");
    RW_RETURN_IF_ERROR(SetProperty(conf, name, value));
  }
  return Status::Ok();
}

Result<std::string> Assignment(const v1::KafkaConfig& config) {
  const std::string& wanted = config.assignment();
  if (wanted.empty())
    return std::string(rd_kafka_version() < kFirstGoodCooperative ? "range" : "cooperative-sticky");
  if (wanted == "range" || wanted == "cooperative-sticky") return wanted;
  return InvalidArgument("kafka assignment '" + wanted + "': range or cooperative-sticky");
}

Code CodeFor(rd_kafka_resp_err_t error) {
  switch (error) {
    case RD_KAFKA_RESP_ERR__FENCED:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
      return Code::kFailedPrecondition;
    case RD_KAFKA_RESP_ERR__QUEUE_FULL:
      return Code::kResourceExhausted;
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
      return Code::kNotFound;
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
      return Code::kInvalidArgument;
    case RD_KAFKA_RESP_ERR__PURGE_QUEUE:
    case RD_KAFKA_RESP_ERR__PURGE_INFLIGHT:
      return Code::kDeadlineExceeded;
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
      return Code::kUnauthenticated;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
      return Code::kPermissionDenied;
    case RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS:
      return Code::kAlreadyExists;
    case RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS:
      return Code::kAborted;
    case RD_KAFKA_RESP_ERR__FATAL:
    case RD_KAFKA_RESP_ERR__STATE:
      return Code::kInternal;
    default:
      return Code::kUnavailable;  // the rest is about brokers, leaders, coordinators and time
  }
}

}  // namespace

Status SetProperty(rd_kafka_conf_t* conf, const std::string& name, const std::string& value) {
  char text[512];
  if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), text, sizeof text) == RD_KAFKA_CONF_OK)
    return Status::Ok();
  return InvalidArgument("kafka property " + name + ": " + text);
}

Result<KafkaConf> ClientConf(const v1::KafkaConfig& config, const std::string& role) {
  if (config.bootstrap_servers().empty())
    return InvalidArgument("kafka bootstrap_servers: is required");
  KafkaConf conf(rd_kafka_conf_new());
  RW_RETURN_IF_ERROR(
      SetAll(conf.get(),
             {{"bootstrap.servers", config.bootstrap_servers()},
              {"client.id", config.client_id().empty() ? "racewatch-" + role : config.client_id()},
              {"message.max.bytes", std::to_string(kMessageBytesMax)},
              {"socket.nagle.disable", "true"},
              {"reconnect.backoff.ms", "100"},
              {"reconnect.backoff.max.ms", "1000"},
              {"allow.auto.create.topics", "false"}}));
  return conf;
}

Result<KafkaConf> ProducerConf(const v1::KafkaConfig& config, const std::string& role) {
  RW_ASSIGN_OR_RETURN(KafkaConf conf, ClientConf(config, role));
  const std::string& codec = config.compression();
  if (!codec.empty() && codec != "zstd" && codec != "lz4" && codec != "none")
    return InvalidArgument("kafka compression '" + codec + "': zstd, lz4 or none");
  // One request in flight. With more, a broker that refuses the first batch for a partition it does
  // not lead yet may take the second, and then answers the repeat of the first with "duplicate
  // sequence", which librdkafka reports as delivered: an acknowledged record is lost. Seen on fresh
  // topics, 1 run in 30. Our own queue counts bytes and refuses first; librdkafka's limits lie
  // above it.
  RW_RETURN_IF_ERROR(SetAll(
      conf.get(), {{"enable.idempotence", "true"},
                   {"acks", "all"},
                   {"partitioner", "murmur2_random"},
                   {"compression.codec", codec.empty() ? "zstd" : codec},
                   {"max.in.flight.requests.per.connection", "1"},
                   {"linger.ms", std::to_string(config.linger_ms() > 0 ? config.linger_ms() : 5)},
                   {"queue.buffering.max.messages", "10000000"},
                   {"queue.buffering.max.kbytes", "2097151"}}));
  RW_RETURN_IF_ERROR(SetOperatorProperties(conf.get(), config));
  return conf;
}

Result<KafkaConf> ConsumerConf(const v1::KafkaConfig& config, const std::string& role,
                               const std::string& group) {
  RW_ASSIGN_OR_RETURN(KafkaConf conf, ClientConf(config, role));
  RW_ASSIGN_OR_RETURN(const std::string assignment, Assignment(config));
  const uint32_t session_ms = config.session_timeout_ms() > 0 ? config.session_timeout_ms() : 10000;
  // librdkafka wants a group even where none is joined.
  RW_RETURN_IF_ERROR(
      SetAll(conf.get(), {{"group.id", group.empty() ? "racewatch-no-group" : group},
                          {"enable.auto.commit", "false"},
                          {"enable.auto.offset.store", "false"},
                          {"auto.offset.reset", "error"},
                          {"partition.assignment.strategy", assignment},
                          {"session.timeout.ms", std::to_string(session_ms)},
                          {"heartbeat.interval.ms", std::to_string(std::max(session_ms / 5, 100u))},
                          {"queued.max.messages.kbytes", "24576"},
                          {"check.crcs", "true"},
                          {"statistics.interval.ms", "1000"}}));
  if (!config.group_instance_id().empty() && !group.empty())
    RW_RETURN_IF_ERROR(SetProperty(conf.get(), "group.instance.id", config.group_instance_id()));
  RW_RETURN_IF_ERROR(SetOperatorProperties(conf.get(), config));
  return conf;
}

Result<KafkaHandle> MakeClient(rd_kafka_type_t type, KafkaConf conf, void* opaque) {
  char text[512];
  rd_kafka_conf_set_opaque(conf.get(), opaque);
  rd_kafka_t* client = rd_kafka_new(type, conf.get(), text, sizeof text);
  if (!client) return InvalidArgument(std::string("kafka client: ") + text);
  (void)conf.release();  // the client's now
  return KafkaHandle(client);
}

Status KafkaStatus(rd_kafka_resp_err_t error, std::string_view what, const char* reason) {
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return Status::Ok();
  std::string message =
      std::string(what) + ": " + (reason && *reason ? reason : rd_kafka_err2str(error));
  const Code code = CodeFor(error);
  if (code == Code::kUnauthenticated && rd_kafka_version() < kFirstGoodScram)
    message +=
        " (SCRAM needs librdkafka 2.6.1 for brokers of version 4; mTLS and PLAIN work with this "
        "one)";
  return {code, std::move(message)};
}

Status FatalStatus(rd_kafka_t* client, std::string_view what) {
  char text[512];
  const rd_kafka_resp_err_t error = rd_kafka_fatal_error(client, text, sizeof text);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return Status::Ok();
  const Code code =
      CodeFor(error) == Code::kFailedPrecondition ? Code::kFailedPrecondition : Code::kInternal;
  return {code, std::string(what) + ": " + text};
}

void LogClientLine(Log* log, int level, const char* facility, const char* text) {
  constexpr int kSyslogError = 3, kSyslogNotice = 5;
  if (!log) return;
  const LogLevel as = level <= kSyslogError    ? LogLevel::kError
                      : level <= kSyslogNotice ? LogLevel::kWarn
                                               : LogLevel::kDebug;
  log->RateLimited(as, "kafka_client", {{"facility", facility}, {"text", text}});
}

}  // namespace racewatch::base
