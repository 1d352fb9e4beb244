// `racewatch retag` over a real Apache Kafka: a store, a classifier that has the new model already, and the command itself;
// store and command are killed in the middle. In the end the store counts what `racewatch tag` says of the same texts, and
// the former counts stay under their version.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/bus/kafka_sink.h"
#include "base/bus/topics.h"
#include "racewatch/v1/config.pb.h"
#include "tests/store/article_maker.h"
#include "tests/system/child_process.h"
#include "tests/system/kafka_node.h"

namespace racewatch::system_test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using std::chrono::seconds;

const std::string kBinary = RACEWATCH_BINARY_DIR "/racewatch";
const std::string kModel = RACEWATCH_SOURCE_DIR "/classify/model/data/racewatch-1.model";
const std::string kTexts = RACEWATCH_SOURCE_DIR "/tests/testdata/gold_more.jsonl";

// Each text so often: several batches of the command's, so that a kill comes between two.
constexpr int kCopies = 8;

using Counts = std::map<std::string, int>;

class RetagSystemTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string lib;
    if (!KafkaNode::Available(&lib)) GTEST_SKIP() << "needs the Apache Kafka jars in " << lib << " (deploy/kafka/fetch)";
    work_ = fs::temp_directory_path() / ("racewatch_retag_" + std::to_string(getpid()));
    fs::create_directories(work_);
    kafka_ = std::make_unique<KafkaNode>((work_ / "kafka").string());
    ASSERT_NE(kafka_->address(), "");
    bus_ = "bus { kafka { bootstrap_servers: \"" + kafka_->address() + "\" } }\n";
    store_port_ = FreePort();
    store_config_ = Write("store.txtpb", bus_);
    const int classifier_port = FreePort();
    tagger_config_ = Write("tagger.txtpb", bus_ + "classifier: \"127.0.0.1:" + std::to_string(classifier_port) + "\"\n");
    classifier_ = std::make_unique<ChildProcess>(
        std::vector<std::string>{kBinary, "classifier", "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:" + std::to_string(classifier_port)},
        (work_ / "classifier.log").string());
    StartStore();
  }
  void TearDown() override {
    if (work_.empty()) return;
    if (store_) store_->Stop();
    classifier_.reset();
    kafka_.reset();
    if (!HasFailure()) fs::remove_all(work_);
    else std::cout << "logs are kept in " << work_ << "\n";
  }
  std::string Write(const std::string& name, const std::string& content) {
    const std::string path = (work_ / name).string();
    std::ofstream(path) << content;
    return path;
  }
  void StartStore() {
    store_ = std::make_unique<ChildProcess>(std::vector<std::string>{kBinary, "store", "--config", store_config_, "--state", (work_ / "state").string(),
                                                                     "--http", "127.0.0.1:" + std::to_string(store_port_), "--grpc", "127.0.0.1:0"},
                                            (work_ / "store.log").string());
  }
  static void Await(const std::string& what, const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + seconds(300);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("waited 300 s for " + what);
      std::this_thread::sleep_for(std::chrono::milliseconds(50));  // polling other processes
    }
  }
  std::vector<std::string> Retag(std::vector<std::string> more) const {
    std::vector<std::string> argv{kBinary, "retag", "--config", tagger_config_, "--server", "127.0.0.1:" + std::to_string(store_port_), "--model", kModel,
                                  "--settle-s", "1", "--output", "json"};
    argv.insert(argv.end(), more.begin(), more.end());
    return argv;
  }
  // Publishes the texts as a former model tagged them: all relevant, on one theme.
  size_t Publish() {
    v1::KafkaConfig config;
    config.set_bootstrap_servers(kafka_->address());
    auto sink = base::KafkaSink::Create(config, "publish", nullptr).value();
    size_t failed = 0, sent = 0;
    std::mutex mutex;
    std::ifstream file(kTexts);
    std::vector<json> texts;
    for (std::string line; std::getline(file, line);) texts.push_back(json::parse(line));
    for (; sent < kCopies * texts.size(); ++sent) {
      const json& text = texts[sent % texts.size()];
      v1::TaggedArticle article = store::MakeArticle(sent + 1);
      article.mutable_article()->set_title(text["title"].get<std::string>());
      article.mutable_article()->set_text(text["text"].get<std::string>());
      article.mutable_article()->set_language(text["lang"].get<std::string>());
      article.mutable_tags()->set_model_version("former");
      base::Record record = store::ToRecord(article);
      record.partition = record.offset = -1;
      EXPECT_TRUE(sink->Send(record, [&](const base::Delivery& delivery) {
        const std::scoped_lock lock(mutex);
        failed += !delivery.status.ok();
      }).ok());
    }
    EXPECT_TRUE(sink->Close(seconds(60)).ok());
    EXPECT_EQ(failed, 0u);
    return sent;
  }
  json Ask(const std::string& path) const { return json::parse(HttpGet(store_port_, path), nullptr, false); }
  // Articles of every theme, target × position and lean, all time.
  Counts Trends(const std::string& parameters = "") const {
    Counts out;
    const json answer = Ask("/api/v1/trends?window=all" + parameters);
    for (const json& series : answer["series"]) {
      std::string name;
      for (const char* part : {"theme", "target", "position", "lean"})
        if (const std::string value = series["key"].value(part, ""); !value.empty()) name += value + " ";
      const int n = std::stoi(series["points"][0]["articles"].get<std::string>());
      if (n > 0) out[name] = n;
    }
    return out;
  }
  static Counts Expected() {
    std::string lines;
    EXPECT_EQ(RunToEnd({kBinary, "tag", "--model", kModel, kTexts}, &lines), 0);
    Counts out;
    std::istringstream stream(lines);
    for (std::string line; std::getline(stream, line);) {
      const json tags = json::parse(line);
      for (const json& theme : tags["themes"]) out[theme["id"].get<std::string>() + " "] += kCopies;
      for (const json& stance : tags["stance"]) out[stance["target"].get<std::string>() + " " + stance["position"].get<std::string>() + " "] += kCopies;
      if (!tags["lean"].is_null()) out[tags["lean"]["label"].get<std::string>() + " "] += kCopies;
    }
    return out;
  }

  fs::path work_;
  std::unique_ptr<KafkaNode> kafka_;
  std::string bus_, store_config_, tagger_config_;
  int store_port_ = 0;
  std::unique_ptr<ChildProcess> store_, classifier_;
};

