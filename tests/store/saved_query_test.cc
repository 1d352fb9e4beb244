// Saved queries: what expressions mean and what is wrong with them, words in several scripts, and counts that stay right
// through revisions, reloads, removed texts and rebuilds. That they equal a recount in any order and through kills is shown by
// exactness_test and crash_test, whose stores have queries.
#include "store/saved_query/saved_queries.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "base/bus/topics.h"
#include "racewatch/v1/store_service.grpc.pb.h"
#include "tests/store/article_maker.h"
#include "tests/store/fake_engine.h"
#include "tests/store/role_life.h"
#include "tests/store/temp_dir.h"

namespace racewatch::store {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

bool Has(const std::string& text, const std::string& word, bool prefix = false) {
  SearchText prepared;
  prepared.Set(text);
  return prepared.Has(SearchTerm(word, prefix));
}

TEST(SearchTextTest, WordsMatchWholeAndWithoutRegardToCase) {
  EXPECT_TRUE(Has("The CHIP war.", "chip"));
  EXPECT_TRUE(Has("chip", "Chip"));
  EXPECT_FALSE(Has("chips", "chip"));
  EXPECT_FALSE(Has("microchip", "chip"));
  EXPECT_TRUE(Has("chips", "chip", true));
  EXPECT_FALSE(Has("microchips", "chip", true));
  EXPECT_TRUE(Has("China’s plan", "china"));
  EXPECT_TRUE(Has("STRASSE und Straße", "strasse"));
  EXPECT_TRUE(Has("Ｎｖｉｄｉａ", "nvidia")) << "full width";
  EXPECT_FALSE(Has("", "chip"));
}

TEST(SearchTextTest, APhraseRunsOverPunctuationButNotOverOtherWords) {
  EXPECT_TRUE(Has("new export-controls, again", "export controls"));
  EXPECT_TRUE(Has("export\n  controls", "Export-Controls"));
  EXPECT_FALSE(Has("export of controls", "export controls"));
  EXPECT_FALSE(Has("reexport controls", "export controls"));
  EXPECT_TRUE(Has("export controls", "export contr", true));
  EXPECT_TRUE(Has("e\u0301lan vital", "\u00e9lan")) << "composed and decomposed are one";
}

TEST(SearchTextTest, ScriptsWithoutSpacesMatchAnywhereAndEndAtOtherLetters) {
  EXPECT_TRUE(Has("美国限制芯片出口", "芯片"));
  EXPECT_TRUE(Has("英伟达H20芯片", "H20"));
  EXPECT_TRUE(Has("英伟达H20芯片", "h20芯片"));
  EXPECT_FALSE(Has("英伟达H200芯片", "H20"));
  EXPECT_TRUE(Has("삼성은 말했다", "삼성"));
  EXPECT_TRUE(Has("エヌビディアのチップ", "チップ"));
  EXPECT_FALSE(Has("美国", "芯片"));
}

// Everything about one article, so that single questions can be asked of it.
struct Asked {
  SearchText title, text;
  Labels labels;
  std::string publisher = "paper.example";
  Asked() {
    title.Set("Huawei answers");
    text.Set("New export controls hit makers of accelerators.");
    labels.relevant = true;
    labels.themes = 1u << *base::IndexOf(base::kThemes, "markets");
    labels.positions[*base::IndexOf(base::kTargets, "export_controls")] = 1 + *base::IndexOf(base::kPositions, "against");
    labels.lean = static_cast<uint8_t>(1 + *base::IndexOf(base::kLeans, "us"));
  }
  bool Meets(const std::string& expression) const {
    const auto query = BooleanQuery::Parse(expression);
    EXPECT_TRUE(query.ok()) << expression << ": " << query.status().ToString();
    return query.ok() && query->Matches({title, text, labels, static_cast<uint8_t>(*base::IndexOf(base::kLanguages, "en")),
                                         static_cast<uint8_t>(*base::IndexOf(base::kPublisherGroups, "china")), publisher});
  }
};

TEST(BooleanQueryTest, EveryFieldAndOperatorMeansWhatItSays) {
  const Asked asked;
  for (const char* yes : {"huawei", "title:huawei", "accelerators", "text:accelerators", "\"export controls\"", "text:\"export controls\"", "“export controls”",
                          "accel*", "theme:markets", "target:export_controls", "stance:export_controls:against", "lean:us", "relevant:yes", "language:en",
                          "publisher:Paper.example", "group:china", "NOT nvidia", "huawei accelerators", "huawei AND accelerators", "nvidia OR huawei",
                          "nvidia OR huawei AND accelerators", "NOT NOT huawei", "(nvidia OR huawei) NOT (amd OR intel)", "NOT (huawei AND nvidia)"})
    EXPECT_TRUE(asked.Meets(yes)) << yes;
  for (const char* no : {"nvidia", "title:accelerators", "text:huawei", "\"controls export\"", "theme:chips_compute", "target:ai_regulation",
                         "stance:export_controls:favor", "lean:china", "relevant:no", "language:zh", "publisher:example", "group:us", "NOT huawei",
                         "huawei AND nvidia", "huawei NOT accelerators", "(nvidia OR amd) huawei", "nvidia AND huawei OR amd"})
    EXPECT_FALSE(asked.Meets(no)) << no;
}

TEST(BooleanQueryTest, MistakesAreNamedWithTheirColumn) {
  const auto why = [](const std::string& expression) {
    const auto query = BooleanQuery::Parse(expression);
    return query.ok() ? "none" : query.status().message();
  };
  EXPECT_THAT(why(""), HasSubstr("column 1: a word, a phrase, a field or '(' is expected, not the end"));
  EXPECT_THAT(why("chip AND"), HasSubstr("column 9: "));
  EXPECT_THAT(why("chip AND OR gpu"), HasSubstr("column 10: "));
  EXPECT_THAT(why("(chip OR gpu"), HasSubstr("column 1: this parenthesis is never closed"));
  EXPECT_THAT(why("chip) OR gpu"), HasSubstr("column 5: ')' without '('"));
  EXPECT_THAT(why("芯片 AND \"export"), HasSubstr("column 8: the quotation mark is never closed")) << "columns are characters";
  EXPECT_THAT(why("chip or gpu"), HasSubstr("column 6: write OR in capitals"));
  EXPECT_THAT(why("chip -gpu"), HasSubstr("column 6: '-gpu': write NOT"));
  EXPECT_THAT(why("theme:weather"), HasSubstr("column 1: unknown theme 'weather'; known are model_capability"));
  EXPECT_THAT(why("a stance:export_controls"), HasSubstr("column 3: 'export_controls' is no stance"));
  EXPECT_THAT(why("colour:red"), HasSubstr("unknown field 'colour'; known are title"));
  EXPECT_THAT(why("title: chip"), HasSubstr("nothing stands after 'title:'"));
  EXPECT_THAT(why("ch*p"), HasSubstr("'*' stands at the end of a word only"));
  EXPECT_THAT(why("c*"), HasSubstr("a prefix needs at least two letters"));
  EXPECT_THAT(why("!!!"), HasSubstr("neither letter nor digit"));
  EXPECT_THAT(why("NOT"), HasSubstr("column 4: "));
  EXPECT_THAT(why("()"), HasSubstr("column 2: "));
  EXPECT_THAT(why(std::string(60, '(') + "a"), HasSubstr("column 51: more than 50 parentheses"));
  EXPECT_THAT(why(std::string(5000, 'a')), HasSubstr("more than 4096 bytes"));
  std::string many;
  for (int i = 0; i < 201; ++i) many += "a ";
  EXPECT_THAT(why(many), HasSubstr("column 401: more than 200 terms"));
}

TEST(BooleanQueryTest, SpellingDoesNotMakeAnotherQuestionAndMeaningDoes) {
  const auto mark = [](const char* expression) { return BooleanQuery::Parse(expression)->fingerprint(); };
  EXPECT_EQ(mark("Huawei   \"Export-Controls\""), mark("huawei AND \"export controls\""));
  EXPECT_EQ(mark("(huawei)"), mark("huawei"));
  EXPECT_NE(mark("huawei"), mark("huawei*"));
  EXPECT_NE(mark("huawei"), mark("title:huawei"));
  EXPECT_NE(mark("a OR b"), mark("a AND b"));
  EXPECT_NE(mark("theme:markets"), mark("theme:investment_infrastructure"));
}

v1::StoreConfig WithQueries(const std::vector<std::pair<std::string, std::string>>& queries, v1::StoreConfig config = TestConfig()) {
  for (const auto& [name, expression] : queries) {
    auto* query = config.add_queries();
    query->set_name(name);
    query->set_expression(expression);
  }
  return config;
}

TEST(SavedQueriesTest, EveryProblemIsReportedAtOnce) {
  base::Problems problems;
  ValidateQueries(WithQueries({{"Bad Name", "a"}, {"a", "b AND"}, {"a", "c"}}), &problems);
  EXPECT_THAT(problems.lines(), ElementsAre(HasSubstr("queries[0].name"), HasSubstr("queries[1].expression: column 6: "), HasSubstr("'a' is used twice")));
}

TEST(SavedQueriesTest, ASlotIsNeverGivenOutTwice) {
  FakeEngine engine;
  const auto slots = [&engine](const std::vector<std::pair<std::string, std::string>>& queries) {
    std::vector<std::string> out;
    const auto saved = RegisterQueries(engine, WithQueries(queries));
    EXPECT_TRUE(saved.ok());
    for (const SavedQuery& query : *saved) out.push_back(query.name + std::to_string(query.slot));
    return out;
  };
  EXPECT_THAT(slots({{"a", "x"}, {"b", "y"}}), ElementsAre("a0", "b1"));
  EXPECT_THAT(slots({{"b", "Y"}, {"a", "x"}}), ElementsAre("a0", "b1")) << "kept over restarts, in any order";
  EXPECT_THAT(slots({{"a", "z"}, {"b", "y"}}), ElementsAre("b1", "a2")) << "another text is another question";
  EXPECT_THAT(slots({{"b", "y"}}), ElementsAre("b1"));
  EXPECT_THAT(slots({{"a", "z"}, {"b", "y"}}), ElementsAre("b1", "a3")) << "what it missed meanwhile was never counted";
  engine.FailNext(FakeEngine::Fault::kBeforeCommit);
  EXPECT_FALSE(RegisterQueries(engine, WithQueries({{"c", "c"}})).ok());
  EXPECT_THAT(slots({{"a", "z"}, {"b", "y"}}), ElementsAre("b1", "a3"));
}

class SavedQueryRoleTest : public testing::Test {
 protected:
  void Publish(const v1::TaggedArticle& article) { PublishTo(bus_, ToRecord(article), base::kTaggedTopic); }
  static v1::TaggedArticle Text(uint64_t n, const std::string& text, base::UnixMs published = kTestNow - 3'600'000) {
    auto article = MakeArticle(n, published);
    article.mutable_article()->set_text(text);
    return article;
  }
  static int64_t Count(RoleLife& life, const std::string& query, const std::string& more = "&window=all", const char* what = "articles") {
    const json answer = life.GetJson("/api/v1/trends?query=" + query + more);
    int64_t sum = 0;
    for (const json& point : answer["series"][0]["points"])
      sum += point[what].is_string() ? std::stoll(point[what].get<std::string>()) : point[what].get<int64_t>();
    return sum;
  }
  static std::vector<std::string> Watched(RoleLife& life, const std::string& query) {
    std::vector<std::string> ids;
    std::istringstream lines(life.Get("/api/v1/articles/watch?follow=false&resume_token=0&query=" + query)->body);
    for (std::string line; std::getline(lines, line);) ids.push_back(json::parse(line)["article"]["article"]["id"]);
    return ids;
  }
  TempDir dir_;
  fakes::ManualClock clock_{kTestNow};
  fakes::FakeLog bus_{1, &clock_};
};

TEST_F(SavedQueryRoleTest, AQueryIsASeriesOverTheWholeTextInEveryAnswer) {
  Publish(Text(1, "Huawei wins."));
  Publish(Text(2, std::string(30'000, 'x') + " Huawei loses."));  // far behind what the store keeps of a text
  auto irrelevant = Text(3, "Huawei opens a shop.");
  irrelevant.mutable_tags()->Clear();
  irrelevant.mutable_tags()->mutable_relevance()->set_label(false);
  irrelevant.mutable_article()->set_publisher("other.example");
  Publish(irrelevant);
  Publish(Text(4, "Nvidia wins."));
  RoleLife life(bus_, clock_, dir_.path(), WithQueries({{"huawei", "huawei"}, {"race", "huawei relevant:yes"}}));
  life.Start();
  life.Settle();
  EXPECT_EQ(Count(life, "huawei"), 3);
  EXPECT_EQ(Count(life, "race"), 2);
  for (const char* window : {"&window=hour", "&window=day"}) {
    EXPECT_EQ(Count(life, "huawei", window), 3) << window;
    EXPECT_EQ(Count(life, "huawei", window, "publishers"), 2) << window;
    EXPECT_EQ(Count(life, "huawei", std::string(window) + "&language=en"), 3) << window;
  }
  EXPECT_EQ(Count(life, "huawei", "&window=all", "stories"), 3);
  const json answer = life.GetJson("/api/v1/trends?window=all&series=query%3Dhuawei");
  EXPECT_EQ(answer["series"][0]["key"]["query"], "huawei");
  EXPECT_DOUBLE_EQ(answer["series"][0]["points"][0]["share"], 0.75) << "of all articles";
  EXPECT_FALSE(answer["series"][0].contains("counted_since") && !answer["series"][0]["counted_since"].is_null());
  EXPECT_THAT(life.Get("/api/v1/trends?query=race&format=csv")->body, HasSubstr(",race,,,\r\n"));
  const std::string metrics = life.Get("/metrics")->body;
  for (const char* line : {"racewatch_query_articles{query=\"huawei\"} 3", "racewatch_query_articles_total{query=\"race\"} 2",
                           "racewatch_query_stories{query=\"race\"} 2", "racewatch_query_trend_articles{query=\"huawei\",window=\"24h\"} 3"})
    EXPECT_THAT(metrics, HasSubstr(line));
  EXPECT_THAT(Watched(life, "huawei"), ElementsAre(TestId(1), TestId(2), TestId(3)));
  EXPECT_THAT(Watched(life, "race"), ElementsAre(TestId(1), TestId(2)));
  EXPECT_EQ(life.GetJson("/api/v1/streams/queries/race.json")["items"].size(), 2u);
  EXPECT_EQ(life.GetJson("/api/v1/streams/themes/chips_compute.json?query=race")["items"].size(), 2u);
  EXPECT_EQ(life.GetJson("/api/v1/stories?query=huawei")["stories"].size(), 3u);
  EXPECT_THAT(life.Get("/api/v1/streams.opml")->body, HasSubstr("/api/v1/streams/queries/huawei.atom"));
  EXPECT_EQ(life.GetJson("/api/v1/queries")["queries"][1]["expression"], "huawei relevant:yes");
}

TEST_F(SavedQueryRoleTest, AWatchOverGrpcTakesTheQueryToo) {
  Publish(Text(1, "Nvidia wins."));
  Publish(Text(2, "Huawei wins."));
  RoleLife life(bus_, clock_, dir_.path(), WithQueries({{"huawei", "huawei"}}));
  life.Start();
  const auto stub = v1::StoreService::NewStub(
      grpc::CreateChannel("127.0.0.1:" + std::to_string(life.grpc.port()), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  v1::WatchArticlesRequest request;
  request.set_resume_token("0");
  request.mutable_filter()->set_query("huawei");
  const auto reader = stub->WatchArticles(&context, request);
  v1::WatchArticlesResponse response;
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_EQ(response.article().article().id(), TestId(2));
  context.TryCancel();
  grpc::ClientContext other;
  request.mutable_filter()->set_query("none");
  const auto refused = stub->WatchArticles(&other, request);
  EXPECT_FALSE(refused->Read(&response));
  EXPECT_THAT(refused->Finish().error_message(), HasSubstr("unknown query 'none'; known are huawei"));
}

TEST_F(SavedQueryRoleTest, UnknownNamesAndCombinationsAreExplained) {
  RoleLife life(bus_, clock_, dir_.path(), WithQueries({{"huawei", "huawei"}}));
  life.Start();
  const auto why = [&life](const std::string& path) { return life.GetJson(path, 400)["message"].get<std::string>(); };
  EXPECT_THAT(why("/api/v1/trends?query=none"), HasSubstr("unknown query 'none'; known are huawei"));
  EXPECT_THAT(why("/api/v1/trends?query=huawei&theme=markets"), HasSubstr("query is not kept by label"));
  EXPECT_THAT(why("/api/v1/articles/watch?query=none"), HasSubstr("unknown query"));
  EXPECT_EQ(life.GetJson("/api/v1/streams/queries/none.atom", 404)["code"], 5);
}

TEST_F(SavedQueryRoleTest, ARevisionLeavesOneQueryAndEntersAnother) {
  Publish(Text(1, "Huawei wins."));
  RoleLife life(bus_, clock_, dir_.path(), WithQueries({{"huawei", "huawei"}, {"nvidia", "nvidia"}}));
  life.Start();
  life.Settle();
  EXPECT_EQ(Count(life, "huawei"), 1);
  auto revised = Text(1, "Nvidia wins.");
  revised.mutable_article()->set_content_hash("00000000000000ff");
  Publish(revised);
  Publish(Text(1, "Huawei wins."));  // the old one once more
  life.Settle();
  EXPECT_EQ(Count(life, "huawei"), 0);
  EXPECT_EQ(Count(life, "huawei", "&window=hour", "publishers"), 0);
  EXPECT_EQ(Count(life, "nvidia"), 1);
  EXPECT_EQ(Count(life, "nvidia", "&window=all", "stories"), 1);
  EXPECT_THAT(Watched(life, "huawei"), IsEmpty());
}

TEST_F(SavedQueryRoleTest, AQueryAddedLaterSaysSinceWhenAndARebuildCountsAll) {
  Publish(Text(1, "Huawei wins."));
  {
    RoleLife life(bus_, clock_, dir_.path());
    life.Start();
    life.Settle();
    life.role.Reload(WithQueries({{"huawei", "huawei"}}));
    life.Settle();
    Publish(Text(2, "Huawei wins again."));
    Publish(Text(1, "Huawei wins."));
    life.Settle();
    EXPECT_EQ(Count(life, "huawei"), 1) << "from its beginning on";
    EXPECT_EQ(life.GetJson("/api/v1/trends?query=huawei")["series"][0]["counted_since"], "2025-11-24T15:01:00Z");
  }
  {
    RoleLife again(bus_, clock_, dir_.path(), WithQueries({{"huawei", "huawei"}}));
    again.Start();
    again.Settle();
    EXPECT_EQ(Count(again, "huawei"), 1) << "a restart changes nothing";
    again.role.Reload(WithQueries({{"huawei", "huawei OR nvidia"}}));
    again.Settle();
    EXPECT_EQ(Count(again, "huawei"), 0) << "another question starts anew";
  }
  const TempDir other;
  RoleLife rebuilt(bus_, clock_, other.path(), WithQueries({{"huawei", "huawei"}}));
  rebuilt.Start();
  rebuilt.Settle();
  EXPECT_EQ(Count(rebuilt, "huawei"), 2);
  EXPECT_TRUE(rebuilt.GetJson("/api/v1/trends?query=huawei")["series"][0]["counted_since"].is_null());
}

// The tagged topics after compaction: the last record of each key.
fakes::FakeLog& Compacted(const fakes::FakeLog& bus, fakes::FakeLog* out) {
  std::map<std::string, base::Record> last;
  for (const base::Record& record : bus.Records(std::string(base::kTaggedTopic))) last[record.key] = record;
  for (const auto& [key, record] : last) PublishTo(*out, record, base::kTaggedTopic);
  return *out;
}

TEST_F(SavedQueryRoleTest, TextsThatWereRemovedCountTheSameInAStoreBuiltFromTheArchive) {
  const v1::StoreConfig config = WithQueries({{"huawei", "huawei"}, {"other", "NOT huawei"}, {"chips", "theme:chips_compute"}});
  Publish(Text(1, "Huawei wins."));
  Publish(Text(2, "Nvidia wins."));
  auto withdrawn = Text(3, "Huawei is withdrawn.");
  {
    RoleLife life(bus_, clock_, dir_.path(), config);
    life.Start();
    life.Settle();
    for (const uint64_t n : {1, 2})
      ASSERT_EQ(httplib::Client("127.0.0.1", life.http.port()).Post("/api/v1/takedown?article=" + TestId(n), "", "text/plain")->status, 200);
    life.Settle();
  }
  Publish(withdrawn);  // with its withdrawal in one batch
  v1::TaggedArticle withdrawal;
  withdrawal.mutable_article()->set_id(TestId(3));
  withdrawal.mutable_article()->set_redacted(true);
  withdrawal.mutable_article()->set_withdrawn(true);
  withdrawal.mutable_article()->set_content_hash("0000000000000000");
  SetTime(withdrawal.mutable_article()->mutable_fetched_at(), kTestNow);
  withdrawal.mutable_tags();
  base::Record record = ToRecord(withdrawal);
  record.headers.push_back({"withdrawn", "1"});
  PublishTo(bus_, record, base::kTaggedTopic);
  RoleLife life(bus_, clock_, dir_.path(), config);
  life.Start();
  life.Settle();
  const TempDir other;
  fakes::FakeLog archive(1, &clock_);
  RoleLife rebuilt(Compacted(bus_, &archive), clock_, other.path(), config);
  rebuilt.Start();
  rebuilt.Settle();
  for (const auto& [query, count] : {std::pair("huawei", 2), {"other", 1}, {"chips", 3}}) {
    EXPECT_EQ(Count(life, query), count) << query;
    EXPECT_EQ(Count(rebuilt, query), count) << query;
  }
  EXPECT_EQ(rebuilt.role.counts().digest, life.role.counts().digest);
  for (const base::Record& archived : archive.Records(std::string(base::kTaggedTopic)))
    EXPECT_THAT(archived.value, testing::Not(HasSubstr("wins"))) << "the texts are gone";
}

TEST_F(SavedQueryRoleTest, ARuleOverAQueryAlertsWithItsArticles) {
  v1::StoreConfig config = WithQueries({{"huawei", "huawei"}});
  auto* rule = config.add_rules();
  *rule = config.rules(0);
  rule->set_name("huawei_many");
  rule->mutable_series()->Clear();
  rule->mutable_series()->set_dimension("query");
  rule->mutable_series()->set_query("huawei");
  for (uint64_t n = 1; n <= 8; ++n) {
    auto article = Text(n, n <= 6 ? "Huawei wins." : "Nvidia wins.", kTestNow - 1'800'000 + static_cast<int64_t>(n) * 1000);
    article.mutable_tags()->Clear();  // irrelevant to the race, and yet what was asked for
    article.mutable_tags()->mutable_relevance()->set_label(false);
    Publish(article);
  }
  RoleLife life(bus_, clock_, dir_.path(), config);
  life.Start();
  life.Settle();
  for (int step = 0; step < 3; ++step) {
    clock_.Advance(600'000);
    life.Settle();
  }
  const auto alerts = bus_.Records(std::string(base::kAlertsTopic));
  ASSERT_EQ(alerts.size(), 1u);
  const json alert = json::parse(alerts[0].value);
  EXPECT_EQ(alert["rule"], "huawei_many");
  EXPECT_EQ(alert["key"], "query=huawei");
  EXPECT_EQ(alert["series"], json({{"query", "huawei"}}));
  EXPECT_EQ(alert["observed"], 6);
  EXPECT_THAT(alert["evidence"][0]["snippet"].get<std::string>(), HasSubstr("Huawei"));
  const auto trial = httplib::Client("127.0.0.1", life.http.port())
                         .Post("/api/v1/alerts/test", json({{"rule", "name: \"t\" publishers_min: 1 series { dimension: \"query\" query: \"huawei\" } threshold { window_s: 3600 open: 5 }"}}).dump(), "application/json");
  EXPECT_THAT(trial->body, HasSubstr("\"key\":\"query=huawei\""));
}

TEST_F(SavedQueryRoleTest, ANewQueryIsNoBurstAgainstTheTimeBeforeIt) {
  // Two weeks of history in which nobody asked, then the question, at a level as before.
  uint64_t n = 0;
  for (base::UnixMs hour = kTestNow - 14 * 86'400'000LL; hour < kTestNow - 86'400'000LL; hour += 3'600'000)
    for (int i = 0; i < 3; ++i) Publish(Text(++n, "Huawei wins.", hour + i * 600'000));
  v1::StoreConfig config = WithQueries({{"huawei", "huawei"}});
  config.clear_rules();
  auto* rule = config.add_rules();
  rule->set_name("burst");
  rule->mutable_burst()->set_observed_min(2);
  rule->mutable_series()->set_dimension("query");
  rule->mutable_series()->set_query("huawei");
  rule->set_publishers_min(1);
  rule->set_coverage_min(0.01);
  clock_.Set(kTestNow - 86'400'000LL);
  RoleLife life(bus_, clock_, dir_.path());
  life.Start();
  life.Settle();
  life.role.Reload(config);
  life.Settle();
  for (base::UnixMs hour = kTestNow - 86'400'000LL; hour < kTestNow - 43'200'000; hour += 3'600'000) {
    for (int i = 0; i < 3; ++i) Publish(Text(++n, "Huawei wins.", hour + i * 600'000));
    clock_.Set(hour + 3'600'000);
    life.Settle();
  }
  EXPECT_EQ(Count(life, "huawei", "&window=all"), 36);
  EXPECT_THAT(bus_.Records(std::string(base::kAlertsTopic)), IsEmpty()) << "for a day there is no baseline";
}

}  // namespace
}  // namespace racewatch::store
