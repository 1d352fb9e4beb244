#include "cli/demo_server.h"

#include <gtest/gtest.h>
#include <httplib.h>

#include <atomic>
#include <set>

#include "base/http_server.h"
#include "cli/demo_week.h"
#include "racewatch/v1/config.pb.h"

namespace racewatch::cli {
namespace {

constexpr int64_t kHour = 3'600'000;

class StoppedClock final : public base::Clock {
 public:
  base::UnixMs NowMs() const override { return now; }
  std::chrono::milliseconds RealDuration(int64_t ms) const override { return std::chrono::milliseconds(ms); }
  std::atomic<int64_t> now{0};
};

class DemoServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(server_.Start().ok());
    client_ = std::make_unique<httplib::Client>("127.0.0.1", server_.port());
  }
  void SetHour(double hour) { clock_.now = server_.start_ms() + static_cast<int64_t>(hour * kHour); }
  httplib::Result Get(const std::string& host, const std::string& path, httplib::Headers headers = {}) {
    headers.emplace("Host", host);
    return client_->Get(path.c_str(), headers);
  }

  StoppedClock clock_;
  DemoServer server_{clock_, DemoDataDir()};
  std::unique_ptr<httplib::Client> client_;
};

TEST_F(DemoServerTest, AnswersForAHostByHeaderByPathAndAsAProxy) {
  SetHour(24);
  const auto by_header = Get("beltwaybrief.example", "/atom.xml");
  ASSERT_TRUE(by_header);
  EXPECT_EQ(by_header->status, 200);
  const auto by_path = client_->Get("/beltwaybrief.example/atom.xml");
  ASSERT_TRUE(by_path);
  EXPECT_EQ(by_path->body, by_header->body);
  httplib::Client proxied("beltwaybrief.example", 80);
  proxied.set_proxy("127.0.0.1", server_.port());
  const auto by_proxy = proxied.Get("/atom.xml");
  ASSERT_TRUE(by_proxy);
  EXPECT_EQ(by_proxy->body, by_header->body);
}

TEST_F(DemoServerTest, AnswersEachFeedWithItsTypeAndValidators) {
  SetHour(30);
  for (const v1::FeedConfig& feed : server_.Feeds()) {
    const auto response = client_->Get(("/" + feed.url().substr(7)).c_str());
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 200) << feed.url();
    EXPECT_FALSE(response->get_header_value("ETag").empty()) << feed.url();
    EXPECT_FALSE(response->get_header_value("Last-Modified").empty()) << feed.url();
  }
}

TEST_F(DemoServerTest, Answers304OnlyToTheValidatorItGaveByteByByte) {
  SetHour(30);
  const std::string host = "www.harborwire.example", path = "/rss/top";  // weak: the ETag starts with W/
  const auto first = Get(host, path);
  ASSERT_TRUE(first);
  const std::string etag = first->get_header_value("ETag"), modified = first->get_header_value("Last-Modified");
  const auto same = Get(host, path, {{"If-None-Match", etag}});
  EXPECT_EQ(same->status, 304);
  EXPECT_TRUE(same->body.empty());
  EXPECT_EQ(Get(host, path, {{"If-None-Match", etag.substr(2)}})->status, 200);
  EXPECT_EQ(Get(host, path, {{"If-Modified-Since", modified}})->status, 304);
  EXPECT_EQ(Get(host, path, {{"If-Modified-Since", modified.substr(5)}})->status, 200);
  EXPECT_EQ(Get(host, path, {{"If-None-Match", "\"other\""}, {"If-Modified-Since", modified}})->status, 200)
      << "If-None-Match outranks If-Modified-Since (RFC 9110, 13.1.3)";
}

