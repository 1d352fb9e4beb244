// Three store processes over one PostgreSQL and a real Apache Kafka, through rebalances, a killed leader and a zombie that
// was stopped and wakes up: every count equal to the independent recount, the digest that of a store that was left in
// peace, no alert doubled or lost by the changes of leader.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "base/bus/kafka_sink.h"
#include "base/bus/topics.h"
#include "base/clock.h"
#include "racewatch/v1/config.pb.h"
#include "tests/store/article_maker.h"
#include "tests/store/pg_server.h"
#include "tests/system/child_process.h"
#include "tests/system/kafka_node.h"
#include "tests/system/recount.h"

namespace racewatch::system_test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using std::chrono::seconds;

constexpr int kRecords = 16'000;
const std::string kBinary = RACEWATCH_BINARY_DIR "/racewatch";

struct Store {
  std::string name;
  int http = 0;
  std::vector<std::string> argv;
  std::unique_ptr<ChildProcess> process;
  bool stopped = false;
};

class SharedStoreSystemTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string lib;
    if (!KafkaNode::Available(&lib)) GTEST_SKIP() << "needs the Apache Kafka jars in " << lib << " (deploy/kafka/fetch)";
    work_ = fs::temp_directory_path() / ("racewatch_shared_" + std::to_string(getpid()));
    fs::create_directories(work_);
    database_ = std::make_unique<store::PgServer>((work_ / "postgresql").string());
    if (!database_->why().empty()) GTEST_SKIP() << database_->why();
    kafka_ = std::make_unique<KafkaNode>((work_ / "kafka").string());
    ASSERT_NE(kafka_->address(), "");
  }

  void TearDown() override {
    for (Store& store : stores_) {
      if (!store.process) continue;
      if (store.stopped) kill(store.process->pid(), SIGCONT);
      store.process->Stop();
    }
    if (work_.empty()) return;
    kafka_.reset();
    database_.reset();
    if (!HasFailure()) fs::remove_all(work_);
    else std::cout << "logs are kept in " << work_ << "\n";
  }

  void AddStore(const std::string& name, bool shared) {
    Store store;
    store.name = name;
    store.http = FreePort();
    std::string config = "bus { kafka { bootstrap_servers: \"" + kafka_->address() + "\" session_timeout_ms: 6000 } }\nbatch_records_max: 20\n"
                         "rules { name: \"chips\" threshold { window_s: 3600 open: 300 } series { dimension: \"theme\" theme: \"chips_compute\" } "
                         "publishers_min: 1 coverage_min: 0.01 }\n";
    if (shared) config += "postgresql { conninfo: \"" + database_->conninfo() + "\" lease_ms: 2000 }\n";
    const std::string path = (work_ / (name + ".txtpb")).string();
    std::ofstream(path) << config;
    store.argv = {kBinary, "store", "--config", path, "--http", "127.0.0.1:" + std::to_string(store.http), "--grpc", "127.0.0.1:0"};
    if (!shared) store.argv.insert(store.argv.end(), {"--state", (work_ / name).string()});
    stores_.push_back(std::move(store));
    Start(stores_.back());
  }
  void Start(Store& store) { store.process = std::make_unique<ChildProcess>(store.argv, (work_ / (store.name + ".log")).string()); }

  static double Metric(const Store& store, const std::string& name) {
    if (store.stopped) return 0;
    const std::string text = HttpGet(store.http, "/metrics");
    const size_t at = text.find("\n" + name + " ");
    return at == std::string::npos ? 0 : std::stod(text.substr(at + name.size() + 2));
  }
  static double Received(const Store& store) { return Metric(store, "racewatch_stage_received_total{stage=\"store\"}"); }
  Store* Leader() {
    for (Store& store : stores_)
      if (Metric(store, "racewatch_store_leader") == 1) return &store;
    return nullptr;
  }

  // What the stores say when something did not come.
  std::string Seen() {
    std::string out;
    for (const Store& store : stores_) {
      if (store.stopped) continue;
      const auto trends = Trends(store, "window=all");
      size_t differ = 0;
      for (const auto& [name, n] : Oracle(0, std::numeric_limits<int64_t>::max())) differ += !trends.contains(name) || trends.at(name) != n;
      out += "; " + store.name + " received " + std::to_string(static_cast<int>(Received(store))) + ", " + std::to_string(differ) + " of " +
             std::to_string(trends.size()) + " counts differ";
    }
    return out;
  }

  void Await(const std::string& what, const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + seconds(300);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("waited 300 s for " + what + Seen());
      for (Store& store : stores_)
        if (store.process && !store.process->running())
          throw std::runtime_error(store.name + " ended with " + std::to_string(store.process->exit_code()));
      std::this_thread::sleep_for(std::chrono::milliseconds(50));  // polling other processes
    }
  }

  void Publish(const std::vector<v1::TaggedArticle>& stream) {
    v1::KafkaConfig config;
    config.set_bootstrap_servers(kafka_->address());
    auto sink = base::KafkaSink::Create(config, "publish", nullptr);
    ASSERT_TRUE(sink.ok());
    size_t failed = 0;
    std::mutex mutex;
    for (const auto& article : stream) {
      base::Record record = store::ToRecord(article);
      record.partition = record.offset = -1;
      const auto sent = (*sink)->Send(record, [&](const base::Delivery& delivery) {
        const std::scoped_lock lock(mutex);
        failed += !delivery.status.ok();
      });
      ASSERT_TRUE(sent.ok()) << sent.message();
      tagged_.push_back(std::move(record));
    }
    ASSERT_TRUE((*sink)->Close(seconds(60)).ok());
    ASSERT_EQ(failed, 0u);
  }

  std::map<std::string, uint64_t> Trends(const Store& store, const std::string& query) {
    const json answer = json::parse(HttpGet(store.http, "/api/v1/trends?" + query), nullptr, false);
    std::map<std::string, uint64_t> out;
    if (!answer.is_object() || !answer.contains("series")) return out;
    for (const auto& series : answer["series"]) {
      const json& key = series["key"];
      const auto part = [&key](const char* member) { return key.value(member, std::string()); };
      const std::string name = !part("target").empty() ? "stance=" + part("target") + "/" + part("position")
                               : !part("theme").empty() ? "theme=" + part("theme") : "lean=" + part("lean");
      uint64_t sum = 0;
      for (const auto& point : series.value("points", json::array())) sum += std::stoull(point.value("articles", "0"));
      if (sum > 0) out[name] = sum;
    }
    return out;
  }
  static std::map<std::string, uint64_t> Named(std::map<std::string, uint64_t> counts) {
    std::erase_if(counts, [](const auto& entry) { return entry.first.starts_with("relevance=") || entry.first == "lean="; });
    return counts;
  }
  std::map<std::string, uint64_t> Oracle(int64_t from_s, int64_t to_s) const { return Named(Count(Winners(tagged_), from_s, to_s)); }

  std::string Digest(const Store& store) {
    const json answer = json::parse(HttpGet(store.http, "/api/v1/digest"), nullptr, false);
    return answer.is_object() && answer.contains("digest") ? answer["digest"].get<std::string>() : "";
  }

  // Every alert state on the topic, by its ce_id; how often each open state came is no matter, a second id would be.
  std::map<std::string, std::string> AlertStates() {
    std::map<std::string, std::string> states;
    for (const auto& record : kafka_->Read(base::kAlertsTopic))
      states[*record.FindHeader("ce_id")] = json::parse(record.value).at("state");
    return states;
  }

  fs::path work_;
  std::unique_ptr<store::PgServer> database_;
  std::unique_ptr<KafkaNode> kafka_;
  std::vector<Store> stores_;
  std::vector<base::Record> tagged_;
};

