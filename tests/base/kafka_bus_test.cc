#include <algorithm>
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

std::unique_ptr<KafkaSink> MakeSinkOn(const v1::KafkaConfig& config) {
  auto sink = KafkaSink::Create(config, "test", nullptr);
  EXPECT_TRUE(sink.ok()) << sink.status().ToString();
  return std::move(sink).value();
}

class KafkaTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string reason = KafkaBroker::SkipReason(); !reason.empty())
      GTEST_SKIP() << reason;
    config_ = ConfigFor(KafkaBroker::SharedAddress());
  }
  std::string MakeTopic(int32_t partitions) {
    std::string name = UniqueName("kafka");
    MakeTopicOn(config_.bootstrap_servers(), name, partitions);
    return name;
  }
  v1::KafkaConfig config_;
};

// With several requests in flight this loses the large record in 1 run of 30 (kafka_client.cc).
TEST_F(KafkaTest, AFreshTopicLosesNothingAcknowledged) {
  auto sink = MakeSinkOn(config_);
  for (int round = 0; round < 20; ++round) {
    const std::string topic = MakeTopic(4);
    const auto at = SendAll(*sink, {MakeRecord(topic, "big", std::string(3u << 20, 'x'), 0),
                                    MakeRecord(topic, "small", "s", 0)});
    EXPECT_EQ(at[0].offset, 0);
    EXPECT_EQ(at[1].offset, 1);
  }
}

TEST_F(KafkaTest, AReaderThatFallsBehindRetentionCountsAGapAndGoesOn) {
  const std::string topic = MakeTopic(1);
  auto sink = MakeSinkOn(config_);
  // More than the client fetches ahead, so that it must ask for what is gone by then.
  const std::string large(256u << 10, 'x');
  std::vector<Record> records;
  for (int i = 0; i < 200; ++i)
    records.push_back(MakeRecord(topic, "k", large + std::to_string(i), 0));
  std::mt19937 random(3);
  for (Record& r : records)
    for (char& c : r.value) c = static_cast<char>(random());
  for (size_t i = 0; i < records.size(); i += 100)  // the sink holds 32 MiB
    SendAll(*sink, {records.begin() + static_cast<ptrdiff_t>(i),
                    records.begin() + static_cast<ptrdiff_t>(i) + 100});
  std::vector<std::unique_ptr<Source>> sources;
  sources.push_back(MakeSourceOn(config_, {{topic}, "", nullptr}));
  for (const char* assignment : {"range", "cooperative-sticky"}) {
    config_.set_assignment(assignment);
    sources.push_back(MakeSourceOn(config_, {{topic}, UniqueName("group"), nullptr}));
  }
  const auto one = [](const auto& all) { return !all.empty(); };
  for (const auto& source : sources) ASSERT_EQ(PollUntil(*source, one, {1, 1}).size(), 1u);
  ASSERT_TRUE(DeleteRecordsBefore(config_, topic, 0, 195).ok());
  for (const auto& source : sources) {
    int64_t last = 0;
    const auto at_end = [&last](const auto& all) {
      return (last = all.empty() ? 0 : all.back().offset) >= 199;
    };
    const auto rest = PollUntil(*source, at_end);
    EXPECT_EQ(last, 199);
    for (size_t i = 1; i < rest.size(); ++i) EXPECT_GT(rest[i].offset, rest[i - 1].offset);
    EXPECT_EQ(source->gaps(), 1);
  }
}

TEST_F(KafkaTest, ASecondInstanceOfAStaticMemberFencesTheFirst) {
  const std::string topic = MakeTopic(2), group = UniqueName("group");
  config_.set_group_instance_id("store-0");
  auto first = MakeSourceOn(config_, {{topic}, group, nullptr});
  PollUntil(*first, [&](const auto&) { return first->assignment().size() == 2; });
  auto second = MakeSourceOn(config_, {{topic}, group, nullptr});
  Status fenced;
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (fenced.ok() && std::chrono::steady_clock::now() < deadline) {
    (void)second->Poll({}, milliseconds(50));
    auto batch = first->Poll({}, milliseconds(50));
    if (!batch.ok() && !batch.status().retryable()) fenced = batch.status();
  }
  EXPECT_EQ(fenced.code(), Code::kFailedPrecondition) << fenced.ToString();
  EXPECT_EQ(first->Commit({{{topic, 0}, 0}}).code(), Code::kFailedPrecondition);
}