TEST_F(DemoServerTest, ChangesAFeedAtItsOwnItemsAndEditsAndAtNothingElse) {
  const auto week = LoadDemoWeek(DemoDataDir());
  ASSERT_TRUE(week.ok());
  std::set<base::UnixMs> expected, met;
  for (const DemoArticle& article : week->articles)
    for (const DemoVersion& version : article.versions)
      if (week->feeds[article.feed].id == "harbor") expected.insert(week->start_ms + version.at_ms);
  std::string etag;
  for (clock_.now = server_.start_ms(); clock_.now < server_.end_ms(); clock_.now = server_.NextChangeMs(clock_.now)) {
    const auto response = Get("www.harborwire.example", "/rss/top");
    const std::string now = response->get_header_value("ETag");
    if (!etag.empty() && now != etag) met.insert(clock_.now);
    etag = now;
  }
  EXPECT_EQ(met, expected);
}

TEST_F(DemoServerTest, NamesTheEndOfTheWeekWhenNothingFollows) {
  EXPECT_EQ(server_.NextChangeMs(server_.end_ms()), server_.end_ms());
  EXPECT_LT(server_.NextChangeMs(server_.start_ms() - 1), server_.start_ms() + kHour) << "the demo shows something at once";
}

TEST_F(DemoServerTest, FailsOneFeedForAnHourAndTruncatesAnother) {
  SetHour(3 * 24 + 10.5);
  EXPECT_EQ(Get("www.rheinblick.example", "/politik-und-technik.rss")->status, 500);
  SetHour(3 * 24 + 11);
  EXPECT_EQ(Get("www.rheinblick.example", "/politik-und-technik.rss")->status, 200);
  SetHour(1 * 24 + 12.1);
  const auto broken = Get("savannabusiness.example", "/feed.json");
  EXPECT_EQ(broken->status, 200);
  EXPECT_NE(broken->body.substr(broken->body.size() - 2), "}\n");
  EXPECT_TRUE(broken->get_header_value("ETag").empty());
}

TEST_F(DemoServerTest, ServesEveryArticlePageFromItsTimeOn) {
  const auto week = LoadDemoWeek(DemoDataDir());
  ASSERT_TRUE(week.ok());
  for (const DemoArticle& article : week->articles) {
    const std::string path = "/" + article.link.substr(7);
    clock_.now = server_.start_ms() + article.published_ms() - 1;
    EXPECT_EQ(client_->Get(path.c_str())->status, 404) << article.link;
    clock_.now = server_.start_ms() + article.published_ms();
    EXPECT_EQ(client_->Get(path.c_str())->status, 200) << article.link;
  }
}

TEST_F(DemoServerTest, ShowsItsPagesOnAnotherServerUnderDemo) {
  SetHour(48);
  base::HttpServer other({"127.0.0.1:0"});
  server_.ServePagesOn(other);
  ASSERT_TRUE(other.Start().ok());
  httplib::Client client("127.0.0.1", other.port());
  const auto page = client.Get("/demo/beltwaybrief.example/2026/03/hill-reacts-to-qilin");
  ASSERT_TRUE(page);
  EXPECT_EQ(page->status, 200);
  EXPECT_NE(page->body.find("<h1>The Hill reacts to Qilin"), std::string::npos);
  EXPECT_NE(page->body.find("<a href=\"/demo/beltwaybrief.example/\">"), std::string::npos);
  EXPECT_EQ(page->body.find("<a href=\"http://"), std::string::npos) << "links lead out of the demo";
  EXPECT_EQ(client.Get("/demo/nowhere.example/")->status, 404);
  other.Stop();
}

TEST_F(DemoServerTest, RefusesUnknownHostsPathsAndMethods) {
  EXPECT_EQ(client_->Get("/nowhere.example/feed")->status, 404);
  EXPECT_EQ(Get("beltwaybrief.example", "/missing")->status, 404);
  EXPECT_EQ(client_->Post("/beltwaybrief.example/atom.xml", "x", "text/plain")->status, 405);
}

TEST(DemoServerStart, SaysWhichFileIsMissing) {
  StoppedClock clock;
  DemoServer server(clock, "/nonexistent");
  const base::Status status = server.Start();
  EXPECT_EQ(status.code(), base::Code::kNotFound);
  EXPECT_NE(status.message().find("/nonexistent/feeds.json"), std::string::npos);
}

}  // namespace
}  // namespace racewatch::cli
