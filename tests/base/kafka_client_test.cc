// What the Kafka half of the bus does without a broker: configuration, errors, statistics.
#include "base/bus/kafka_client.h"

#include <gtest/gtest.h>

#include "base/bus/kafka_sink.h"
#include "base/bus/kafka_source.h"
#include "base/bus/kafka_statistics.h"
#include "racewatch/v1/config.pb.h"

namespace racewatch::base {
namespace {

v1::KafkaConfig Config() {
  v1::KafkaConfig config;
  config.set_bootstrap_servers("127.0.0.1:1");
  return config;
}

std::string Get(const KafkaConf& conf, const std::string& name) {
  char value[256] = "";
  size_t size = sizeof value;
  EXPECT_EQ(rd_kafka_conf_get(conf.get(), name.c_str(), value, &size), RD_KAFKA_CONF_OK) << name;
  return value;
}

// The text of the mistake that makes Create refuse `config`, for a source and for a sink alike.
std::string Mistake(const v1::KafkaConfig& config) {
  const auto sink = KafkaSink::Create(config, "test", nullptr);
  const auto source = KafkaSource::Create(config, "test", {{"t"}, "g", nullptr}, nullptr);
  EXPECT_EQ(sink.status().code(), Code::kInvalidArgument);
  EXPECT_EQ(source.status().code(), Code::kInvalidArgument);
  EXPECT_EQ(sink.status().message(), source.status().message());
  return sink.status().message();
}

TEST(KafkaConfig, NeedsBrokers) {
  EXPECT_NE(Mistake({}).find("bootstrap_servers"), std::string::npos);
}

TEST(KafkaConfig, AnUnknownPropertyIsRefusedByName) {
  v1::KafkaConfig config = Config();
  (*config.mutable_properties())["no.such.property"] = "1";
  EXPECT_EQ(
      Mistake(config),
      "kafka property no.such.property: No such configuration property: \"no.such.property\"");
}

TEST(KafkaConfig, ABadValueIsRefusedWithItsReason) {
  v1::KafkaConfig config = Config();
  (*config.mutable_properties())["socket.timeout.ms"] = "soon";
  EXPECT_NE(Mistake(config).find("socket.timeout.ms"), std::string::npos);
}

TEST(KafkaConfig, PropertiesOnWhichTheGuaranteesRestAreNotForTheOperator) {
  for (const char* name : {"acks", "enable.idempotence", "auto.offset.reset", "enable.auto.commit",
                           "max.in.flight.requests.per.connection"}) {
    v1::KafkaConfig config = Config();
    (*config.mutable_properties())[name] = "1";
    EXPECT_NE(Mistake(config).find("is set by racewatch"), std::string::npos) << name;
  }
}

TEST(KafkaConfig, UnknownCodecsAndAssignorsAreRefused) {
  v1::KafkaConfig config = Config();
  config.set_compression("brotli");
  EXPECT_EQ(KafkaSink::Create(config, "test", nullptr).status().code(), Code::kInvalidArgument);
  config = Config();
  config.set_assignment("sticky");
  EXPECT_EQ(KafkaSource::Create(config, "test", {}, nullptr).status().code(),
            Code::kInvalidArgument);
}

TEST(KafkaConfig, ProducersAreIdempotentWithOneRequestInFlight) {
  const auto conf = ProducerConf(Config(), "ingest");
  ASSERT_TRUE(conf.ok()) << conf.status().ToString();
  EXPECT_EQ(Get(*conf, "enable.idempotence"), "true");
  EXPECT_EQ(Get(*conf, "acks"), "-1");
  EXPECT_EQ(Get(*conf, "max.in.flight.requests.per.connection"), "1");
  EXPECT_EQ(Get(*conf, "compression.codec"), "zstd");
  EXPECT_EQ(Get(*conf, "partitioner"), "murmur2_random");
  EXPECT_EQ(Get(*conf, "client.id"), "racewatch-ingest");
}

TEST(KafkaConfig, ConsumersNeverMoveAnOffsetByThemselves) {
  v1::KafkaConfig config = Config();
  config.set_group_instance_id("store-0");
  config.set_session_timeout_ms(7000);
  const auto conf = ConsumerConf(config, "store", "racewatch-store");
  ASSERT_TRUE(conf.ok()) << conf.status().ToString();
  EXPECT_EQ(Get(*conf, "enable.auto.commit"), "false");
  EXPECT_EQ(Get(*conf, "enable.auto.offset.store"), "false");
  EXPECT_EQ(Get(*conf, "auto.offset.reset"), "error");
  EXPECT_EQ(Get(*conf, "group.instance.id"), "store-0");
  EXPECT_EQ(Get(*conf, "session.timeout.ms"), "7000");
}

TEST(KafkaErrors, TellRetryableFromPermanentFromFenced) {
  EXPECT_TRUE(KafkaStatus(RD_KAFKA_RESP_ERR_NO_ERROR, "x").ok());
  EXPECT_TRUE(KafkaStatus(RD_KAFKA_RESP_ERR__TRANSPORT, "x").retryable());
  EXPECT_TRUE(KafkaStatus(RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, "x").retryable());
  EXPECT_TRUE(KafkaStatus(RD_KAFKA_RESP_ERR__QUEUE_FULL, "x").retryable());
  EXPECT_FALSE(KafkaStatus(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, "x").retryable());
  EXPECT_FALSE(KafkaStatus(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, "x").retryable());
  EXPECT_EQ(KafkaStatus(RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, "x").code(),
            Code::kFailedPrecondition);
  EXPECT_EQ(KafkaStatus(RD_KAFKA_RESP_ERR__TRANSPORT, "commit", "broken pipe").message(),
            "commit: broken pipe");
}

TEST(KafkaStatistics, FindEndsAndWhetherABrokerAnswers) {
  const auto statistics = ParseKafkaStatistics(R"({
    "brokers": {"a": {"state": "DOWN"}, "b": {"state": "UP"}},
    "topics": {"t": {"partitions": {
      "0": {"partition": 0, "ls_offset": 42}, "1": {"partition": 1, "ls_offset": -1001}, "-1": {"partition": -1, "ls_offset": 0}}}}})");
  EXPECT_TRUE(statistics.broker_up);
  EXPECT_EQ(statistics.ends, (std::map<TopicPartition, int64_t>{{{"t", 0}, 42}}));
}

TEST(KafkaStatistics, AreEmptyWhenMalformed) {
  for (const char* text : {"", "{", "[]", "null", R"({"brokers": 1, "topics": {"t": 2}})",
                           R"({"topics": {"t": {"partitions": [1]}}})"}) {
    const auto statistics = ParseKafkaStatistics(text);
    EXPECT_FALSE(statistics.broker_up) << text;
    EXPECT_TRUE(statistics.ends.empty()) << text;
  }
}

}  // namespace
}  // namespace racewatch::base