TEST_F(KafkaTest, ALongPauseStopsFetchingAndLosesNothing) {
  const std::string topic = MakeTopic(1);
  auto sink = MakeSinkOn(config_);
  auto source = MakeSourceOn(config_, {{topic}, "", nullptr});
  SendAll(*sink, {MakeRecord(topic, "k", "first", 0)});
  ASSERT_EQ(PollRecords(*source, 1).size(), 1u);
  ASSERT_TRUE(source->Pause({{topic, 0}}).ok());
  std::vector<Record> records;  // 8 MB: four times what the source holds before it stops librdkafka
  for (int i = 0; i < 80; ++i)
    records.push_back(MakeRecord(topic, "k", std::to_string(i) + std::string(100'000, 'x'), 0));
  SendAll(*sink, records);
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(source->Poll({}, milliseconds(50)).value().empty());
  ASSERT_TRUE(source->Resume({{topic, 0}}).ok());
  const auto came = PollRecords(*source, 80);
  ASSERT_EQ(came.size(), 80u);
  for (size_t i = 0; i < 80; ++i) EXPECT_EQ(came[i].offset, static_cast<int64_t>(i) + 1);
}

TEST_F(KafkaTest, AnUnknownTopicIsNamedAndFoundOnceItIsMade) {
  const std::string topic = UniqueName("later");
  auto source = MakeSourceOn(config_, {{topic}, "", nullptr});
  const auto missing = source->Poll({}, milliseconds(10));
  ASSERT_FALSE(missing.ok());
  EXPECT_TRUE(missing.status().retryable());
  EXPECT_NE(missing.status().message().find(topic), std::string::npos);
  MakeTopicOn(config_.bootstrap_servers(), topic, 1);
  auto sink = MakeSinkOn(config_);
  SendAll(*sink, {MakeRecord(topic, "k", "v")});
  EXPECT_EQ(PollRecords(*source, 1).size(), 1u);
}

TEST_F(KafkaTest, TopicsAreMadeCheckedAndCorrected) {
  const std::string name = UniqueName("racewatch.made");
  TopicSpec spec{name, 3, 86'400'000, false, true, 0};
  EXPECT_EQ(CheckTopics(config_, {spec}, {}, nullptr).value().at(0).what, "is missing");
  EXPECT_EQ(ApplyTopics(config_, {spec}, {}, nullptr).value().at(0).what, "made with 3 partitions");
  EXPECT_TRUE(CheckTopics(config_, {spec}, {}, nullptr).value().empty());
  EXPECT_TRUE(ApplyTopics(config_, {spec}, {}, nullptr).value().empty());
  spec.retention_ms = -1;
  spec.compacted = true;
  EXPECT_NE(CheckTopics(config_, {spec}, {}, nullptr)
                .value()
                .at(0)
                .what.find("retention.ms is 86400000, not -1"),
            std::string::npos);
  EXPECT_EQ(ApplyTopics(config_, {spec}, {}, nullptr).value().size(), 1u);
  EXPECT_TRUE(CheckTopics(config_, {spec}, {}, nullptr).value().empty());
  spec.partitions = 5;
  EXPECT_EQ(CheckTopics(config_, {spec}, {}, nullptr).value().at(0).what,
            "has 3 partitions, not 5");
}

// ---- a broker that dies

class KafkaLossTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string reason = KafkaBroker::SkipReason(); !reason.empty())
      GTEST_SKIP() << reason;
    ASSERT_TRUE(broker_.Start());
    config_ = ConfigFor(broker_.address());
    MakeTopicOn(broker_.address(), "t", 4);
  }
  KafkaBroker broker_;
  v1::KafkaConfig config_;
};

