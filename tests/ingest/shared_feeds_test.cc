// Several ingest roles share one feed list over one log: each feed is fetched by one of them, what one has learned all
// know, and what one was at when it ended is not asked again too soon.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "ingest/shared_feeds.h"
#include "tests/ingest/role_fixture.h"

namespace racewatch::ingest {
namespace {

using fakes::Body;

constexpr int64_t kMinute = 60'000;
constexpr int kFeeds = 24;

// One process of the test: a role with a state folder, a sink and a page of its own.
class Member {
 public:
  Member(const v1::IngestConfig& config, fakes::FakeLog& log, base::Clock& clock, base::Log& lines, std::string folder)
      : log_(log), folder_(std::move(folder)), sink_(log), http_({"127.0.0.1:0"}), role_(config, sink_, clock, registry_, lines, http_, folder_) {
    role_.ShareThrough([this](base::SourceOptions options) {
      return base::Result<std::unique_ptr<base::Source>>(std::make_unique<fakes::FakeSource>(log_, std::move(options)));
    });
    EXPECT_TRUE(http_.Start().ok());
    const base::Status status = role_.Start();
    EXPECT_TRUE(status.ok()) << status.ToString();
  }
  ~Member() { End(std::chrono::seconds(10)); }

  // Kill: what the sink holds is lost, nothing more is written.
  void End(std::chrono::milliseconds drain) {
    (void)role_.Stop(drain);
    http_.Stop();
  }
  fakes::FakeSink& sink() { return sink_; }
  IngestRole& role() { return role_; }

  double Owned() const {
    for (const auto& family : registry_.Collect())
      if (family.name == "racewatch_ingest_feeds_owned") return family.metric.front().gauge.value;
    return 0;
  }
  base::HttpReply Ask(const std::string& method, const std::string& query, const std::string& body) {
    base::HttpClient::Options options;
    options.allow_private_addresses = true;
    base::HttpClient client(options);
    std::optional<base::HttpReply> reply;
    base::HttpCall call;
    call.method = method;
    call.url = "http://127.0.0.1:" + std::to_string(http_.port()) + "/api/v1/feeds" + query;
    call.body = body;
    client.Start(std::move(call), [&](base::HttpReply r) { reply = std::move(r); });
    while (!reply) client.Poll(std::chrono::milliseconds(100));
    return std::move(*reply);
  }
  // Feeds that this process fetches, as its own page says.
  size_t Here() {
    size_t here = 0;
    const nlohmann::json page = nlohmann::json::parse(Ask("GET", "", "").body);
    for (const auto& feed : page["feeds"]) here += !feed.contains("elsewhere");
    return here;
  }

 private:
  fakes::FakeLog& log_;
  const std::string folder_;
  fakes::FakeSink sink_;
  prometheus::Registry registry_;
  base::HttpServer http_;
  IngestRole role_;
};

class SharedFeedsTest : public RoleTest {
 protected:
  SharedFeedsTest() {
    config_.set_share_feeds(true);
    for (int i = 0; i < kFeeds; ++i) Serve(i, {});
  }

  static std::string Path(int feed) { return "/feed" + std::to_string(feed); }
  void Serve(int feed, const std::string& more) {
    std::vector<Item> items = {{"First of " + std::to_string(feed), "https://a.example/" + std::to_string(feed)}};
    if (!more.empty()) items.push_back({more, "https://a.example/" + more});
    server_.Serve(Path(feed), fakes::WithValidators(Rss(items), "\"" + std::to_string(feed) + more + "\""));
  }
  void AddFeeds() {
    for (int i = 0; i < kFeeds; ++i) AddFeed(server_.Url(Path(i)), 60);
  }
  std::unique_ptr<Member> StartMember(const std::string& name) {
    return std::make_unique<Member>(config_, shared_log_, clock_, test_log_, state_dir_ + "/" + name);
  }
  void WaitForShares(const std::vector<Member*>& members) {
    WaitFor([&] {
      size_t sum = 0;
      bool each = true;
      for (Member* member : members) {
        const size_t here = member->Here();
        sum += here;
        each = each && here > 0;
      }
      return each && sum == static_cast<size_t>(kFeeds);
    });
  }
  std::vector<int> Hits() const {
    std::vector<int> hits;
    for (int i = 0; i < kFeeds; ++i) hits.push_back(server_.hits(Path(i)));
    return hits;
  }
  int Total() const {
    int total = 0;
    for (const int hits : Hits()) total += hits;
    return total;
  }
  size_t Sent() const { return shared_log_.Records(std::string(base::kArticlesTopic)).size(); }

