// An IngestRole between a loopback web server and a fake sink, on a clock the test moves. Restart stops it
// in order, Kill drops what is not acknowledged as kill -9 would.
#pragma once

#include <gtest/gtest.h>
#include <prometheus/registry.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/bus/topics.h"
#include "base/config.h"
#include "base/http_client.h"
#include "base/http_server.h"
#include "base/log.h"
#include "ingest/ingest_role.h"
#include "nlohmann/json.hpp"
#include "racewatch/v1/article.pb.h"
#include "racewatch/v1/config.pb.h"
#include "tests/fakes/fake_bus.h"
#include "tests/fakes/http_test_server.h"
#include "tests/fakes/manual_clock.h"

namespace racewatch::ingest {

struct Item {
  std::string title;
  std::string link;
  std::string description;
  std::string guid;
  std::string date;
};

inline std::string Rss(const std::vector<Item>& items) {
  std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><rss version=\"2.0\"><channel><title>Feed</title>"
                    "<link>https://a.example/</link><language>en</language>";
  for (const Item& item : items) {
    out += "<item>";
    if (!item.title.empty()) out += "<title>" + item.title + "</title>";
    if (!item.link.empty()) out += "<link>" + item.link + "</link>";
    if (!item.description.empty()) out += "<description>" + item.description + "</description>";
    if (!item.guid.empty()) out += "<guid isPermaLink=\"false\">" + item.guid + "</guid>";
    if (!item.date.empty()) out += "<pubDate>" + item.date + "</pubDate>";
    out += "</item>";
  }
  return out + "</channel></rss>";
}

class RoleTest : public testing::Test {
 protected:
  RoleTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "racewatch-ingest-XXXXXX").string();
    state_dir_ = mkdtemp(pattern.data());
    config_.set_allow_private_addresses(true);
    config_.set_fetch_pages(false);  // the articles' hosts do not exist; tests of pages switch it on
  }
  ~RoleTest() override {
    role_.reset();
    std::filesystem::remove_all(state_dir_);
  }

  void AddFeed(const std::string& url, uint32_t interval_s = 0) {
    auto* feed = config_.add_feeds();
    feed->set_url(url);
    feed->set_interval_s(interval_s);
  }

  void Start() {
    registry_ = std::make_unique<prometheus::Registry>();
    http_ = std::make_unique<base::HttpServer>(base::HttpServer::Options{"127.0.0.1:0"});
    role_ = std::make_unique<IngestRole>(config_, *sink_, clock_, *registry_, test_log_, *http_, state_dir_);
    ASSERT_TRUE(http_->Start().ok());
    const base::Status status = role_->Start();
    ASSERT_TRUE(status.ok()) << status.ToString();
  }

  void Stop(std::chrono::milliseconds drain = std::chrono::seconds(10)) {
    ASSERT_TRUE(role_->Stop(drain).ok());
    role_.reset();
    http_->Stop();
  }

  void Restart(const std::function<void()>& between = nullptr) {
    Stop();
    if (between) between();
    Start();
  }

  // The end without goodbye: what the sink holds is lost, no report comes.
  void Kill() {
    Stop(std::chrono::milliseconds(0));
    sink_ = std::make_unique<fakes::FakeSink>(log_);
  }

  void WaitFor(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!done()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "nothing happens any more";
      std::this_thread::yield();
    }
  }

  void Settle() {
    WaitFor([this] { return role_->Idle(); });
  }
  void Advance(int64_t ms) {
    clock_.Advance(ms);
    role_->Wake();
    Settle();
  }

  std::vector<base::Record> Records() const { return log_.Records(std::string(base::kArticlesTopic)); }
  std::vector<v1::Article> Articles() const {
    std::vector<v1::Article> out;
    for (const base::Record& record : Records()) {
      v1::Article article;
      EXPECT_TRUE(article.ParseFromString(record.value));
      out.push_back(std::move(article));
    }
    return out;
  }
  std::vector<std::string> Titles() const {
    std::vector<std::string> out;
    for (const v1::Article& article : Articles()) out.push_back(article.title());
    return out;
  }

  IngestCounts Counts() const { return role_->counts(); }
  void ExpectBalanced() const {
    const IngestCounts c = role_->counts();
    uint64_t dropped = 0;
    for (const auto& [reason, n] : c.dropped) dropped += n;
    EXPECT_EQ(c.entries, c.sent + c.revisions + dropped + c.dead_lettered + c.in_flight);
    EXPECT_EQ(c.in_flight, 0u);
  }

  // A field of a feed on /api/v1/feeds, as text; empty when absent.
  std::string FeedField(const std::string& id, const std::string& field) {
    base::HttpClient::Options options;
    options.allow_private_addresses = true;
    base::HttpClient client(options);
    std::string body;
    bool done = false;
    base::HttpCall call;
    call.url = "http://127.0.0.1:" + std::to_string(http_->port()) + "/api/v1/feeds";
    client.Start(std::move(call), [&](const base::HttpReply& reply) {
      body = reply.body;
      done = true;
    });
    while (!done) client.Poll(std::chrono::milliseconds(100));
    const nlohmann::json page = nlohmann::json::parse(body);
    for (const auto& feed : page["feeds"]) {
      if (feed["id"] != id || !feed.contains(field)) continue;
      return feed[field].is_string() ? feed[field].get<std::string>() : feed[field].dump();
    }
    return "";
  }

  double Metric(const std::string& name, const std::map<std::string, std::string>& labels) const {
    for (const auto& family : registry_->Collect()) {
      if (family.name != name) continue;
      for (const auto& metric : family.metric) {
        std::map<std::string, std::string> found;
        for (const auto& label : metric.label) found[label.name] = label.value;
        if (found == labels) return metric.counter.value + metric.gauge.value;
      }
    }
    return 0;
  }

  // An address where nobody listens.
  static std::string Unreachable() {
    const int port = fakes::HttpTestServer().port();
    return "http://127.0.0.1:" + std::to_string(port) + "/feed";
  }

  fakes::HttpTestServer server_;
  fakes::ManualClock clock_;
  fakes::FakeLog log_{1, &clock_};
  std::unique_ptr<fakes::FakeSink> sink_ = std::make_unique<fakes::FakeSink>(log_);
  base::Log test_log_{{false, base::LogLevel::kError, "test"}};
  v1::IngestConfig config_;
  std::string state_dir_;
  std::unique_ptr<prometheus::Registry> registry_;
  std::unique_ptr<base::HttpServer> http_;
  std::unique_ptr<IngestRole> role_;
};

}  // namespace racewatch::ingest
