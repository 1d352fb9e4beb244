// The streams for feed readers: what our own ingest reads in them, what RFC 4287 and JSON Feed 1.1 ask, pages and 304.
#include "store/syndication/streams.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <pugixml.hpp>
#include <regex>
#include <set>

#include "base/bus/topics.h"
#include "base/taxonomy.h"
#include "ingest/feed/feed_parser.h"
#include "ingest/feed_list.h"
#include "store/syndication/document.h"
#include "tests/store/article_maker.h"
#include "tests/store/role_life.h"
#include "tests/store/temp_dir.h"

namespace racewatch::store {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const std::regex kDate(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z)");
const std::regex kUri(R"([a-z][a-z0-9+.-]*:\S+)");

// What RFC 4287 asks of a feed document beyond being XML; one line for each fault.
std::vector<std::string> AtomFaults(const std::string& text) {
  std::vector<std::string> faults;
  pugi::xml_document document;
  if (const auto parsed = document.load_string(text.c_str()); !parsed) return {std::string("XML: ") + parsed.description()};
  const pugi::xml_node feed = document.document_element();
  if (std::string(feed.name()) != "feed" || std::string(feed.attribute("xmlns").value()) != "http://www.w3.org/2005/Atom") faults.push_back("root");
  const auto count = [](pugi::xml_node node, const char* name) { return std::distance(node.children(name).begin(), node.children(name).end()); };
  const auto links = [](pugi::xml_node node, const std::string& rel) {
    std::vector<std::string> out;
    for (const auto link : node.children("link"))
      if (rel == link.attribute("rel").as_string("alternate")) out.push_back(link.attribute("href").value());
    return out;
  };
  const auto check_common = [&](pugi::xml_node node, const std::string& where) {
    for (const char* name : {"id", "title", "updated"})
      if (count(node, name) != 1) faults.push_back(where + ": not one " + name);
    if (!std::regex_match(node.child_value("id"), kUri)) faults.push_back(where + ": id is no URI");
    if (!std::regex_match(node.child_value("updated"), kDate)) faults.push_back(where + ": updated is no date");
    for (const auto link : node.children("link"))
      if (!std::regex_match(link.attribute("href").value(), kUri)) faults.push_back(where + ": href " + link.attribute("href").value());
    if (links(node, "alternate").size() > 1) faults.push_back(where + ": two alternates");
  };
  check_common(feed, "feed");
  if (links(feed, "self").size() != 1) faults.push_back("feed: not one self");
  std::set<std::string> ids;
  for (const auto entry : feed.children("entry")) {
    const std::string id = entry.child_value("id");
    check_common(entry, id);
    if (!ids.insert(id).second) faults.push_back(id + ": twice");
    if (std::string(entry.child("author").child_value("name")).empty()) faults.push_back(id + ": no author");
    if (count(entry, "content") > 1 || count(entry, "summary") > 1 || count(entry, "published") > 1) faults.push_back(id + ": doubled element");
    if (entry.child("published") && !std::regex_match(entry.child_value("published"), kDate)) faults.push_back(id + ": published is no date");
    if (!entry.child("content") && links(entry, "alternate").empty()) faults.push_back(id + ": neither content nor alternate");
    for (const auto category : entry.children("category"))
      if (std::string(category.attribute("term").value()).empty()) faults.push_back(id + ": category without term");
  }
  return faults;
}

// Likewise of JSON Feed 1.1.
std::vector<std::string> JsonFeedFaults(const json& feed) {
  std::vector<std::string> faults;
  if (!feed.is_object() || feed.value("version", "") != "https://jsonfeed.org/version/1.1") return {"version"};
  if (feed.value("title", "").empty()) faults.push_back("title");
  for (const char* name : {"home_page_url", "feed_url", "next_url"})
    if (feed.contains(name) && !std::regex_match(feed[name].get<std::string>(), kUri)) faults.push_back(name);
  if (!feed.contains("items") || !feed["items"].is_array()) return {"items"};
  std::set<std::string> ids;
  for (const json& item : feed["items"]) {
    if (!item.contains("id") || !item["id"].is_string() || !ids.insert(item["id"]).second) faults.push_back("id");
    if (!item.contains("content_html") && !item.contains("content_text")) faults.push_back("no content");
    for (const char* name : {"date_published", "date_modified"})
      if (item.contains(name) && !std::regex_match(item[name].get<std::string>(), kDate)) faults.push_back(name);
    for (const json& author : item.value("authors", json::array()))
      if (author.value("name", "").empty()) faults.push_back("author");
    if (!item.value("tags", json::array()).is_array()) faults.push_back("tags");
  }
  return faults;
}

class StreamsTest : public testing::Test {
 protected:
  void Publish(const v1::TaggedArticle& article) { PublishTo(bus_, ToRecord(article), base::kTaggedTopic); }
  void Start(v1::StoreConfig config = TestConfig()) {
    life_ = std::make_unique<RoleLife>(bus_, clock_, dir_.path(), config);
    life_->Start();
    life_->Settle();
  }
  std::string Get(const std::string& path) {
    const auto result = life_->Get(path);
    EXPECT_TRUE(result);
    if (!result) return "";
    EXPECT_EQ(result->status, 200) << path << ": " << result->body;
    return result->body;
  }
  // As our own ingest reads it, after the checks of its format.
  ingest::Feed Read(const std::string& path) {
    const std::string body = Get(path);
    const bool is_json = path.find(".json") != std::string::npos;
    EXPECT_THAT(is_json ? JsonFeedFaults(json::parse(body, nullptr, false)) : AtomFaults(body), IsEmpty()) << body;
    auto feed = ingest::ParseFeed(body, {.base_url = "http://wrong.example/"});
    EXPECT_TRUE(feed.ok()) << feed.status().ToString();
    if (!feed.ok()) return {};
    EXPECT_EQ(feed->format, is_json ? ingest::FeedFormat::kJson11 : ingest::FeedFormat::kAtom10);
    EXPECT_FALSE(feed->damaged);
    return std::move(feed).value();
  }
  static std::vector<std::string> Ids(const ingest::Feed& feed) {
    std::vector<std::string> ids;
    for (const auto& entry : feed.entries) ids.push_back(entry.id);
    return ids;
  }
  static std::string Urn(uint64_t n) { return UrnOfHex(TestId(n)); }