TEST_F(KafkaLossTest, KillingTheBrokerInMidProduceLosesAndDoublesNothing) {
  auto sink = MakeSinkOn(config_);
  auto source = MakeSourceOn(config_, {{"t"}, "g", nullptr});
  std::mutex mutex;
  std::set<std::string> acknowledged;
  std::atomic<int> failed{0};
  std::atomic<bool> stop{false};
  std::thread producer([&] {
    for (int i = 0; !stop; ++i) {
      const std::string key = "key" + std::to_string(i);
      const auto report = [&, key](const Delivery& d) {
        std::lock_guard guard(mutex);
        if (d.status.ok()) acknowledged.insert(key);
        failed += !d.status.ok();
      };
      while (!stop && sink->Send(MakeRecord("t", key, std::string(2000, 'x')), report).code() ==
                          Code::kResourceExhausted)
        (void)sink->Flush(milliseconds(10));
    }
  });
  const auto acknowledged_count = [&] {
    std::lock_guard guard(mutex);
    return acknowledged.size();
  };
  std::multiset<std::string> seen;
  const auto read_until = [&](const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + 2 * kPatience;
    while (!done() && std::chrono::steady_clock::now() < deadline) {
      const auto batch = source->Poll({}, milliseconds(20));
      if (!batch.ok()) {
        ASSERT_TRUE(batch.status().retryable()) << batch.status().ToString();
        continue;
      }
      for (const Record& r : *batch) seen.insert(r.key);
      (void)source->Commit(NextPositions(*batch));
    }
    ASSERT_TRUE(done());
  };
  for (int round = 0; round < 3; ++round) {
    const size_t before = acknowledged_count();
    read_until([&] { return acknowledged_count() > before + 2000; });
    broker_.Kill();
    ASSERT_TRUE(broker_.Start());
  }
  const size_t before = acknowledged_count();
  read_until([&] { return acknowledged_count() > before + 2000; });
  stop = true;
  producer.join();
  ASSERT_TRUE(sink->Flush(2 * kPatience).ok());
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(sink->restarts(), 0) << "a fatal error of the client would allow doubles";
  // An own reader, from the start: what lies in the log, not what a group was handed (at least
  // once).
  auto reader = MakeSourceOn(config_, {{"t"}, "", nullptr});
  std::multiset<std::string> stored;
  for (const Record& r :
       PollUntil(*reader, [&](const auto& all) { return all.size() >= acknowledged.size(); }))
    stored.insert(r.key);
  ExpectNothingMore(*reader);
  for (const std::string& key : acknowledged) EXPECT_EQ(stored.count(key), 1u) << key;
  EXPECT_EQ(stored.size(), acknowledged.size());
  for (const std::string& key : acknowledged) EXPECT_TRUE(stored.contains(key));
  read_until([&] {
    return std::includes(seen.begin(), seen.end(), acknowledged.begin(), acknowledged.end());
  });
}

TEST_F(KafkaLossTest, WhileTheBrokerIsAwayASourceSaysUnavailableAndRecovers) {
  auto source = MakeSourceOn(config_, {{"t"}, "g", nullptr});
  auto sink = MakeSinkOn(config_);
  SendAll(*sink, {MakeRecord("t", "k", "before")});
  const auto records = PollRecords(*source, 1);
  ASSERT_EQ(records.size(), 1u);
  broker_.Kill();
  ASSERT_TRUE(sink->Send(MakeRecord("t", "k", "during"), nullptr).ok());
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  Status status;
  while (status.ok() && std::chrono::steady_clock::now() < deadline) {
    const auto batch = source->Poll({}, milliseconds(50));
    if (!batch.ok()) status = batch.status();
  }
  EXPECT_EQ(status.code(), Code::kUnavailable) << status.ToString();
  ASSERT_TRUE(broker_.Start());
  const auto rest = PollUntil(
      *source, [](const auto& all) { return !all.empty() && all.back().value == "during"; });
  ASSERT_FALSE(rest.empty());
  EXPECT_EQ(rest.back().value, "during");
  PollUntil(*source, [&](const auto&) { return source->Poll({}, milliseconds(10)).ok(); });
  EXPECT_TRUE(source->Poll({}, milliseconds(10)).ok()) << "it still says unavailable";
}

TEST_F(KafkaLossTest, AFatalErrorOfTheClientIsSurvivedWithoutLoss) {
  auto sink = MakeSinkOn(config_);
  std::vector<Record> records = MakeRecords("t", 500);
  std::atomic<int> good{0}, bad{0};
  for (size_t i = 0; i < records.size(); ++i) {
    if (i == 250) sink->InjectFatalError();
    ASSERT_TRUE(
        sink->Send(records[i], [&](const Delivery& d) { ++(d.status.ok() ? good : bad); }).ok());
  }
  ASSERT_TRUE(sink->Flush(kPatience).ok());
  EXPECT_EQ(good, 500);
  EXPECT_EQ(bad, 0);
  EXPECT_EQ(sink->restarts(), 1);
  auto reader = MakeSourceOn(config_, {{"t"}, "", nullptr});
  std::set<std::string> values;
  PollUntil(*reader, [&](const auto& all) {
    for (const Record& r : all) values.insert(r.value);
    return values.size() >= 500;
  });
  EXPECT_EQ(values.size(), 500u);
}

}  // namespace
}  // namespace racewatch::base