TEST_F(SharedStoreSystemTest, ThreeStoresEqualTheRecountThroughAKilledLeaderAndAZombie) {
  const int64_t now_s = base::SystemClock().NowMs() / 1000;
  const auto stream = store::CrashStream(21, kRecords, now_s * 1000);
  const size_t part = stream.size() * 3 / 4;
  size_t published = 0;
  const auto publish_to = [&](size_t end) {
    Publish({stream.begin() + static_cast<long>(published), stream.begin() + static_cast<long>(end)});
    published = end;
  };
  publish_to(part / 4);
  stores_.reserve(4);
  for (const char* name : {"a", "b", "c"}) AddStore(name, true);
  // A little at a time: the first to join could have counted everything before the last has a partition.
  Await("all three to count", [&] {
    if (Received(stores_[0]) > 0 && Received(stores_[1]) > 0 && Received(stores_[2]) > 0) return true;
    if (published < part) publish_to(std::min(part, published + 20));
    return false;
  });
  publish_to(part);

  Await("a leader", [&] { return Leader() != nullptr; });
  Store& killed = *Leader();
  killed.process->Kill();
  std::cout << "killed the leader, " << killed.name << ", among " << part << " records\n";
  Start(killed);
  Await("a leader again", [&] { return Leader() != nullptr; });

  Store& zombie = *Leader();
  kill(zombie.process->pid(), SIGSTOP);
  zombie.stopped = true;
  std::cout << "stopped the leader, " << zombie.name << "\n";
  std::vector<Store*> awake;
  for (Store& store : stores_)
    if (!store.stopped) awake.push_back(&store);
  Await("a third leader", [&] { return Leader() != nullptr; });
  const auto first_part = Oracle(0, now_s * 2);
  Await("the others to count everything", [&] { return Trends(*awake[0], "window=all") == first_part; });
  kill(zombie.process->pid(), SIGCONT);
  zombie.stopped = false;

  // The rest comes while the zombie finds out.
  Publish({stream.begin() + static_cast<long>(part), stream.end()});
  const auto all = Oracle(0, now_s * 2);
  Await("everything to be counted", [&] { return Trends(zombie, "window=all") == all; });
  size_t compared = all.size();
  for (int64_t hour = (now_s / 3600 - 5) * 3600; hour <= now_s; hour += 3600) {
    const auto expected = Oracle(hour, hour + 3600);
    compared += expected.size();
    EXPECT_EQ(Trends(*awake[0], "window=hour&from=" + std::to_string(hour) + "&to=" + std::to_string(hour + 3600)), expected) << hour;
  }
  Await("the zombie to own partitions again", [&] { return Received(zombie) > 0 && zombie.process->running(); });
  // The zombie asks for the lease every half second, and a starved process may lose it: at any time one leads or none.
  Await("one leader", [&] {
    return std::count_if(stores_.begin(), stores_.end(), [](const Store& store) { return Metric(store, "racewatch_store_leader") == 1; }) == 1;
  });
  std::cout << compared << " counts equal to the recount of " << tagged_.size() << " records\n";

  // A private store that nobody disturbs, on the same topics.
  AddStore("peaceful", false);
  Await("the replay", [&] { return Trends(stores_[3], "window=all") == all; });
  Await("one digest", [&] { return Digest(stores_[3]) == Digest(*awake[0]); });
  Await("alerts", [&] { return !AlertStates().empty(); });
  const auto states = AlertStates();
  std::set<std::string> opened;
  for (const auto& [id, state] : states)
    if (state == "open") opened.insert(id.substr(0, id.find('/')));
  EXPECT_EQ(opened.size(), 1u) << "a change of leader must not open an alert anew";
  std::cout << "digest " << Digest(*awake[0]) << ", " << opened.size() << " alert opened, " << states.size() << " states\n";
}

}  // namespace
}  // namespace racewatch::system_test