  TempDir dir_;
  fakes::ManualClock clock_{kTestNow};
  fakes::FakeLog bus_{1, &clock_};
  std::unique_ptr<RoleLife> life_;
};

v1::TaggedArticle Made(uint64_t n, const std::string& theme) {
  auto article = MakeArticle(n, kTestNow - 3'600'000 + static_cast<int64_t>(n) * 60'000);
  article.mutable_tags()->mutable_themes(0)->set_id(theme);
  article.mutable_article()->set_url("https://p.example/" + std::to_string(n) + "?a=1&b=2");
  return article;
}

TEST_F(StreamsTest, AThemeIsReadBackByOurOwnIngestInBothFormats) {
  auto odd = Made(1, "markets");
  odd.mutable_article()->set_title("A < B & \"C\" \x01 \xef\xbf\xbe 芯片");
  odd.mutable_article()->set_text("First <script>alert(1)</script> words.");
  odd.mutable_article()->set_author("Ada Example");
  odd.mutable_article()->set_language("zh");
  Publish(odd);
  Publish(Made(2, "chips_compute"));
  Publish(Made(3, "markets"));
  Start();
  for (const char* format : {"atom", "json"}) {
    const ingest::Feed feed = Read(std::string("/api/v1/streams/themes/markets.") + format);
    EXPECT_EQ(feed.title, "racewatch: theme markets");
    ASSERT_THAT(Ids(feed), ElementsAre(Urn(3), Urn(1))) << "newest first";
    const ingest::FeedEntry& entry = feed.entries[1];
    EXPECT_THAT(entry.title, HasSubstr("A < B & \"C\""));
    EXPECT_THAT(entry.title, HasSubstr("芯片"));
    EXPECT_EQ(entry.link, "https://p.example/1?a=1&b=2");
    EXPECT_EQ(entry.published->unix_ms, kTestNow - 3'600'000 + 60'000);
    EXPECT_TRUE(entry.updated.has_value());
    EXPECT_EQ(entry.language, "zh");
    EXPECT_THAT(entry.author, HasSubstr("Ada Example"));
    EXPECT_THAT(entry.categories, testing::Contains("theme:markets"));
    EXPECT_THAT(entry.summary + entry.content, HasSubstr("First"));
  }
}

TEST_F(StreamsTest, EveryStreamOfTheListIsThereAndEmptyOnesAreValidToo) {
  Start();
  const auto list = ingest::ParseOpml(Get("/api/v1/streams.opml"));
  ASSERT_TRUE(list.ok()) << list.status().ToString();
  EXPECT_THAT(*list, SizeIs(2 + base::kThemes.size() + base::kTargets.size()));
  for (const auto& stream : *list) {
    const std::string path = stream.url.substr(stream.url.find("/api/"));
    EXPECT_THAT(stream.url, HasSubstr("http://127.0.0.1:" + std::to_string(life_->http.port())));
    EXPECT_THAT(Read(path).entries, IsEmpty());
    EXPECT_THAT(Read(path.substr(0, path.rfind('.')) + ".json").entries, IsEmpty());
  }
}

TEST_F(StreamsTest, PagesHoldEachArticleOnceWhileNewOnesCome) {
  for (uint64_t n = 1; n <= 7; ++n) Publish(Made(n, "markets"));
  Start();
  const auto next_of = [](const std::string& body) {
    pugi::xml_document document;
    document.load_string(body.c_str());
    for (const auto link : document.document_element().children("link"))
      if (std::string(link.attribute("rel").value()) == "next") return std::string(link.attribute("href").value());
    return std::string();
  };
  std::vector<std::string> all;
  std::string path = "/api/v1/streams/themes/markets.atom?page_size=3";
  std::set<std::string> feed_ids;
  for (uint64_t more = 8; !path.empty(); ++more) {
    const std::string body = Get(path);
    for (const std::string& id : Ids(Read(path))) all.push_back(id);
    pugi::xml_document document;
    document.load_string(body.c_str());
    feed_ids.insert(document.document_element().child_value("id"));
    const std::string next = next_of(body);
    path = next.empty() ? "" : next.substr(next.find("/api/"));
    Publish(Made(more, "markets"));
    life_->Settle();
  }
  EXPECT_THAT(all, ElementsAre(Urn(7), Urn(6), Urn(5), Urn(4), Urn(3), Urn(2), Urn(1)));
  EXPECT_THAT(feed_ids, SizeIs(1)) << "the pages are one feed";
  const json first = json::parse(Get("/api/v1/streams/themes/markets.json?page_size=3"));
  const std::string next = first["next_url"];
  EXPECT_THAT(Read(next.substr(next.find("/api/"))).entries, SizeIs(3));
}

TEST_F(StreamsTest, ARevisionKeepsItsIdMovesUpAndIsUpdated) {
  Publish(Made(1, "markets"));
  Publish(Made(2, "markets"));
  Start();
  const ingest::Feed before = Read("/api/v1/streams/themes/markets.atom");
  ASSERT_THAT(Ids(before), ElementsAre(Urn(2), Urn(1)));
  auto revised = Made(1, "markets");
  revised.mutable_article()->set_title("Corrected");
  revised.mutable_article()->set_content_hash("00000000000000ff");
  SetTime(revised.mutable_article()->mutable_revision_at(), kTestNow + 60'000);
  Publish(revised);
  life_->Settle();
  const ingest::Feed after = Read("/api/v1/streams/themes/markets.atom");
  ASSERT_THAT(Ids(after), ElementsAre(Urn(1), Urn(2))) << "once, at its new place";
  EXPECT_EQ(after.entries[0].title, "Corrected");
  EXPECT_EQ(after.entries[0].updated->unix_ms, kTestNow + 60'000);
  EXPECT_EQ(after.updated->unix_ms, kTestNow + 60'000);
  EXPECT_EQ(after.entries[1].updated->unix_ms, before.entries[0].updated->unix_ms);
}

TEST_F(StreamsTest, NothingNewIs304AndANewArticleIsNot) {
  Publish(Made(1, "markets"));
  Start();
  httplib::Client client("127.0.0.1", life_->http.port());
  for (const std::string path : {"/api/v1/streams/articles.atom", "/api/v1/streams/articles.json", "/api/v1/streams/alerts.atom",
                                 "/api/v1/streams.opml"}) {
    const auto first = client.Get(path);
    const std::string tag = first->get_header_value("ETag");
    EXPECT_THAT(tag, testing::MatchesRegex("\"[0-9a-f]{32}\""));
    for (const std::string& sent : {tag, "W/" + tag, "\"other\", " + tag, std::string("*")}) {
      const auto again = client.Get(path, {{"If-None-Match", sent}});
      EXPECT_EQ(again->status, 304) << path << " " << sent;
      EXPECT_TRUE(again->body.empty());
      EXPECT_EQ(again->get_header_value("ETag"), tag);
    }
    EXPECT_EQ(client.Get(path, {{"If-None-Match", "\"other\""}})->status, 200);
    EXPECT_EQ(client.Head(path)->get_header_value("ETag"), tag);
  }
  const std::string tag = client.Get("/api/v1/streams/articles.atom")->get_header_value("ETag");
  Publish(Made(2, "markets"));
  life_->Settle();
  EXPECT_EQ(client.Get("/api/v1/streams/articles.atom", {{"If-None-Match", tag}})->status, 200);
}

TEST_F(StreamsTest, AStoreThatIsRebuiltServesTheSameEntries) {
  for (uint64_t n = 1; n <= 5; ++n) Publish(Made(n, n % 2 ? "markets" : "chips_compute"));
  Start();
  const json before = json::parse(Get("/api/v1/streams/articles.json"));
  life_.reset();
  clock_.Advance(86'400'000);
  const TempDir other;
  RoleLife rebuilt(bus_, clock_, other.path());
  rebuilt.Start();
  rebuilt.Settle();
  EXPECT_EQ(rebuilt.GetJson("/api/v1/streams/articles.json")["items"], before["items"]);
}

TEST_F(StreamsTest, FiltersNarrowAndTakenDownTextsGo) {
  Publish(Made(1, "markets"));
  auto german = Made(2, "markets");
  german.mutable_article()->set_language("de");
  german.mutable_article()->set_publisher("q.example");
  Publish(german);
  Start();
  EXPECT_THAT(Ids(Read("/api/v1/streams/articles.atom?language=de")), ElementsAre(Urn(2)));
  EXPECT_THAT(Ids(Read("/api/v1/streams/articles.atom?publisher=q.example&page_size=1")), ElementsAre(Urn(2)));
  EXPECT_THAT(Ids(Read("/api/v1/streams/targets/export_controls.json?position=against")), IsEmpty());
  EXPECT_THAT(Ids(Read("/api/v1/streams/targets/export_controls.json?position=favor")), SizeIs(2));
  httplib::Client client("127.0.0.1", life_->http.port());
  ASSERT_EQ(client.Post("/api/v1/takedown?article=" + TestId(2), "", "text/plain")->status, 200);
  life_->Settle();
  EXPECT_THAT(Ids(Read("/api/v1/streams/articles.atom")), ElementsAre(Urn(1)));
}

TEST_F(StreamsTest, AnAlertIsOneEntryThatChangesWithItsState) {
  for (uint64_t n = 1; n <= 8; ++n) {
    auto article = MakeArticle(n, kTestNow - 1'800'000 + static_cast<int64_t>(n) * 1000);
    article.mutable_article()->set_title("Chips & more <" + std::to_string(n) + ">");
    Publish(article);
  }
  Start();
  std::string id;
  for (int step = 0; step < 20; ++step) {
    clock_.Advance(600'000);
    life_->Settle();
    const ingest::Feed feed = Read("/api/v1/streams/alerts/chips.atom");
    if (feed.entries.empty()) continue;
    ASSERT_THAT(feed.entries, SizeIs(1));
    if (id.empty()) {
      id = feed.entries[0].id;
      EXPECT_THAT(feed.entries[0].categories, testing::Contains("state:open"));
      EXPECT_THAT(feed.entries[0].content, HasSubstr("Chips &amp; more &lt;"));
    }
    EXPECT_EQ(feed.entries[0].id, id);
  }
  ASSERT_FALSE(id.empty());
  const ingest::Feed last = Read("/api/v1/streams/alerts.json");
  EXPECT_THAT(last.entries.at(0).title, HasSubstr("(over)"));
  EXPECT_THAT(last.entries.at(0).categories, testing::Contains("state:close"));
  EXPECT_GT(last.entries.at(0).updated->unix_ms, last.entries.at(0).published->unix_ms);
  EXPECT_THAT(Read("/api/v1/streams/alerts/other.atom").entries, IsEmpty());
}

TEST_F(StreamsTest, WhatIsWrongIsExplained) {
  Start();
  EXPECT_EQ(life_->GetJson("/api/v1/streams/themes/weather.atom", 404)["code"], 5);
  EXPECT_EQ(life_->GetJson("/api/v1/streams/targets/weather.json", 404)["code"], 5);
  const auto why = [this](const std::string& path) { return life_->GetJson(path, 400)["message"].get<std::string>(); };
  EXPECT_THAT(why("/api/v1/streams/articles.atom?page_token=x"), HasSubstr("page_token"));
  EXPECT_THAT(why("/api/v1/streams/articles.atom?page_size=501"), HasSubstr("page_size"));
  EXPECT_THAT(why("/api/v1/streams/articles.atom?theme=weather"), HasSubstr("weather"));
  EXPECT_THAT(why("/api/v1/streams/themes/markets.atom?theme=markets"), HasSubstr("unknown parameter"));
  EXPECT_EQ(life_->Get("/api/v1/streams/articles.rss")->status, 404);
}

TEST_F(StreamsTest, LinksFollowTheProxyAndNeverAnOddHost) {
  Start();
  httplib::Client client("127.0.0.1", life_->http.port());
  EXPECT_THAT(client.Get("/api/v1/streams/alerts.json", {{"X-Forwarded-Host", "news.example"}, {"X-Forwarded-Proto", "https"}})->body,
              HasSubstr("\"feed_url\":\"https://news.example/api/v1/streams/alerts.json\""));
  EXPECT_THAT(client.Get("/api/v1/streams/alerts.json", {{"X-Forwarded-Host", "a\"><x"}})->body, HasSubstr("\"feed_url\":\"http://localhost/api/"));
}

TEST_F(StreamsTest, TheOpenApiDocumentHoldsThem) {
  Start();
  const json document = life_->GetJson("/api/v1/openapi.json");
  for (const Endpoint& endpoint : StreamEndpoints()) {
    const json& get = document["paths"][std::string(endpoint.path)]["get"];
    EXPECT_TRUE(get["responses"].contains("304")) << endpoint.path;
    for (const json& parameter : get["parameters"]) {
      const std::string name = "{" + parameter["name"].get<std::string>() + "}";
      EXPECT_EQ(endpoint.path.find(name) != std::string_view::npos, parameter["in"] == "path") << endpoint.path;
    }
  }
}

}  // namespace
}  // namespace racewatch::store
