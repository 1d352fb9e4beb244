// `racewatch backfill --config` writes archives straight to Apache Kafka: what arrives in the backfill and dead-letter topics,
// through SIGKILL in the middle and a broker that is away.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "base/bus/topics.h"
#include "racewatch/v1/article.pb.h"
#include "tests/system/child_process.h"
#include "tests/system/kafka_node.h"

namespace racewatch::system_test {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

const std::string kBinary = RACEWATCH_BINARY_DIR "/racewatch";

class BackfillKafkaTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string where;
    if (!KafkaNode::Available(&where)) GTEST_SKIP() << "no Kafka jars in " << where << "; run deploy/kafka/fetch";
    std::string pattern = (fs::temp_directory_path() / "racewatch-backfill-kafka-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    kafka_ = std::make_unique<KafkaNode>(folder_ + "/kafka");
    ASSERT_NE(kafka_->address(), "");
    std::ofstream(folder_ + "/ingest.txtpb") << "bus { kafka { bootstrap_servers: \"" << kafka_->address() << "\" } }\nfeeds { url: \"https://unused.example/\" }\n";
  }
  void TearDown() override {
    kafka_.reset();
    if (!folder_.empty()) fs::remove_all(folder_);
  }

  std::string Write(const std::string& name, const std::string& bytes) const {
    std::ofstream(folder_ + "/" + name, std::ios::binary) << bytes;
    return folder_ + "/" + name;
  }
  std::string Contents(const std::string& name) const {
    std::ifstream in(folder_ + "/" + name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  static std::string Lines(int from, int to) {
    std::string out;
    for (int i = from; i < to; ++i)
      out += Json{{"title", "T" + std::to_string(i)}, {"url", "https://d.example/" + std::to_string(i)}, {"text", std::string(2000, 'x')},
                  {"published", "2026-01-02T03:04:05Z"}}.dump() + "\n";
    return out;
  }
  std::vector<std::string> Command(const std::vector<std::string>& more) const {
    std::vector<std::string> argv = {kBinary, "backfill", "--config", folder_ + "/ingest.txtpb", "--state", folder_ + "/positions.json"};
    argv.insert(argv.end(), more.begin(), more.end());
    return argv;
  }
  int Backfill(const std::vector<std::string>& more, Json* counts) const {
    std::string out;
    const int code = RunToEnd(Command(more), &out);
    *counts = Json::parse(out, nullptr, false);
    return code;
  }
  // How often each title lies in the topic.
  std::map<std::string, int> Titles() const {
    std::map<std::string, int> titles;
    for (const base::Record& record : kafka_->Read(base::kBackfillTopic)) {
      v1::Article article;
      EXPECT_TRUE(article.ParseFromString(record.value));
      EXPECT_EQ(article.lane(), v1::LANE_BACKFILL);
      EXPECT_EQ(record.key, article.id());
      ++titles[article.title()];
    }
    return titles;
  }

  std::string folder_;
  std::unique_ptr<KafkaNode> kafka_;
};

TEST_F(BackfillKafkaTest, ArticlesAndDeadLettersArriveOnceAndASecondRunSendsNothing) {
  const std::string archive = Write("history.jsonl", Lines(0, 300) + "no json\n" + Lines(300, 600));
  const std::string table = Write("table.csv", "title,url\nFrom the table,https://d.example/table\n\"cut");
  Json counts;
  EXPECT_EQ(Backfill({archive, table}, &counts), 0);
  EXPECT_EQ(counts["sent"], 601);
  EXPECT_EQ(counts["dead_lettered"], 2);
  EXPECT_EQ(counts["read"], 603);
  const auto titles = Titles();
  EXPECT_EQ(titles.size(), 601u);
  for (const auto& [title, times] : titles) EXPECT_EQ(times, 1) << title;
  EXPECT_TRUE(titles.contains("From the table"));
  std::map<std::string, std::string> letters;
  for (const base::Record& record : kafka_->Read(base::kDeadLetterTopic))
    for (const auto& [name, value] : record.headers)
      if (name == "dlq.reason") letters[value] = record.value;
  EXPECT_EQ(letters["bad_json"], "no json");
  EXPECT_EQ(letters.size(), 2u);
  EXPECT_TRUE(kafka_->Read(base::kArticlesTopic).empty());  // nothing of it is live
  EXPECT_EQ(Backfill({archive, table}, &counts), 0);
  EXPECT_EQ(counts["sent"], 0);
  EXPECT_EQ(counts["resumed"], 603);
}

TEST_F(BackfillKafkaTest, KilledInTheMiddleItGoesOnAndLosesNothing) {
  constexpr int kArticles = 20'000;
  const std::string archive = Write("history.jsonl", Lines(0, kArticles));
  std::string position;
  for (int kill = 0; kill < 3; ++kill) {
    ChildProcess run(Command({"--rate", "2000", archive}), folder_ + "/run.log");
    while (run.running() && Contents("positions.json") == position) std::this_thread::sleep_for(std::chrono::milliseconds(5));  // polls a process
    ASSERT_TRUE(run.running()) << "ended before it could be killed";
    run.Kill();
    position = Contents("positions.json");
  }
  Json counts;
  EXPECT_EQ(Backfill({archive}, &counts), 0);
  EXPECT_EQ(counts["resumed"].get<int>() + counts["sent"].get<int>(), kArticles);
  EXPECT_GT(counts["resumed"], 0);
  const auto titles = Titles();
  EXPECT_EQ(titles.size(), static_cast<size_t>(kArticles));
}

TEST_F(BackfillKafkaTest, ABrokerThatIsAwayIsOneLineAndNothingIsMarkedAsSent) {
  Write("ingest.txtpb", "bus { kafka { bootstrap_servers: \"127.0.0.1:" + std::to_string(FreePort()) + "\" properties { key: \"message.timeout.ms\" value: \"3000\" } } }\n");
  const std::string archive = Write("history.jsonl", Lines(0, 10));
  {
    ChildProcess run(Command({archive}), folder_ + "/run.log");
    while (run.running()) std::this_thread::sleep_for(std::chrono::milliseconds(20));  // polls a process
    EXPECT_EQ(run.exit_code(), 69);
  }
  EXPECT_THAT(Contents("run.log"), testing::AllOf(testing::HasSubstr("backfill: send to racewatch.backfill.v1"), testing::HasSubstr("\"sent\":0"),
                                                  testing::Not(testing::HasSubstr("xxxx"))));  // the record is no message
  Json counts;
  Write("ingest.txtpb", "bus { kafka { bootstrap_servers: \"" + kafka_->address() + "\" } }\n");
  EXPECT_EQ(Backfill({archive}, &counts), 0);
  EXPECT_EQ(counts["sent"], 10);
}

}  // namespace
}  // namespace racewatch::system_test