TEST_F(RetagSystemTest, StoreAndCommandAreKilledAndTheNewCountsAreWhatTheModelSays) {
  const size_t articles = Publish();
  const auto relevant = [&] { return HttpGet(store_port_, "/metrics").empty() ? Counts() : Trends(); };
  Await("the former counts", [&] { return relevant()["chips_compute "] == static_cast<int>(articles); });
  const Counts former = Trends();

  const auto covered = [&] {
    const json status = Ask("/api/v1/retag");
    int64_t sum = 0;
    if (status.is_object() && status.contains("building"))
      for (const json& one : status["building"]["partitions"]) sum += one["covered"].get<int64_t>();
    return sum;
  };
  {
    ChildProcess slow(Retag({"--rate", "300"}), (work_ / "retag.log").string());
    Await("the middle", [&] { return covered() > 400; });
    slow.Kill();
  }
  store_->Kill();
  StartStore();
  Await("the store", [&] { return !HttpGet(store_port_, "/-/ready").empty(); });
  const int64_t begun = covered();
  EXPECT_GT(begun, 400);
  EXPECT_LT(begun, static_cast<int64_t>(articles));
  EXPECT_EQ(Trends(), former) << "the active counts must not notice";

  std::string out;
  ASSERT_EQ(RunToEnd(Retag({}), &out), 0) << out;
  std::istringstream lines(out);
  std::string report, end;
  std::getline(lines, report);
  std::getline(lines, end);
  EXPECT_EQ(json::parse(report)["compared"], articles);
  EXPECT_EQ(json::parse(report)["replaces"], "former");
  EXPECT_EQ(json::parse(end), (json{{"generation", 1}, {"model_version", "1"}, {"switched", true}}));
  EXPECT_EQ(Trends(), Expected());
  EXPECT_EQ(Trends("&model_version=former"), former);
  EXPECT_NE(Trends(), former);
}

}  // namespace
}  // namespace racewatch::system_test
