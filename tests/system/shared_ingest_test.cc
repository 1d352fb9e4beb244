// Three ingest processes share one feed list over a real Kafka. One is killed with SIGKILL while it fetches, and comes
// back later. The site knows when it was asked: no feed twice in an interval. The topic knows what arrived: every item.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

#include "base/bus/topics.h"
#include "racewatch/v1/article.pb.h"
#include "tests/fakes/http_test_server.h"
#include "tests/system/child_process.h"
#include "tests/system/kafka_node.h"

namespace racewatch::system_test {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr size_t kFeeds = 60;
constexpr int kIntervalS = 4;
const std::string kBinary = RACEWATCH_BINARY_DIR "/racewatch";

// Feeds that grow by an item at a time, honest validators, and the moments at which each was asked.
class GrowingSite {
 public:
  GrowingSite() : asked_(kFeeds), items_(kFeeds, 1) {
    for (size_t i = 0; i < kFeeds; ++i) server_.Serve(Path(i), [this, i](const fakes::TestRequest& request) { return Answer(i, request); });
  }
  std::string Url(size_t feed) const { return server_.Url(Path(feed)); }
  static std::string Title(size_t feed, size_t item) { return "Item " + std::to_string(item) + " of feed " + std::to_string(feed); }

  void Grow(size_t feed) {
    const std::lock_guard lock(mutex_);
    ++items_[feed];
  }
  std::set<std::string> Published() const {
    const std::lock_guard lock(mutex_);
    std::set<std::string> titles;
    for (size_t feed = 0; feed < kFeeds; ++feed)
      for (size_t item = 0; item < items_[feed]; ++item) titles.insert(Title(feed, item));
    return titles;
  }
  size_t Requests() const {
    const std::lock_guard lock(mutex_);
    size_t sum = 0;
    for (const auto& times : asked_) sum += times.size();
    return sum;
  }
  // The least time between two requests for one feed.
  milliseconds Closest() const {
    const std::lock_guard lock(mutex_);
    auto closest = milliseconds::max();
    for (const auto& times : asked_)
      for (size_t i = 1; i < times.size(); ++i) closest = std::min(closest, std::chrono::duration_cast<milliseconds>(times[i] - times[i - 1]));
    return closest;
  }

 private:
  static std::string Path(size_t feed) { return "/feed" + std::to_string(feed); }
  fakes::TestReply Answer(size_t feed, const fakes::TestRequest& request) {
    const std::lock_guard lock(mutex_);
    asked_[feed].push_back(steady_clock::now());
    fakes::TestReply reply;
    const std::string etag = "\"" + std::to_string(items_[feed]) + "\"";
    reply.headers = {{"ETag", etag}, {"Content-Type", "application/rss+xml"}};
    if (request.Header("if-none-match") == etag) {
      reply.status = 304;
      return reply;
    }
    reply.body = "<rss version=\"2.0\"><channel><title>Feed</title>";
    for (size_t item = 0; item < items_[feed]; ++item)
      reply.body += "<item><title>" + Title(feed, item) + "</title><link>https://site.example/" + std::to_string(feed) + "/" +
                    std::to_string(item) + "</link></item>";
    reply.body += "</channel></rss>";
    return reply;
  }

  mutable std::mutex mutex_;
  std::vector<std::vector<steady_clock::time_point>> asked_;
  std::vector<size_t> items_;
  fakes::HttpTestServer server_;  // last: its threads end first
};

class SharedIngestTest : public testing::Test {
 protected:
  struct Ingest {
    std::vector<std::string> argv;
    int http = 0;
    std::unique_ptr<ChildProcess> process;
  };

  void SetUp() override {
    std::string where;
    if (!KafkaNode::Available(&where)) GTEST_SKIP() << "needs the Apache Kafka jars in " << where << " (deploy/kafka/fetch)";
    work_ = fs::temp_directory_path() / ("racewatch_shared_" + std::to_string(getpid()));
    fs::create_directories(work_);
    kafka_ = std::make_unique<KafkaNode>((work_ / "kafka").string());
    ASSERT_FALSE(kafka_->address().empty()) << "Kafka did not start";
    std::ofstream config(work_ / "ingest.txtpb");
    config << "bus { kafka { bootstrap_servers: \"" << kafka_->address() << "\" session_timeout_ms: 6000 } }\n"
           << "share_feeds: true allow_private_addresses: true fetch_pages: false\n";
    for (size_t i = 0; i < kFeeds; ++i) config << "feeds { url: \"" << site_.Url(i) << "\" interval_s: " << kIntervalS << " }\n";
    for (int i = 0; i < 3; ++i) {
      Ingest ingest;
      ingest.http = FreePort();
      ingest.argv = {kBinary, "ingest", "--config", (work_ / "ingest.txtpb").string(), "--http", "127.0.0.1:" + std::to_string(ingest.http),
                     "--state", (work_ / ("state" + std::to_string(i))).string()};
      ingests_.push_back(std::move(ingest));
    }
  }
  void TearDown() override {
    for (Ingest& ingest : ingests_)
      if (ingest.process) ingest.process->Stop();
    kafka_.reset();
    if (work_.empty()) return;
    if (!HasFailure()) fs::remove_all(work_);
    else std::cout << "logs are kept in " << work_ << "\n";
  }

