#include <atomic>
#include <random>

#include "base/bus/kafka_sink.h"
#include "base/bus/kafka_source.h"
#include "base/bus/topic_admin.h"
#include "racewatch/v1/config.pb.h"
#include "tests/base/bus_conformance.h"
#include "tests/base/kafka_broker.h"

namespace racewatch::base {
namespace {

// Short waits, so that rebalances do not take the tests' time.
v1::KafkaConfig ConfigFor(const std::string& address) {
  v1::KafkaConfig config;
  config.set_bootstrap_servers(address);
  config.set_session_timeout_ms(6000);
  return config;
}

std::string UniqueName(const std::string& prefix) {
  static std::random_device random;
  return prefix + "-" + std::to_string(random()) + "-" + std::to_string(random());
}

void MakeTopicOn(const std::string& address, const std::string& name, int32_t partitions) {
  auto made =
      ApplyTopics(ConfigFor(address), {{name, partitions, -1, false, false, 0}}, {}, nullptr);
  EXPECT_TRUE(made.ok()) << made.status().ToString();
}

std::unique_ptr<Source> MakeSourceOn(const v1::KafkaConfig& config, SourceOptions options) {
  auto source = KafkaSource::Create(config, "test", std::move(options), nullptr);
  EXPECT_TRUE(source.ok()) << source.status().ToString();
  return std::move(source).value();
}

class KafkaHarness : public BusHarness {
 public:
  static std::string SkipReason() { return KafkaBroker::SkipReason(); }
  std::string MakeTopic(int32_t partitions) override {
    const std::string name = UniqueName("conformance");
    MakeTopicOn(KafkaBroker::SharedAddress(), name, partitions);
    return name;
  }
  std::unique_ptr<Source> MakeSource(SourceOptions options) override {
    v1::KafkaConfig config = ConfigFor(KafkaBroker::SharedAddress());
    config.set_assignment(assignment_);
    return MakeSourceOn(config, std::move(options));
  }
  std::unique_ptr<Sink> MakeSink(size_t queue_bytes_max) override {
    v1::KafkaConfig config = ConfigFor(KafkaBroker::SharedAddress());
    config.set_queue_bytes_max(queue_bytes_max);
    auto sink = KafkaSink::Create(config, "test", nullptr);
    EXPECT_TRUE(sink.ok()) << sink.status().ToString();
    return std::move(sink).value();
  }
  void Expire(const TopicPartition& where, int64_t offset) override {
    const Status done = DeleteRecordsBefore(ConfigFor(KafkaBroker::SharedAddress()), where.topic,
                                            where.partition, offset);
    EXPECT_TRUE(done.ok()) << done.ToString();
  }

 protected:
  std::string assignment_ = "range";
};

class KafkaCooperativeHarness final : public KafkaHarness {
 public:
  KafkaCooperativeHarness() { assignment_ = "cooperative-sticky"; }
};

INSTANTIATE_TYPED_TEST_SUITE_P(KafkaRange, BusConformance, KafkaHarness);
INSTANTIATE_TYPED_TEST_SUITE_P(KafkaCooperative, BusConformance, KafkaCooperativeHarness);

}  // namespace
}  // namespace racewatch::base
