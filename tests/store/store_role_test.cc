// The store role as a component: fake bus, manual clock, real RocksDB, real HTTP and gRPC on loopback.
#include "store/store_role.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <prometheus/registry.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/bus/topics.h"
#include "base/grpc_server.h"
#include "base/http_server.h"
#include "base/taxonomy.h"
#include "racewatch/v1/config.pb.h"
#include "racewatch/v1/store_service.grpc.pb.h"
#include "tests/fakes/fake_bus.h"
#include "tests/fakes/manual_clock.h"
#include "tests/store/article_maker.h"
#include "tests/store/role_life.h"
#include "tests/store/temp_dir.h"

namespace racewatch::store {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

using Life = RoleLife;

class StoreRoleTest : public testing::Test {
 protected:
  void Publish(const v1::TaggedArticle& article, std::string_view topic = base::kTaggedTopic) {
    PublishTo(bus_, ToRecord(article), topic);
  }
  TempDir dir_;
  fakes::ManualClock clock_{kTestNow};
  fakes::FakeLog bus_{2, &clock_};
};

TEST_F(StoreRoleTest, CountsWhatIsPublishedAndResumesWhereItWas) {
  for (int i = 1; i <= 20; ++i) Publish(MakeArticle(i));
  std::string digest;
  {
    Life life(bus_, clock_, dir_.path());
    life.Start();
    life.Settle();
    EXPECT_EQ(life.role.counts().stored, 20u);
    digest = life.role.counts().digest;
  }
  Publish(MakeArticle(21));
  Life life(bus_, clock_, dir_.path());
  life.Start();
  life.Settle();
  EXPECT_EQ(life.role.counts().received, 1u) << "a second life must not read again what the first has committed";
  EXPECT_EQ(life.role.counts().stored, 1u);
  EXPECT_NE(life.role.counts().digest, digest);
  EXPECT_EQ(life.role.NotReady(), "");
}

TEST_F(StoreRoleTest, WhatCannotBeCountedGoesToTheDeadLetterTopicAndStopsNothing) {
  base::Record garbage;
  garbage.topic = base::kTaggedTopic;
  garbage.key = "k";
  garbage.value = "\xff\xff\xff";
  bus_.Append(garbage);
  auto unknown = MakeArticle(1);
  unknown.mutable_tags()->mutable_themes(0)->set_id("weather");
  Publish(unknown);
  Publish(MakeArticle(2));
  Life life(bus_, clock_, dir_.path());
  life.sink.FailNextDelivery(base::Unavailable("broker away"), 1);
  life.Start();
  life.Settle();
  const StoreCounts counts = life.role.counts();
  EXPECT_EQ(counts.received, 3u);
  EXPECT_EQ(counts.stored, 1u);
  EXPECT_EQ(counts.dead_lettered, 2u);
  std::map<std::string, int> reasons;
  for (const auto& record : bus_.Records(std::string(base::kDeadLetterTopic))) {
    ++reasons[*record.FindHeader("dlq.reason")];
    EXPECT_EQ(*record.FindHeader("dlq.stage"), "store");
  }
  EXPECT_EQ(reasons["undecodable"], 1);
  EXPECT_EQ(reasons["invalid_tags"], 1);
}

TEST_F(StoreRoleTest, WhatWasReceivedIsStoredDroppedOrDeadLettered) {
  auto revised = MakeArticle(1);
  revised.mutable_article()->set_content_hash("00000000000000ff");
  Publish(MakeArticle(1));
  Publish(MakeArticle(1));
  Publish(revised);
  auto late = MakeArticle(2, kTestNow - 200 * 86'400'000LL);
  SetTime(late.mutable_article()->mutable_fetched_at(), kTestNow);
  Publish(late);
  Life life(bus_, clock_, dir_.path());
  life.Start();
  life.Settle();
  const StoreCounts counts = life.role.counts();
  EXPECT_EQ(counts.dropped.at("duplicate"), 1u);
  EXPECT_EQ(counts.dropped.at("revision"), 1u);
  EXPECT_EQ(counts.dropped.at("too_late"), 1u);
  uint64_t dropped = 0;
  for (const auto& [reason, n] : counts.dropped) dropped += n;
  EXPECT_EQ(counts.received, counts.stored + dropped + counts.dead_lettered);
  const json where = life.GetJson("/api/v1/where?article=" + TestId(2));
  EXPECT_EQ(where["steps"][0]["reason"], "too_late");
}

TEST_F(StoreRoleTest, AnotherLogUnderTheSameAddressIsReadFromItsStart) {
  Publish(MakeArticle(1));
  {
    Life life(bus_, clock_, dir_.path());
    life.Start();
    life.Settle();
  }
  bus_.Replace("another");
  Publish(MakeArticle(1));
  Publish(MakeArticle(2));
  Life life(bus_, clock_, dir_.path());
  life.Start();
  life.Settle();
  EXPECT_EQ(life.role.counts().received, 2u);
  EXPECT_EQ(life.role.counts().stored, 1u);
  EXPECT_NE(life.Get("/metrics")->body.find("racewatch_articles{"), std::string::npos);
}

TEST_F(StoreRoleTest, ASecondProcessOnTheStateFolderIsRefused) {
  Life first(bus_, clock_, dir_.path());
  first.Start();
  Life second(bus_, clock_, dir_.path());
  ASSERT_TRUE(second.http.Start().ok());
  EXPECT_EQ(second.role.Start().code(), base::Code::kFailedPrecondition);
}

TEST_F(StoreRoleTest, TheApiTheGaugesAndTheRpcAgreeToTheInteger) {
  for (const auto& article : RandomStream(5)) Publish(article);
  Life life(bus_, clock_, dir_.path());
  life.Start();
  life.Settle();
  std::map<std::string, int64_t> gauges;  // theme=… summed over languages
  std::istringstream metrics(life.Get("/metrics")->body);
  for (std::string line; std::getline(metrics, line);) {
    if (!line.starts_with("racewatch_theme_articles{")) continue;
    const size_t at = line.find("theme=\"") + 7;
    gauges[line.substr(at, line.find('"', at) - at)] += std::stoll(line.substr(line.rfind(' ') + 1));
  }
  ASSERT_EQ(gauges.size(), base::kThemes.size());
  const auto stub = v1::StoreService::NewStub(
      grpc::CreateChannel("127.0.0.1:" + std::to_string(life.grpc.port()), grpc::InsecureChannelCredentials()));
  int64_t total = 0;
  for (const auto& [theme, gauge] : gauges) {
    const json api = life.GetJson("/api/v1/trends?window=all&theme=" + theme);
    EXPECT_EQ(std::stoll(api["series"][0]["points"][0]["articles"].get<std::string>()), gauge) << theme;
    v1::GetTrendsRequest request;
    request.set_window(v1::WINDOW_ALL);
    request.add_series()->set_theme(theme);
    v1::GetTrendsResponse response;
    grpc::ClientContext context;
    ASSERT_TRUE(stub->GetTrends(&context, request, &response).ok());
    EXPECT_EQ(response.series(0).points(0).articles(), static_cast<uint64_t>(gauge)) << theme;
    total += gauge;
  }
  EXPECT_GT(total, 20);
}

TEST_F(StoreRoleTest, TheClockThatAlertStepsFollowIsExported) {
  Life life(bus_, clock_, dir_.path());
  life.Start();
  for (int i = 0; i < 2; ++i, clock_.Advance(3'600'000)) {
    const std::string metrics = life.Get("/metrics")->body;
    const size_t at = metrics.find("\nracewatch_clock_timestamp_seconds ");
    ASSERT_NE(at, std::string::npos);
    EXPECT_EQ(std::stod(metrics.substr(metrics.find(' ', at))), static_cast<double>(clock_.NowMs()) / 1000);
  }
}

TEST_F(StoreRoleTest, BadParametersAreExplained) {
  Life life(bus_, clock_, dir_.path());
  life.Start();
  const auto why = [&life](const std::string& path) { return life.GetJson(path, 400)["message"].get<std::string>(); };
  EXPECT_NE(why("/api/v1/trends?theme=weather").find("theme 'weather'"), std::string::npos);
  EXPECT_NE(why("/api/v1/trends?them=markets").find("unknown parameter 'them'"), std::string::npos);
  EXPECT_NE(why("/api/v1/trends?target=export_controls").find("target and position go together"), std::string::npos);
  EXPECT_NE(why("/api/v1/trends?window=minute").find("hour, day or all"), std::string::npos);
  EXPECT_NE(why("/api/v1/trends?from=yesterday").find("from:"), std::string::npos);
  EXPECT_NE(why("/api/v1/stories?page_size=1000").find("page_size"), std::string::npos);
  EXPECT_NE(why("/api/v1/articles/watch?resume_token=x").find("resume_token"), std::string::npos);
  EXPECT_NE(why("/api/v1/articles/watch?lean=moon").find("lean"), std::string::npos);
  EXPECT_EQ(life.GetJson("/api/v1/where?article=" + TestId(9), 404)["code"], 5);
}

TEST_F(StoreRoleTest, AWatchSendsWhatMatchesAndResumesAfterItsToken) {
  Publish(MakeArticle(1));
  auto other = MakeArticle(2);
  other.mutable_tags()->mutable_themes(0)->set_id("markets");
  Publish(other);
  Publish(MakeArticle(3));
  Life life(bus_, clock_, dir_.path());
  life.Start();
  life.Settle();
  const auto lines = [&life](const std::string& query) {
    std::vector<json> out;
    std::istringstream body(life.Get("/api/v1/articles/watch?follow=false&" + query)->body);
    for (std::string line; std::getline(body, line);) out.push_back(json::parse(line));
    return out;
  };
  const auto chips = lines("resume_token=0&theme=chips_compute");
  ASSERT_EQ(chips.size(), 2u);
  EXPECT_EQ(chips[0]["article"]["tags"]["themes"][0]["id"], "chips_compute");
  const auto rest = lines("theme=chips_compute&resume_token=" + chips[0]["resume_token"].get<std::string>());
  ASSERT_EQ(rest.size(), 1u);
  EXPECT_EQ(rest[0]["article"]["article"]["id"], chips[1]["article"]["article"]["id"]);
  EXPECT_TRUE(lines("").empty()) << "without a token a watch starts now";
  EXPECT_EQ(lines("resume_token=0&text=NUMBER%20RULES").size(), 3u) << "words match case-folded, in any order";
}

TEST_F(StoreRoleTest, AnRpcWatchFollowsNewArticlesUntilCancelled) {
  Life life(bus_, clock_, dir_.path());
  life.Start();
  const auto stub = v1::StoreService::NewStub(
      grpc::CreateChannel("127.0.0.1:" + std::to_string(life.grpc.port()), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  v1::WatchArticlesRequest request;
  request.set_resume_token("0");
  const auto reader = stub->WatchArticles(&context, request);
  v1::WatchArticlesResponse response;
  for (int i = 1; i <= 3; ++i) {
    Publish(MakeArticle(i));
    ASSERT_TRUE(reader->Read(&response));
    EXPECT_EQ(response.article().article().id(), TestId(i));
  }
  context.TryCancel();
  EXPECT_FALSE(reader->Read(&response));
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(StoreRoleTest, CopiesOfOneTextAreOneStoryCountedAtItsEarliest) {
  std::string text;
  for (int i = 0; i < 60; ++i) text += "The ministry said that accelerator number " + std::to_string(i * 37) + " falls under the new licence rules. ";
  const base::UnixMs first = kTestNow - 5 * 3'600'000;
  for (int i = 1; i <= 3; ++i) {
    auto copy = MakeArticle(i, first + (3 - i) * 3'600'000);
    copy.mutable_article()->set_title("Ministry lists accelerators under new licence rules");
    copy.mutable_article()->set_text(text);
    copy.mutable_article()->set_publisher("p" + std::to_string(i) + ".example");
    Publish(copy);
  }
  Life life(bus_, clock_, dir_.path());
  life.Start();
  life.Settle();
  const json list = life.GetJson("/api/v1/stories");
  ASSERT_EQ(list["stories"].size(), 1u) << list.dump();
  EXPECT_EQ(list["stories"][0]["articles"], 3);
  EXPECT_EQ(list["stories"][0]["publishers"], 3);
  EXPECT_EQ(list["stories"][0]["origin_publisher"], "p3.example") << "the earliest copy came last";
  const json one = life.GetJson("/api/v1/stories/" + TestId(2));
  EXPECT_EQ(one["story"]["members"].size(), 3u);
  const json trend = life.GetJson("/api/v1/trends?window=hour&theme=chips_compute");
  ASSERT_EQ(trend["series"][0]["points"].size(), 3u);
  EXPECT_EQ(trend["series"][0]["points"][0]["stories"], "1");
  EXPECT_EQ(trend["series"][0]["points"][1]["stories"], "0");
  EXPECT_EQ(life.role.counts().stories, 1u);
}

TEST_F(StoreRoleTest, AThresholdOpensOneAlertOnTheTopicAndARestartRepeatsNone) {
  for (int i = 1; i <= 8; ++i) {
    auto article = MakeArticle(i, kTestNow - 1'800'000 + i * 1000);
    article.mutable_article()->set_publisher("p" + std::to_string(i) + ".example");
    Publish(article);
  }
  for (int life_number = 0; life_number < 2; ++life_number) {
    Life life(bus_, clock_, dir_.path());
    life.Start();
    life.Settle();
    for (int step = 0; step < 4; ++step) {
      clock_.Advance(600'000);
      life.Settle();
    }
    const auto alerts = bus_.Records(std::string(base::kAlertsTopic));
    ASSERT_FALSE(alerts.empty());
    int opened = 0;
    for (const auto& record : alerts) opened += json::parse(record.value)["state"] == "open";
    EXPECT_EQ(opened, 1);
    EXPECT_EQ(*alerts[0].FindHeader("ce_specversion"), "1.0");
    EXPECT_FALSE(json::parse(alerts[0].value)["evidence"].empty());
    EXPECT_EQ(life.role.counts().alerts_opened, life_number == 0 ? 1u : 0u);
    EXPECT_FALSE(life.GetJson("/api/v1/alerts")["alerts"].empty());
  }
}

TEST_F(StoreRoleTest, AnAlertWaitsInTheOutboxWhileTheBusRefusesIt) {
  for (int i = 1; i <= 8; ++i) Publish(MakeArticle(i, kTestNow - 1'800'000 + i * 1000));
  Life life(bus_, clock_, dir_.path());
  life.Start();
  life.Settle();
  life.sink.FailNextDelivery(base::Unavailable("away"), 1);
  for (int step = 0; step < 4; ++step) {
    clock_.Advance(600'000);
    for (int i = 0; i < 20 && !life.role.Idle(); ++i) clock_.Advance(100);
  }
  clock_.Advance(5'000);
  life.Settle();
  ASSERT_FALSE(bus_.Records(std::string(base::kAlertsTopic)).empty());
}

TEST_F(StoreRoleTest, ServesThePageItsDocumentAndCsv) {
  Publish(MakeArticle(1));
  Life life(bus_, clock_, dir_.path());
  life.Start();
  life.Settle();
  EXPECT_NE(life.Get("/")->body.find("<html"), std::string::npos);
  EXPECT_EQ(life.Get("/app.js")->get_header_value("Content-Type"), "text/javascript; charset=utf-8");
  const json document = life.GetJson("/api/v1/openapi.json");
  EXPECT_TRUE(document["paths"].contains("/api/v1/trends/compare"));
  const std::string csv = life.Get("/api/v1/trends?theme=chips_compute&format=csv")->body;
  EXPECT_TRUE(csv.starts_with("start,theme,target,")) << csv;
  EXPECT_NE(csv.find(",chips_compute,,,,,,1,1,1,"), std::string::npos) << csv;
  EXPECT_EQ(life.GetJson("/api/v1/digest")["digest"], life.role.counts().digest);
  EXPECT_EQ(life.GetJson("/api/v1/coverage?window=hour")["points"].size(), 24u * 5);
}

// What the bus holds under the article's key, newest per topic.
v1::TaggedArticle Archived(const fakes::FakeLog& bus, const std::string& id, std::string_view topic = base::kTaggedTopic) {
  v1::TaggedArticle newest;
  for (const base::Record& record : bus.Records(std::string(topic)))
    if (record.key == id) {
      EXPECT_TRUE(newest.ParseFromString(record.value));
    }
  return newest;
}

TEST_F(StoreRoleTest, ATakedownLeavesLabelsAndCountsButNoText) {
  auto article = MakeArticle(1);
  article.mutable_article()->set_url("https://d.example/1");
  article.mutable_article()->set_title("A name that must go");
  article.mutable_article()->set_text("A text that must go.");
  Publish(article);
  Publish(MakeArticle(2));
  Life life(bus_, clock_, dir_.path());
  life.Start();
  life.Settle();
  const std::string digest = life.role.counts().digest;
  httplib::Client client("127.0.0.1", life.http.port());
  const auto unknown = client.Post("/api/v1/takedown?article=https%3A%2F%2Fd.example%2Fabsent");
  EXPECT_EQ(unknown->status, 404);
  const auto done = client.Post("/api/v1/takedown?article=https%3A%2F%2Fd.example%2F1");
  ASSERT_EQ(done->status, 200) << done->body;
  life.Settle();
  EXPECT_EQ(life.Get("/api/v1/where?article=" + TestId(1))->body.find("must go"), std::string::npos);
  for (const auto topic : {base::kTaggedTopic, base::kTaggedBackfillTopic}) {
    const v1::TaggedArticle archived = Archived(bus_, TestId(1), topic);
    EXPECT_TRUE(archived.article().redacted());
    EXPECT_EQ(archived.article().text() + archived.article().title(), "");
    EXPECT_GT(archived.tags().themes_size(), 0);
  }
  EXPECT_EQ(life.role.counts().digest, digest);
  // A later version of it is counted, and its text dropped.
  article.mutable_article()->set_content_hash("00000000000000ff");
  Publish(article);
  life.Settle();
  EXPECT_EQ(life.Get("/api/v1/where?article=" + TestId(1))->body.find("must go"), std::string::npos);
}

constexpr char kCorrectionJson[] = R"("labels":{"relevant":true,"themes":["markets"],"stance":{"ai_regulation":"favor"},"lean":"us"},"reader":"Ada")";

TEST_F(StoreRoleTest, ACorrectionIsTakenAsJsonOnlyAndCountsStay) {
  Publish(MakeArticle(1));
  Life life(bus_, clock_, dir_.path());
  life.Start();
  life.Settle();
  const std::string digest = life.role.counts().digest;
  httplib::Client client("127.0.0.1", life.http.port());
  const std::string body = "{\"article\":\"" + TestId(1) + "\"," + kCorrectionJson + "}";
  for (const char* type : {"text/plain", "application/x-www-form-urlencoded", "multipart/form-data"}) {
    const auto refused = client.Post("/api/v1/corrections", body, type);  // what a form of another site can send
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->status, 400) << type;
  }
  const auto why = [&client](const std::string& wrong) {
    const auto refused = client.Post("/api/v1/corrections", wrong, "application/json");
    EXPECT_EQ(refused->status, 400);
    return json::parse(refused->body)["message"].get<std::string>();
  };
  EXPECT_NE(why("{").find("{article, labels, reader, note} is needed"), std::string::npos);
  EXPECT_NE(why(R"({"article":"x","colour":"red"})").find("colour"), std::string::npos);
  EXPECT_NE(why("{\"article\":\"" + TestId(1) + "\",\"labels\":{\"relevant\":true,\"lean\":\"moon\"},\"reader\":\"Ada\"}").find("labels.lean: 'moon'"), std::string::npos);
  EXPECT_TRUE(life.GetJson("/api/v1/corrections")["corrections"].empty());
  const auto kept = client.Post("/api/v1/corrections", body, "application/json; charset=utf-8");
  ASSERT_EQ(kept->status, 200) << kept->body;
  EXPECT_EQ(json::parse(kept->body)["correction"]["id"], "1");
  const json list = life.GetJson("/api/v1/corrections?article_id=" + TestId(1));
  ASSERT_EQ(list["corrections"].size(), 1u);
  EXPECT_EQ(list["corrections"][0]["labels"]["stance"]["ai_regulation"], "favor");
  EXPECT_EQ(list["corrections"][0]["tags"]["themes"][0]["id"], "chips_compute");
  EXPECT_EQ(life.role.counts().digest, digest);
  EXPECT_EQ(life.GetJson("/api/v1/trends?window=all&theme=markets")["series"][0]["points"][0]["articles"], "0");
  const json document = life.GetJson("/api/v1/openapi.json");
  EXPECT_TRUE(document["paths"]["/api/v1/corrections"].contains("get"));
  EXPECT_TRUE(document["paths"]["/api/v1/corrections"].contains("post"));
  EXPECT_TRUE(document["paths"].contains("/api/v1/sample"));
}

TEST_F(StoreRoleTest, ATakedownTakesTitleAndTextOutOfCorrectionsToo) {
  Publish(MakeArticle(1));
  Life life(bus_, clock_, dir_.path());
  life.Start();
  life.Settle();
  httplib::Client client("127.0.0.1", life.http.port());
  const std::string body = "{\"article\":\"https://paper.example/story/1\"," + std::string(kCorrectionJson) + "}";
  ASSERT_EQ(client.Post("/api/v1/corrections", body, "application/json")->status, 200);
  ASSERT_NE(life.Get("/api/v1/corrections")->body.find("accelerators"), std::string::npos);
  ASSERT_EQ(client.Post("/api/v1/takedown?article=https%3A%2F%2Fpaper.example%2Fstory%2F1")->status, 200);
  life.Settle();
  const json one = life.GetJson("/api/v1/corrections")["corrections"][0];
  EXPECT_EQ(one["title"].get<std::string>() + one["text"].get<std::string>(), "");
  EXPECT_EQ(one["labels"]["lean"], "us");
  EXPECT_EQ(client.Post("/api/v1/corrections", body, "application/json")->status, 404);
}

TEST_F(StoreRoleTest, CorrectionsAndSamplesAnswerOverGrpcAsOverHttp) {
  for (int i = 1; i <= 30; ++i) Publish(MakeArticle(i));
  Life life(bus_, clock_, dir_.path());
  life.Start();
  life.Settle();
  const auto stub = v1::StoreService::NewStub(
      grpc::CreateChannel("127.0.0.1:" + std::to_string(life.grpc.port()), grpc::InsecureChannelCredentials()));
  v1::AddCorrectionRequest wrong;
  wrong.set_article(TestId(1));
  wrong.mutable_labels()->set_relevant(false);
  v1::AddCorrectionResponse added;
  grpc::ClientContext wrong_context, add_context, list_context, sample_context;
  EXPECT_EQ(stub->AddCorrection(&wrong_context, wrong, &added).error_code(), grpc::StatusCode::INVALID_ARGUMENT) << "nobody's";
  wrong.set_reader("Grace");
  ASSERT_TRUE(stub->AddCorrection(&add_context, wrong, &added).ok());
  v1::ListCorrectionsResponse listed;
  ASSERT_TRUE(stub->ListCorrections(&list_context, {}, &listed).ok());
  ASSERT_EQ(listed.corrections_size(), 1);
  EXPECT_EQ(listed.corrections(0).SerializeAsString(), added.correction().SerializeAsString());
  v1::SampleArticlesRequest request;
  request.set_size(4);
  request.set_seed(9);
  request.mutable_filter()->set_theme("chips_compute");
  v1::SampleArticlesResponse sample;
  ASSERT_TRUE(stub->SampleArticles(&sample_context, request, &sample).ok());
  const json same = life.GetJson("/api/v1/sample?theme=chips_compute&size=4&seed=9");
  EXPECT_EQ(same["matched"], "30");
  ASSERT_EQ(same["articles"].size(), 4u);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(same["articles"][static_cast<size_t>(i)]["article"]["id"], sample.articles(i).article().id());
  EXPECT_NE(life.GetJson("/api/v1/sample?size=many", 400)["message"].get<std::string>().find("size: 'many'"), std::string::npos);
}

TEST_F(StoreRoleTest, TextsOlderThanTheLimitGoAndNewerOnesStay) {
  v1::StoreConfig config = TestConfig();
  config.set_text_days(7);
  Publish(MakeArticle(1, kTestNow - 10 * 86'400'000LL));
  Life life(bus_, clock_, dir_.path(), config);
  life.Start();
  life.Settle();
  Publish(MakeArticle(2));  // only now: a text that comes after the pass of its day goes with the next day's
  for (int i = 0; i < 50 && !Archived(bus_, TestId(1)).article().redacted(); ++i) life.Settle();
  life.Settle();
  EXPECT_TRUE(Archived(bus_, TestId(1)).article().redacted());
  EXPECT_EQ(Archived(bus_, TestId(1)).article().text(), "");
  EXPECT_FALSE(Archived(bus_, TestId(2)).article().redacted());
  EXPECT_EQ(bus_.Records(std::string(base::kTaggedTopic)).size(), 3u) << "each text is taken out once";
}

TEST_F(StoreRoleTest, ALiveSightingPromotesABackfilledArticleOnce) {
  auto old = MakeArticle(1);
  old.mutable_article()->set_lane(v1::LANE_BACKFILL);
  Publish(old, base::kTaggedBackfillTopic);
  Life life(bus_, clock_, dir_.path());
  life.Start();
  life.Settle();
  EXPECT_EQ(life.role.counts().alerts_opened, 0u);
  const std::string digest = life.role.counts().digest;
  Publish(MakeArticle(1));
  Publish(MakeArticle(1));
  life.Settle();
  EXPECT_EQ(life.role.counts().stored, 1u);
  EXPECT_EQ(life.role.counts().digest, digest);
}

TEST_F(StoreRoleTest, AWithdrawnArticleKeepsItsLabelsInTheArchiveAndLosesItsText) {
  const auto withdraw = [this](uint64_t n) {
    v1::TaggedArticle withdrawal;
    withdrawal.mutable_article()->set_id(TestId(n));
    withdrawal.mutable_article()->set_redacted(true);
    withdrawal.mutable_article()->set_withdrawn(true);
    withdrawal.mutable_article()->set_content_hash("0000000000000000");
    SetTime(withdrawal.mutable_article()->mutable_fetched_at(), kTestNow);
    withdrawal.mutable_tags();
    base::Record record = ToRecord(withdrawal);
    record.topic = base::kTaggedTopic;
    record.partition = -1;
    record.offset = -1;
    record.headers.push_back({"withdrawn", "1"});
    bus_.Append(std::move(record));
  };
  Publish(MakeArticle(1));
  std::string digest;
  {
    Life life(bus_, clock_, dir_.path());
    life.Start();
    life.Settle();
    digest = life.role.counts().digest;
    withdraw(1);
    life.Settle();
    EXPECT_EQ(life.role.counts().digest, digest);
    EXPECT_GT(Archived(bus_, TestId(1)).tags().themes_size(), 0);
    EXPECT_EQ(Archived(bus_, TestId(1)).article().text(), "");
  }
  Publish(MakeArticle(2));
  withdraw(2);  // in one batch with the article
  Life life(bus_, clock_, dir_.path());
  life.Start();
  life.Settle();
  EXPECT_GT(Archived(bus_, TestId(2)).tags().themes_size(), 0);
  EXPECT_TRUE(Archived(bus_, TestId(2)).article().redacted());
}

}  // namespace
}  // namespace racewatch::store
