// Feeds added and removed while ingest runs.
#include "ingest/feed_requests.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/ingest/role_fixture.h"

namespace racewatch::ingest {
namespace {

using fakes::Body;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

constexpr int64_t kMinute = 60'000;

TEST(ListedFeedTest, TakesEveryField) {
  const auto feed = ParseListedFeed(R"({"url":"https://a.example/f","title":"A","publisher_group":"us","language":"en","interval_s":900})");
  ASSERT_TRUE(feed.ok());
  EXPECT_EQ(feed->url(), "https://a.example/f");
  EXPECT_EQ(feed->title(), "A");
  EXPECT_EQ(feed->interval_s(), 900u);
}

TEST(ListedFeedTest, NamesWhatIsWrong) {
  for (const auto& [json, why] : {std::pair{"", "not a JSON object"}, std::pair{"[]", "not a JSON object"}, std::pair{"{}", "url: is missing"},
                                  std::pair{R"({"url":1})", "url: not a string"}, std::pair{R"({"url":"a","colour":"red"})", "colour: no such field"},
                                  std::pair{R"({"url":"a","interval_s":-1})", "interval_s: not a number"},
                                  std::pair{R"({"url":"a","interval_s":1e99})", "interval_s: not a number"}}) {
    const auto feed = ParseListedFeed(json);
    ASSERT_FALSE(feed.ok()) << json;
    EXPECT_THAT(feed.status().message(), HasSubstr(why));
  }
  EXPECT_FALSE(ParseListedFeed("{\"url\":\"" + std::string(10'000, 'a') + "\"}").ok());
}

class FeedRequestsTest : public RoleTest {
 protected:
  std::pair<int, std::string> Import(const std::string& opml) { return Ask("POST", "/import", opml); }
  std::pair<int, std::string> Ask(const std::string& method, const std::string& query, const std::string& body) {
    base::HttpClient::Options options;
    options.allow_private_addresses = true;
    base::HttpClient client(options);
    std::optional<base::HttpReply> reply;
    base::HttpCall call;
    call.method = method;
    call.url = "http://127.0.0.1:" + std::to_string(http_->port()) + "/api/v1/feeds" + query;
    call.body = body;
    call.headers = {{"Content-Type", query == "/import" ? "text/x-opml" : "application/json"}};
    client.Start(std::move(call), [&](base::HttpReply r) { reply = std::move(r); });
    while (!reply) client.Poll(std::chrono::milliseconds(100));
    return {reply->http_status, reply->body};
  }
  int Add(const std::string& path) { return Ask("POST", "", "{\"url\":\"" + server_.Url(path) + "\",\"interval_s\":60}").first; }
  int Remove(const std::string& path) { return Ask("DELETE", "?id=" + server_.Url(path), "").first; }

  void ServeTwo() {
    server_.Serve("/one", Body(Rss({{"One", "https://a.example/1"}})));
    server_.Serve("/two", Body(Rss({{"Two", "https://a.example/2"}})));
    AddFeed(server_.Url("/one"), 60);
    Start();
    Settle();
  }
};

TEST_F(FeedRequestsTest, AnAddedFeedIsReadAtOnceAndAfterEveryRestart) {
  ServeTwo();
  EXPECT_EQ(Add("/two"), 200);
  WaitFor([&] { return Articles().size() == 2; });
  EXPECT_THAT(Titles(), UnorderedElementsAre("One", "Two"));
  Settle();
  Restart();
  Advance(kMinute);
  EXPECT_EQ(server_.hits("/two"), 2);
  EXPECT_EQ(FeedField(server_.Url("/two"), "state"), "ok");
}

TEST_F(FeedRequestsTest, ARemovedFeedIsNotReadAgainThoughTheListNamesIt) {
  ServeTwo();
  EXPECT_EQ(Remove("/one"), 200);
  Advance(10 * kMinute);
  Restart();
  Advance(10 * kMinute);
  EXPECT_EQ(server_.hits("/one"), 1);
  EXPECT_EQ(FeedField(server_.Url("/one"), "id"), "");
  EXPECT_EQ(Metric("racewatch_ingest_feeds", {{"state", "ok"}}), 0);
}

TEST_F(FeedRequestsTest, AFeedAddedAgainGoesOnWhereItStopped) {
  server_.Serve("/one", fakes::WithValidators(Rss({{"One", "https://a.example/1"}}), "\"1\""));
  AddFeed(server_.Url("/one"), 60);
  Start();
  Settle();
  EXPECT_EQ(Remove("/one"), 200);
  EXPECT_EQ(Add("/one"), 200);
  Advance(kMinute);
  EXPECT_EQ(server_.hits("/one"), 2);
  EXPECT_EQ(server_.LastRequest("/one").Header("if-none-match"), "\"1\"");
  EXPECT_THAT(Titles(), ElementsAre("One"));
}

TEST_F(FeedRequestsTest, AnImportedListIsReadAtOnceAndAfterEveryRestart) {
  ServeTwo();
  std::string opml = "<opml><body><outline text='News'><outline text='Second' xmlUrl='" + server_.Url("/two") + "' publisherGroup='mars'/></outline>" +
                     "<outline xmlUrl='" + server_.Url("/one") + "'/><outline xmlUrl='gopher://a.example/'/></body></opml>";
  const auto [status, answer] = Import(opml);
  EXPECT_EQ(status, 200);
  const nlohmann::json counts = nlohmann::json::parse(answer);
  EXPECT_EQ(counts["added"], 1);
  EXPECT_EQ(counts["present"], 1);
  ASSERT_EQ(counts["refused"].size(), 1u);
  EXPECT_EQ(counts["refused"][0]["url"], "gopher://a.example/");
  WaitFor([&] { return Articles().size() == 2; });
  Settle();
  Restart();
  EXPECT_EQ(FeedField(server_.Url("/two"), "title"), "Second");
  EXPECT_EQ(FeedField(server_.Url("/two"), "folder"), "News");
  EXPECT_EQ(nlohmann::json::parse(Import(opml).second)["added"], 0);
}

TEST_F(FeedRequestsTest, AnImportOfManyFeedsTakesThemAll) {
  ServeTwo();
  std::string opml = "<opml><body>";
  for (int i = 0; i < 5000; ++i) opml += "<outline xmlUrl='" + server_.Url("/many/" + std::to_string(i)) + "'/>";
  EXPECT_EQ(nlohmann::json::parse(Import(opml + "</body></opml>").second)["added"], 5000);
  EXPECT_EQ(Remove("/many/4999"), 200);
  EXPECT_EQ(nlohmann::json::parse(Import(opml + "</body></opml>").second)["added"], 1);
}

TEST_F(FeedRequestsTest, WhatIsNoOpmlIsRefusedWhole) {
  ServeTwo();
  for (const char* body : {"", "<rss/>", "PK\x03\x04", R"({"url":"https://a.example/"})"}) {
    const auto [status, answer] = Import(body);
    EXPECT_EQ(status, 400) << body;
    EXPECT_THAT(answer, HasSubstr("not OPML"));
  }
}

TEST_F(FeedRequestsTest, MistakesAreAnsweredWithTheirReason) {
  ServeTwo();
  EXPECT_EQ(Add("/one"), 409);
  EXPECT_EQ(Remove("/two"), 404);
  EXPECT_EQ(Ask("DELETE", "", "").first, 400);
  for (const auto& [body, why] : {std::pair{"no json", "not a JSON object"}, std::pair{R"({"url":"gopher://a.example"})", "is not an http(s) or file address"},
                                  std::pair{R"({"url":"https://a.example/f","interval_s":30})", "below 600 s"},
                                  std::pair{R"({"url":"https://a.example/f","publisher_group":"mars"})", "is not us, china"}}) {
    const auto [status, answer] = Ask("POST", "", body);
    EXPECT_EQ(status, 400) << body;
    EXPECT_THAT(answer, HasSubstr(why));
  }
}

}  // namespace
}  // namespace racewatch::ingest
