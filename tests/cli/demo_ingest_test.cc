// The demo week through the real ingest role over loopback HTTP, on the clock of `up --demo`: what the week
// holds must arrive, once, under its publishers' names.
#include <gtest/gtest.h>
#include <prometheus/registry.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <set>
#include <thread>

#include "base/bus/topics.h"
#include "base/http_server.h"
#include "base/log.h"
#include "cli/demo_server.h"
#include "cli/demo_week.h"
#include "ingest/ingest_role.h"
#include "racewatch/v1/article.pb.h"
#include "racewatch/v1/config.pb.h"
#include "tests/fakes/fake_bus.h"

namespace racewatch::cli {
namespace {

constexpr int64_t kPollMs = 600'000;

class DemoIngestTest : public testing::Test {
 protected:
  DemoIngestTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "racewatch-demo-XXXXXX").string();
    state_dir_ = mkdtemp(pattern.data());
  }
  ~DemoIngestTest() override { std::filesystem::remove_all(state_dir_); }

  // Replays the week: after each change the polls of the next interval and a half, then on to the next change.
  void Replay() {
    ASSERT_TRUE(server_.Start().ok());
    clock_.Set(server_.start_ms());
    v1::IngestConfig config;
    config.set_connect_to(server_.address());
    config.set_allow_private_addresses(true);
    for (const v1::FeedConfig& feed : server_.Feeds()) *config.add_feeds() = feed;
    ingest::IngestRole role(config, sink_, clock_, registry_, log_, http_, state_dir_);
    ASSERT_TRUE(role.Start().ok());
    for (base::UnixMs now = server_.start_ms(); now < server_.end_ms(); now += kPollMs) {
      clock_.Set(now);
      const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
      while (!role.Idle()) {
        ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "ingest does not come to rest";
        std::this_thread::yield();
      }
    }
    counts_ = role.counts();
    ASSERT_TRUE(role.Stop(std::chrono::seconds(10)).ok());
    for (const base::Record& record : bus_.Records(std::string(base::kArticlesTopic))) {
      v1::Article article;
      ASSERT_TRUE(article.ParseFromString(record.value));
      articles_[article.url()].push_back(article);
    }
  }

  base::SteppedClock clock_{0};
  DemoServer server_{clock_, DemoDataDir()};
  fakes::FakeLog bus_;
  fakes::FakeSink sink_{bus_};
  prometheus::Registry registry_;
  base::Log log_{{false, base::LogLevel::kError, "test"}};
  base::HttpServer http_{base::HttpServer::Options{"127.0.0.1:0"}};
  std::string state_dir_;
  ingest::IngestCounts counts_;
  std::map<std::string, std::vector<v1::Article>> articles_;  // by URL, in order of delivery
};

TEST_F(DemoIngestTest, EveryArticleArrivesWholeAndEveryEditAsARevision) {
  const auto week = LoadDemoWeek(DemoDataDir());
  ASSERT_TRUE(week.ok());
  Replay();
  size_t edits = 0;
  std::set<std::string> publishers, ids;
  for (const DemoArticle& article : week->articles) {
    const DemoFeed& feed = week->feeds[article.feed];
    const auto it = articles_.find(article.link);
    ASSERT_NE(it, articles_.end()) << article.link;
    edits += article.versions.size() - 1;
    const v1::Article& last = it->second.back();
    ids.insert(last.id());
    EXPECT_EQ(last.title(), article.versions.back().title);
    EXPECT_NE(last.text().find(article.versions.back().paragraphs.back()), std::string::npos) << article.link << "\n" << last.text();
    EXPECT_EQ(last.language(), feed.language.substr(0, 2)) << article.link;
    EXPECT_EQ(last.publisher_group(), feed.publisher_group);
    EXPECT_EQ(last.published().seconds() * 1000, week->start_ms + article.published_ms()) << article.link;
    publishers.insert(last.publisher());
  }
  EXPECT_EQ(ids.size(), week->articles.size());
  EXPECT_EQ(articles_.size(), week->articles.size());
  EXPECT_EQ(publishers.size(), week->feeds.size());
  EXPECT_EQ(counts_.sent, week->articles.size());
  EXPECT_EQ(counts_.revisions, edits);
  EXPECT_EQ(counts_.dead_lettered, 0u);
}

}  // namespace
}  // namespace racewatch::cli