  fakes::FakeLog shared_log_{8, &clock_};
};

TEST_F(SharedFeedsTest, EachFeedIsFetchedByOneProcess) {
  AddFeeds();
  const auto a = StartMember("a");
  WaitFor([&] { return Sent() == kFeeds && a->role().Idle(); });
  const auto b = StartMember("b");
  WaitForShares({a.get(), b.get()});
  for (int round = 1; round <= 5; ++round) {
    clock_.Advance(kMinute);
    a->role().Wake();
    b->role().Wake();
    WaitFor([&] { return Total() >= kFeeds * (round + 1); });
    WaitFor([&] { return a->role().Idle() && b->role().Idle(); });
    EXPECT_THAT(Hits(), testing::Each(round + 1));
  }
  EXPECT_EQ(Sent(), static_cast<size_t>(kFeeds));
}

TEST_F(SharedFeedsTest, WhatOneHasSentAllKnow) {
  AddFeeds();
  auto a = StartMember("a");
  WaitFor([&] { return Sent() == kFeeds && a->role().Idle(); });
  const auto b = StartMember("b");
  WaitForShares({a.get(), b.get()});
  a.reset();
  WaitForShares({b.get()});
  clock_.Advance(kMinute);
  b->role().Wake();
  WaitFor([&] { return Total() == 2 * kFeeds; });
  WaitFor([&] { return b->role().Idle(); });
  for (int i = 0; i < kFeeds; ++i)
    EXPECT_EQ(server_.LastRequest(Path(i)).Header("if-none-match"), "\"" + std::to_string(i) + "\"") << i;  // it took over the validators too
  EXPECT_EQ(Sent(), static_cast<size_t>(kFeeds));
  Serve(3, "new");
  clock_.Advance(kMinute);
  b->role().Wake();
  WaitFor([&] { return Sent() == kFeeds + 1; });
}

TEST_F(SharedFeedsTest, AProcessWithoutAnyStateLearnsEverythingFromTheLog) {
  AddFeeds();
  auto a = StartMember("a");
  WaitFor([&] { return Sent() == kFeeds && a->role().Idle(); });
  a.reset();
  const auto fresh = StartMember("fresh");
  WaitForShares({fresh.get()});
  EXPECT_EQ(Total(), kFeeds);  // nothing is due yet
  clock_.Advance(kMinute);
  fresh->role().Wake();
  WaitFor([&] { return Total() == 2 * kFeeds; });
  WaitFor([&] { return fresh->role().Idle(); });
  EXPECT_EQ(Sent(), static_cast<size_t>(kFeeds));
}

TEST_F(SharedFeedsTest, AFetchThatItsProcessDidNotSurviveIsMadeAgainWhenTheIntervalIsOver) {
  server_.Serve("/slow", fakes::Silence());
  AddFeed(server_.Url("/slow"), 60);
  auto a = StartMember("a");
  WaitFor([&] { return server_.hits("/slow") == 1; });
  a->End(std::chrono::milliseconds(0));  // with the answer still to come
  a.reset();
  server_.Serve("/slow", Body(Rss({{"Late", "https://a.example/late"}})));
  const auto b = StartMember("b");
  WaitFor([&] { return b->Here() == 1; });
  clock_.Advance(kMinute + 29'999);  // the claim may have been used up to half a minute after it was made
  b->role().Wake();
  WaitFor([&] { return b->role().Idle(); });
  EXPECT_EQ(server_.hits("/slow"), 1);
  clock_.Advance(1);
  b->role().Wake();
  WaitFor([&] { return Sent() == 1; });
  EXPECT_EQ(server_.hits("/slow"), 2);
}

TEST_F(SharedFeedsTest, NothingIsFetchedBeforeItsClaimIsAcknowledged) {
  AddFeed(server_.Url(Path(0)), 60);
  auto a = StartMember("a");
  WaitFor([&] { return Sent() == 1 && a->role().Idle(); });
  a->sink().Cork();
  clock_.Advance(kMinute);
  a->role().Wake();
  WaitFor([&] { return a->sink().queued_bytes() > 0; });
  EXPECT_EQ(server_.hits(Path(0)), 1);
  a->sink().Uncork();
  WaitFor([&] { return server_.hits(Path(0)) == 2; });
}

TEST_F(SharedFeedsTest, AFeedAddedAtOneProcessIsKnownToAllAndFetchedOnce) {
  AddFeeds();
  const auto a = StartMember("a");
  const auto b = StartMember("b");
  WaitForShares({a.get(), b.get()});
  WaitFor([&] { return Sent() == kFeeds && a->role().Idle(); });
  server_.Serve("/added", Body(Rss({{"Added", "https://a.example/added"}})));
  const std::string url = server_.Url("/added");
  EXPECT_EQ(a->Ask("POST", "", "{\"url\":\"" + url + "\"}").http_status, 200);
  WaitFor([&] { return b->Ask("GET", "?id=" + url, "").http_status == 200; });
  WaitFor([&] { return Sent() == kFeeds + 1; });
  EXPECT_EQ(server_.hits("/added"), 1);
  EXPECT_EQ(b->Ask("DELETE", "?id=" + url, "").http_status, 200);
  WaitFor([&] { return a->Ask("GET", "?id=" + url, "").http_status == 404; });
}

TEST_F(SharedFeedsTest, AListImportedAtOneProcessIsSharedByAll) {
  const auto a = StartMember("a");
  const auto b = StartMember("b");
  WaitFor([&] { return a->Ask("POST", "/import", "<opml><body/></opml>").http_status == 200; });
  std::string opml = "<opml><body>";
  for (int i = 0; i < kFeeds; ++i) opml += "<outline xmlUrl='" + server_.Url(Path(i)) + "'/>";
  EXPECT_EQ(a->Ask("POST", "/import", opml + "</body></opml>").http_status, 200);
  WaitForShares({a.get(), b.get()});
  WaitFor([&] { return Sent() == kFeeds; });
  EXPECT_EQ(nlohmann::json::parse(b->Ask("POST", "/import", opml + "</body></opml>").body)["present"], kFeeds);
  EXPECT_THAT(Hits(), testing::Each(1));
}

TEST_F(SharedFeedsTest, WhatAnIndexOrAFolderLeadsToIsReadByWhoReadsThem) {
  AddFeeds();
  const std::filesystem::path folder = state_dir_ + "/documents";
  std::filesystem::create_directories(folder);
  AddFeed("file:" + folder.string(), 60);
  AddFeed(server_.Url("/index"), 60);
  server_.Serve("/index", Body("<sitemapindex/>"));
  const auto a = StartMember("a");
  const auto b = StartMember("b");
  WaitFor([&] { return a->Here() + b->Here() == kFeeds + 2 && a->Here() > 0 && b->Here() > 0 && Sent() == kFeeds; });
  WaitFor([&] { return server_.hits("/index") == 1 && a->role().Idle() && b->role().Idle(); });
  std::string index = "<sitemapindex>";
  for (int i = 0; i < 8; ++i) {
    const std::string n = std::to_string(i);
    std::ofstream(folder / (n + ".xml")) << Rss({{"Document " + n, "https://b.example/" + n}});
    server_.Serve("/map" + n, Body("<urlset xmlns:n='http://www.google.com/schemas/sitemap-news/0.9'><url><loc>https://c.example/" + n +
                                   "</loc><n:news><n:title>Page " + n + "</n:title></n:news></url></urlset>"));
    index += "<sitemap><loc>" + server_.Url("/map" + n) + "</loc></sitemap>";
  }
  server_.Serve("/index", Body(index + "</sitemapindex>"));
  clock_.Advance(2 * kMinute);  // a folder that has changed hands waits for its claim to run out
  a->role().Wake();
  b->role().Wake();
  WaitFor([&] { return Sent() == kFeeds + 16; });
  for (int i = 0; i < 8; ++i) EXPECT_EQ(server_.hits("/map" + std::to_string(i)), 1);
}

TEST_F(SharedFeedsTest, FeedsOfOneDomainStayTogether) {
  const auto key = [](const char* url) {
    FeedSpec spec;
    spec.id = spec.url = url;
    return SharedFeeds::KeyOf(spec);
  };
  EXPECT_EQ(key("https://news.paper.co.uk/a"), key("http://blog.paper.co.uk:8080/b"));
  EXPECT_NE(key("https://news.paper.co.uk/a"), key("https://news.other.co.uk/a"));
  EXPECT_NE(key("http://127.0.0.1:1/a"), key("http://127.0.0.1:1/b"));
}

}  // namespace
}  // namespace racewatch::ingest