  void Start(size_t number) {
    Ingest& ingest = ingests_[number];
    ingest.process = std::make_unique<ChildProcess>(ingest.argv, (work_ / ("ingest" + std::to_string(number) + ".log")).string());
  }
  double Owned(size_t number) const {
    const std::string text = HttpGet(ingests_[number].http, "/metrics");
    const std::string name = "\nracewatch_ingest_feeds_owned ";
    const size_t at = text.find(name);
    return at == std::string::npos ? 0 : std::stod(text.substr(at + name.size()));
  }
  // All feeds are shared out, some to each of these.
  void AwaitShares(const std::vector<size_t>& members) {
    Await("shares", [&] {
      double sum = 0;
      bool each = true;
      for (const size_t member : members) {
        const double owned = Owned(member);
        sum += owned;
        each = each && owned > 0;
      }
      return each && sum == kFeeds;
    });
  }
  // Publishes on while it waits.
  void Await(const std::string& what, const std::function<bool()>& condition) {
    const auto deadline = steady_clock::now() + std::chrono::seconds(300);
    while (!condition()) {
      ASSERT_LT(steady_clock::now(), deadline) << "waited 300 s for " << what;
      if (publishing_) site_.Grow(next_++ % kFeeds);
      std::this_thread::sleep_for(milliseconds(50));  // polling other processes
    }
  }
  std::map<std::string, int> Arrived() const {
    std::map<std::string, int> titles;
    for (const base::Record& record : kafka_->Read(base::kArticlesTopic)) {
      v1::Article article;
      EXPECT_TRUE(article.ParseFromString(record.value));
      ++titles[article.title()];
    }
    return titles;
  }

  GrowingSite site_;
  fs::path work_;
  std::unique_ptr<KafkaNode> kafka_;
  std::vector<Ingest> ingests_;
  bool publishing_ = true;
  size_t next_ = 0;
};

TEST_F(SharedIngestTest, OneOfThreeIsKilledNoFeedIsFetchedTwiceAndNothingIsLost) {
  for (size_t i = 0; i < 3; ++i) Start(i);
  AwaitShares({0, 1, 2});
  std::cout << "feeds: " << Owned(0) << " + " << Owned(1) << " + " << Owned(2) << "\n";
  const size_t some = site_.Requests() + 2 * kFeeds;
  Await("a few rounds", [&] { return site_.Requests() > some; });
  ingests_[1].process->Kill();
  const auto killed = steady_clock::now();
  AwaitShares({0, 2});
  std::cout << "killed one; its feeds were taken over after "
            << std::chrono::duration_cast<milliseconds>(steady_clock::now() - killed).count() << " ms\n";
  const size_t more = site_.Requests() + 2 * kFeeds;
  Await("rounds of two", [&] { return site_.Requests() > more; });
  Start(1);
  AwaitShares({0, 1, 2});
  const size_t last = site_.Requests() + 2 * kFeeds;
  Await("rounds of three", [&] { return site_.Requests() > last; });
  publishing_ = false;
  const std::set<std::string> published = site_.Published();
  Await("every item", [&] { return Arrived().size() >= published.size(); });
  size_t twice = 0;
  for (const auto& [title, times] : Arrived()) {
    EXPECT_TRUE(published.contains(title)) << title;
    twice += times > 1;
  }
  std::cout << published.size() << " items published, all arrived, " << twice << " sent twice (same id: counted once); " << site_.Requests()
            << " requests, closest two for one feed " << site_.Closest().count() << " ms of " << kIntervalS * 1000 << " ms\n";
  EXPECT_GE(site_.Closest(), std::chrono::seconds(kIntervalS));
}

}  // namespace
}  // namespace racewatch::system_test
