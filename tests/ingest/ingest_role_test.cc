// The whole role over real HTTP on loopback and a fake sink: what goes in, what comes out, what is counted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/ingest/role_fixture.h"

namespace racewatch::ingest {
namespace {

using fakes::Body;
using fakes::Redirect;
using fakes::TestReply;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;
using testing::UnorderedElementsAre;

constexpr int64_t kMinute = 60'000;
constexpr int64_t kHour = 60 * kMinute;
constexpr int64_t kDay = 24 * kHour;

TEST_F(RoleTest, EveryEntryOfAFeedArrives) {
  server_.Serve("/feed", Body(Rss({{"One", "https://a.example/1"}, {"Two", "https://a.example/2"}})));
  AddFeed(server_.Url("/feed"));
  Start();
  Settle();
  EXPECT_THAT(Titles(), UnorderedElementsAre("One", "Two"));
  const v1::Article article = Articles().front();
  EXPECT_EQ(article.id().size(), 32u);
  EXPECT_EQ(article.feed_id(), server_.Url("/feed"));
  EXPECT_EQ(article.publisher(), "a.example");
  EXPECT_EQ(article.language(), "en");
  EXPECT_EQ(article.lane(), v1::LANE_LIVE);
  EXPECT_EQ(Records().front().key, Articles().front().id());
  EXPECT_EQ(*Records().front().FindHeader("schema"), "racewatch.v1.Article");
  EXPECT_EQ(Counts().sent, 2u);
  ExpectBalanced();
}

TEST_F(RoleTest, AskingAgainSendsTheValidatorsByteForByte) {
  const std::string etag = "W/\"odd  value\"";
  const std::string modified = "Mon, 05 Jan 2026 00:00:00 +0000";
  server_.Serve("/feed", fakes::WithValidators(Rss({{"One", "https://a.example/1"}}), etag, modified));
  AddFeed(server_.Url("/feed"), 60);
  Start();
  Settle();
  Advance(kMinute);
  EXPECT_EQ(server_.hits("/feed"), 2);
  EXPECT_EQ(server_.LastRequest("/feed").Header("if-none-match"), etag);
  EXPECT_EQ(server_.LastRequest("/feed").Header("if-modified-since"), modified);
  EXPECT_THAT(Titles(), ElementsAre("One"));
}

TEST_F(RoleTest, ARestartKeepsValidatorsAndSeenMarks) {
  server_.Serve("/feed", fakes::WithValidators(Rss({{"One", "https://a.example/1"}}), "\"v1\""));
  AddFeed(server_.Url("/feed"), 60);
  Start();
  Settle();
  Restart();
  Advance(kMinute);
  EXPECT_EQ(server_.LastRequest("/feed").Header("if-none-match"), "\"v1\"");
  server_.Serve("/feed", Body(Rss({{"One", "https://a.example/1"}, {"Two", "https://a.example/2"}})));
  Advance(kMinute);
  EXPECT_THAT(Titles(), UnorderedElementsAre("One", "Two"));
  EXPECT_THAT(Counts().dropped, ElementsAre(Pair("duplicate", 1)));
  ExpectBalanced();
}

TEST_F(RoleTest, TheIntervalIsKept) {
  server_.Serve("/feed", Body(Rss({{"One", "https://a.example/1"}})));
  AddFeed(server_.Url("/feed"), 60);
  Start();
  Settle();
  Advance(kMinute - 1);
  EXPECT_EQ(server_.hits("/feed"), 1);
  Advance(1);
  EXPECT_EQ(server_.hits("/feed"), 2);
}

TEST_F(RoleTest, AChangedEntryOfTheSameFeedIsARevisionOfHigherRank) {
  server_.Serve("/feed", Body(Rss({{"One", "https://a.example/1", "first text"}})));
  AddFeed(server_.Url("/feed"), 60);
  Start();
  Settle();
  server_.Serve("/feed", Body(Rss({{"One, corrected", "https://a.example/1", "second text"}})));
  Advance(kMinute);
  ASSERT_THAT(Articles(), SizeIs(2));
  const v1::Article first = Articles()[0], second = Articles()[1];
  EXPECT_EQ(first.id(), second.id());
  EXPECT_NE(first.content_hash(), second.content_hash());
  EXPECT_GT(second.revision_at().seconds(), first.revision_at().seconds());
  EXPECT_EQ(second.fetched_at().seconds(), first.fetched_at().seconds());
  EXPECT_EQ(Counts().revisions, 1u);
  ExpectBalanced();
}

TEST_F(RoleTest, AnotherFeedsSummaryOfTheSameUrlIsNoRevision) {
  server_.Serve("/a", Body(Rss({{"One", "https://a.example/1", "summary of a"}})));
  server_.Serve("/b", Body(Rss({{"One by another name", "http://www.a.example/1?utm_source=b", "summary of b"}})));
  AddFeed(server_.Url("/a"), 60);
  Start();
  Settle();
  Restart([&] { AddFeed(server_.Url("/b"), 60); });
  Settle();
  EXPECT_THAT(Titles(), ElementsAre("One"));
  EXPECT_THAT(Counts().dropped, ElementsAre(Pair("duplicate", 1)));
}

TEST_F(RoleTest, AnEntryThatMovesKeepsItsIdByItsGuid) {
  server_.Serve("/feed", Body(Rss({{"One", "https://a.example/1", "text", "guid-1"}})));
  AddFeed(server_.Url("/feed"), 60);
  Start();
  Settle();
  server_.Serve("/feed", Body(Rss({{"One", "https://a.example/one-moved", "text", "guid-1"}})));
  Advance(kMinute);
  EXPECT_THAT(Titles(), ElementsAre("One"));
  server_.Serve("/feed", Body(Rss({{"One", "https://a.example/one-moved", "text", "guid-2"}})));
  Advance(kMinute);
  EXPECT_THAT(Titles(), ElementsAre("One"));  // the new address is known, whatever the guid
}

TEST_F(RoleTest, AGuidUsedForEveryItemIdentifiesNothing) {
  server_.Serve("/feed", Body(Rss({{"One", "https://a.example/1", "a", "same"}, {"Two", "https://a.example/2", "b", "same"}})));
  AddFeed(server_.Url("/feed"), 60);
  Start();
  Settle();
  EXPECT_THAT(Titles(), UnorderedElementsAre("One", "Two"));
}

TEST_F(RoleTest, AGuidUsedAgainLaterNamesANewArticle) {
  server_.Serve("/feed", Body(Rss({{"One", "https://a.example/1", "a", "latest", "Sun, 04 Jan 2026 10:00:00 GMT"}})));
  AddFeed(server_.Url("/feed"), 60);
  Start();
  Settle();
  server_.Serve("/feed", Body(Rss({{"Two", "https://a.example/2", "b", "latest", "Sun, 04 Jan 2026 20:00:00 GMT"}})));
  Advance(kMinute);
  ASSERT_THAT(Titles(), ElementsAre("One", "Two"));
  EXPECT_NE(Articles()[0].id(), Articles()[1].id());
}

TEST_F(RoleTest, OneAddressOnSeveralItemsLeavesIdentityToTheGuid) {
  server_.Serve("/feed", Body(Rss({{"One", "https://a.example/live", "a", "g1"}, {"Two", "https://a.example/live", "b", "g2"}})));
  AddFeed(server_.Url("/feed"), 60);
  Start();
  Settle();
  EXPECT_THAT(Titles(), UnorderedElementsAre("One", "Two"));
}

TEST_F(RoleTest, ItemsWithoutAddressAndGuidAreKnownByTheirText) {
  server_.Serve("/feed", Body(Rss({{"One", "", "a"}, {"Two", "", "b"}})));
  AddFeed(server_.Url("/feed"), 60);
  Start();
  Settle();
  EXPECT_THAT(Titles(), UnorderedElementsAre("One", "Two"));
  server_.Serve("/feed", Body(Rss({{"One", "", "a"}, {"Two", "", "b"}, {"Three", "", "c"}})));
  Advance(kMinute);
  EXPECT_THAT(Titles(), UnorderedElementsAre("One", "Two", "Three"));
}

TEST_F(RoleTest, AnEntryWithoutTitleAndTextIsDroppedWithAReason) {
  server_.Serve("/feed", Body(Rss({{"", "https://a.example/1"}, {"Two", "https://a.example/2"}})));
  AddFeed(server_.Url("/feed"));
  Start();
  Settle();
  EXPECT_THAT(Titles(), ElementsAre("Two"));
  EXPECT_THAT(Counts().dropped, ElementsAre(Pair("no_title", 1)));
  ExpectBalanced();
}

// -- bad input: counted with a reason, said in one line, and nothing else is lost --

class BadFeedTest : public RoleTest, public testing::WithParamInterface<std::pair<const char*, const char*>> {};

TEST_P(BadFeedTest, IsCountedAndTheOtherFeedGoesOn) {
  const auto [path, reason] = GetParam();
  server_.Serve("/good", Body(Rss({{"Good", "https://a.example/good"}})));
  server_.Serve("/html", Body("<!DOCTYPE html><html><body><h1>Welcome</h1></body></html>", "text/html"));
  server_.Serve("/words", Body("these are words", "text/plain"));
  server_.Serve("/empty", Body(""));
  server_.Serve("/big", fakes::EndlessBody());
  server_.Serve("/bomb", fakes::Encoded(fakes::Gzip(std::string(4u << 20, ' ')), "gzip"));
  server_.Serve("/headers", fakes::EndlessHeaders());
  server_.Serve("/loop", Redirect(302, "/loop"));
  server_.Serve("/to-file", Redirect(302, "file:///etc/passwd"));
  server_.Serve("/forbidden", TestReply{403, {}, "no", {}});
  server_.Serve("/broken", TestReply{500, {}, "oops", {}});
  server_.Serve("/gone", TestReply{410, {}, "gone", {}});
  config_.set_body_bytes_max(1u << 20);
  const std::string bad = std::string(path) == "unreachable" ? Unreachable() : server_.Url(path);
  AddFeed(bad, 60);
  AddFeed(server_.Url("/good"), 60);
  Start();
  Settle();
  EXPECT_THAT(Titles(), ElementsAre("Good"));
  EXPECT_EQ(FeedField(bad, "reason"), reason);
  EXPECT_THAT(FeedField(bad, "detail"), Not(IsEmpty()));
  EXPECT_EQ(Metric("racewatch_stage_errors_total", {{"stage", "ingest"}, {"type", reason}}), 1);
  EXPECT_EQ(Metric("racewatch_ingest_fetches_total", {{"outcome", reason}}), 1);
}

INSTANTIATE_TEST_SUITE_P(Feeds, BadFeedTest,
                         testing::Values(std::pair{"/html", "html"}, std::pair{"/words", "not_a_feed"},
                                         std::pair{"/empty", "not_a_feed"}, std::pair{"/missing", "http_404"},
                                         std::pair{"/big", "too_large"}, std::pair{"/bomb", "too_large"},
                                         std::pair{"/headers", "headers_too_large"}, std::pair{"/loop", "redirects"},
                                         std::pair{"/to-file", "bad_url"}, std::pair{"/forbidden", "http_403"},
                                         std::pair{"/broken", "http_500"}, std::pair{"/gone", "http_410"},
                                         std::pair{"unreachable", "unreachable"}),
                         [](const auto& param) {
                           std::string name = param.param.first;
                           std::erase_if(name, [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); });
                           return name;
                         });

TEST_F(RoleTest, ATruncatedDocumentKeepsItsCompleteEntries) {
  const std::string whole = Rss({{"One", "https://a.example/1"}, {"Two", "https://a.example/2"}, {"Three", "https://a.example/3"}});
  server_.Serve("/feed", Body(whole.substr(0, whole.find("Three"))));
  AddFeed(server_.Url("/feed"));
  Start();
  Settle();
  EXPECT_THAT(Titles(), UnorderedElementsAre("One", "Two"));
  EXPECT_EQ(Metric("racewatch_stage_errors_total", {{"stage", "ingest"}, {"type", "truncated"}}), 1);
}

TEST_F(RoleTest, APrivateAddressIsRefusedUnlessAllowed) {
  server_.Serve("/feed", Body(Rss({{"One", "https://a.example/1"}})));
  config_.set_allow_private_addresses(false);
  AddFeed(server_.Url("/feed"));
  Start();
  Settle();
  EXPECT_THAT(Titles(), IsEmpty());
  EXPECT_EQ(FeedField(server_.Url("/feed"), "state"), "blocked");
  EXPECT_EQ(FeedField(server_.Url("/feed"), "reason"), "blocked_address");
}

TEST_F(RoleTest, AFeedThatFailsIsTriedAgainLaterAndLater) {
  AddFeed(server_.Url("/feed"), 60);
  Start();
  Settle();
  for (int i = 0; i < 60; ++i) Advance(kMinute);
  EXPECT_GE(server_.hits("/feed"), 4);
  EXPECT_LE(server_.hits("/feed"), 7);
  server_.Serve("/feed", Body(Rss({{"One", "https://a.example/1"}})));
  Advance(2 * kHour);
  EXPECT_THAT(Titles(), ElementsAre("One"));
  EXPECT_EQ(FeedField(server_.Url("/feed"), "state"), "ok");
}

TEST_F(RoleTest, RetryAfterHoldsTheWholeHost) {
  server_.Serve("/busy", TestReply{503, {{"Retry-After", "7200"}}, "", {}});
  server_.Serve("/feed", Body(Rss({{"One", "https://a.example/1"}})));
  AddFeed(server_.Url("/busy"), 60);
  Start();
  Settle();
  Restart([&] { AddFeed(server_.Url("/feed"), 60); });
  // The hold itself is not kept over a restart, the feed's own next time is.
  Advance(kHour);
  EXPECT_EQ(server_.hits("/busy"), 1);
  Advance(kHour);
  EXPECT_EQ(server_.hits("/busy"), 2);
  const int before = server_.hits("/feed");
  Advance(kHour);
  EXPECT_EQ(server_.hits("/feed"), before);  // held with the host
  Advance(kHour + kMinute);
  EXPECT_EQ(server_.hits("/feed"), before + 1);
}

TEST_F(RoleTest, AGoneFeedIsTriedAgainAfterAMonth) {
  server_.Serve("/feed", TestReply{410, {}, "", {}});
  AddFeed(server_.Url("/feed"), 60);
  Start();
  Settle();
  EXPECT_EQ(FeedField(server_.Url("/feed"), "state"), "gone");
  for (int day = 0; day < 29; ++day) Advance(kDay);
  EXPECT_EQ(server_.hits("/feed"), 1);
  Advance(kDay);
  EXPECT_EQ(server_.hits("/feed"), 2);
}

TEST_F(RoleTest, APermanentRedirectIsAdoptedAfterFiveAnswersOverTwoDays) {
  server_.Serve("/old", Redirect(301, "/new"));
  server_.Serve("/new", fakes::WithValidators(Rss({{"One", "https://a.example/1"}}), "\"1\""));
  AddFeed(server_.Url("/old"), 12 * 3600);
  Start();
  Settle();
  for (int i = 0; i < 3; ++i) Advance(12 * kHour);
  EXPECT_EQ(FeedField(server_.Url("/old"), "moved_to"), "");
  Advance(12 * kHour);
  EXPECT_EQ(FeedField(server_.Url("/old"), "moved_to"), server_.Url("/new"));
  const int old_hits = server_.hits("/old");
  Advance(12 * kHour);
  EXPECT_EQ(server_.hits("/old"), old_hits);
  EXPECT_EQ(Articles().front().feed_id(), server_.Url("/old"));
}

TEST_F(RoleTest, ARedirectToAnotherFeedIsNotAdopted) {
  server_.Serve("/old", Body(Rss({{"One", "https://a.example/1"}})));
  AddFeed(server_.Url("/old"), 12 * 3600);
  Start();
  Settle();
  server_.Serve("/old", Redirect(301, "/parked"));
  int visit = 0;
  server_.Serve("/parked", [&](const fakes::TestRequest&) {
    const std::string title = "Win a prize " + std::to_string(++visit);
    return Body(Rss({{title, "https://parked.example/" + std::to_string(visit)}}));
  });
  for (int i = 0; i < 8; ++i) Advance(12 * kHour);
  EXPECT_EQ(FeedField(server_.Url("/old"), "moved_to"), "");
  EXPECT_EQ(server_.hits("/old"), 9);
}

TEST_F(RoleTest, ATemporaryRedirectIsNeverAdopted) {
  server_.Serve("/old", Redirect(302, "/new"));
  server_.Serve("/new", Body(Rss({{"One", "https://a.example/1"}})));
  AddFeed(server_.Url("/old"), 12 * 3600);
  Start();
  Settle();
  for (int i = 0; i < 10; ++i) Advance(12 * kHour);
  EXPECT_EQ(server_.hits("/old"), 11);
}

TEST_F(RoleTest, ALyingEtagIsFoundByTheDailyProbeAndIgnored) {
  auto title = std::make_shared<std::string>("One");
  auto mutex = std::make_shared<std::mutex>();
  server_.Serve("/feed", [=](const fakes::TestRequest& request) {
    const std::lock_guard lock(*mutex);
    TestReply reply = Body(Rss({{*title, "https://a.example/" + *title}}));
    reply.headers.emplace_back("ETag", "\"forever\"");
    if (request.Header("if-none-match") == "\"forever\"") reply.status = 304;
    return reply;
  });
  AddFeed(server_.Url("/feed"), 3600);
  Start();
  Settle();
  {
    const std::lock_guard lock(*mutex);
    *title = "Two";
  }
  for (int hour = 0; hour < 23; ++hour) Advance(kHour);
  EXPECT_THAT(Titles(), ElementsAre("One"));
  Advance(kHour);
  EXPECT_THAT(Titles(), ElementsAre("One", "Two"));
  EXPECT_EQ(FeedField(server_.Url("/feed"), "state"), "lying");
  EXPECT_EQ(Metric("racewatch_ingest_lying_validators_total", {}), 1);
  {
    const std::lock_guard lock(*mutex);
    *title = "Three";
  }
  Advance(kHour);
  EXPECT_THAT(Titles(), ElementsAre("One", "Two", "Three"));
}

// -- delivery --

TEST_F(RoleTest, NothingIsMarkedBeforeItsDeliveryIsAcknowledged) {
  server_.Serve("/feed", fakes::WithValidators(Rss({{"One", "https://a.example/1"}, {"Two", "https://a.example/2"}}), "\"v\""));
  AddFeed(server_.Url("/feed"), 60);
  sink_->Cork();
  Start();
  WaitFor([&] { return role_->counts().in_flight == 2; });
  Kill();  // with both articles taken and not acknowledged
  Start();
  Advance(kMinute);
  EXPECT_EQ(server_.LastRequest("/feed").Header("if-none-match"), "");
  EXPECT_THAT(Titles(), UnorderedElementsAre("One", "Two"));
  ExpectBalanced();
}

TEST_F(RoleTest, AFullSinkHoldsEverythingBackAndLosesNothing) {
  std::vector<Item> items;
  for (int i = 0; i < 500; ++i) items.push_back({"Item " + std::to_string(i), "https://a.example/" + std::to_string(i)});
  server_.Serve("/feed", Body(Rss(items)));
  AddFeed(server_.Url("/feed"), 60);
  sink_->SetQueueFull(true);
  Start();
  WaitFor([&] { return role_->counts().in_flight == 500; });
  EXPECT_FALSE(role_->Idle());
  sink_->SetQueueFull(false);
  Settle();
  EXPECT_THAT(Titles(), SizeIs(500));
  EXPECT_EQ(Counts().sent, 500u);
  ExpectBalanced();
}

TEST_F(RoleTest, ADocumentOfManyEntriesGoesThroughInPortions) {
  constexpr int kEntries = 20'000;
  std::vector<Item> items;
  for (int i = 0; i < kEntries; ++i) items.push_back({"Item " + std::to_string(i), "https://a.example/" + std::to_string(i)});
  server_.Serve("/feed", Body(Rss(items)));
  AddFeed(server_.Url("/feed"), 60);
  sink_->Cork();
  Start();
  WaitFor([&] { return sink_->queued_bytes() > 0 && role_->counts().entries == kEntries; });
  EXPECT_EQ(Counts().in_flight, static_cast<uint64_t>(kEntries));
  EXPECT_LT(sink_->queued_bytes(), 8u << 20);  // the rest waits as parsed
  sink_->Uncork();
  Settle();
  EXPECT_EQ(Counts().sent, static_cast<uint64_t>(kEntries));
  ExpectBalanced();
}

TEST_F(RoleTest, AFailedDeliveryIsTriedAgain) {
  server_.Serve("/feed", Body(Rss({{"One", "https://a.example/1"}})));
  AddFeed(server_.Url("/feed"), 60);
  sink_->FailNextDelivery(base::Unavailable("broker away"), 3);
  Start();
  Settle();
  EXPECT_THAT(Titles(), ElementsAre("One"));
  EXPECT_EQ(Metric("racewatch_stage_errors_total", {{"stage", "ingest"}, {"type", "delivery_failed"}}), 3);
}

TEST_F(RoleTest, WhatCanNeverBeDeliveredIsDeadLetteredWithItsReason) {
  server_.Serve("/feed", Body(Rss({{"One", "https://a.example/1"}})));
  AddFeed(server_.Url("/feed"), 60);
  sink_->FailNextDelivery(base::InvalidArgument("record too large"), 1);
  Start();
  Settle();
  EXPECT_THAT(Titles(), IsEmpty());
  const auto letters = log_.Records(std::string(base::kDeadLetterTopic));
  ASSERT_THAT(letters, SizeIs(1));
  EXPECT_EQ(*letters[0].FindHeader("dlq.stage"), "ingest");
  EXPECT_EQ(*letters[0].FindHeader("dlq.reason"), "undeliverable");
  EXPECT_THAT(*letters[0].FindHeader("dlq.detail"), HasSubstr("record too large"));
  EXPECT_EQ(*letters[0].FindHeader("dlq.topic"), "racewatch.articles.v1");
  EXPECT_EQ(Counts().dead_lettered, 1u);
  ExpectBalanced();
}

// -- pages --

std::string PageHtml(const std::string& paragraph, const std::string& head = "") {
  std::string html = "<!DOCTYPE html><html><head><title>One</title>" + head + "</head><body><article><h1>One</h1>";
  for (int i = 0; i < 6; ++i) html += "<p>" + paragraph + "</p>";
  return html + "</article></body></html>";
}

const std::string kSentence =
    "The committee said on Tuesday that the new export rules would be reviewed again before the end of the year, "
    "and that companies would be given time to adapt their plans for data centres and chip purchases.";

TEST_F(RoleTest, ASummaryIsCompletedFromItsPage) {
  config_.set_fetch_pages(true);
  server_.Serve("/feed", Body(Rss({{"One", server_.Url("/page"), "A short summary."}})));
  server_.Serve("/page", Body(PageHtml(kSentence), "text/html"));
  AddFeed(server_.Url("/feed"), 60);
  Start();
  Settle();
  ASSERT_THAT(Articles(), SizeIs(1));
  EXPECT_EQ(Articles()[0].body_quality(), v1::BODY_QUALITY_FULL);
  EXPECT_THAT(Articles()[0].text(), HasSubstr("export rules would be reviewed"));
  Advance(kMinute);
  EXPECT_EQ(server_.hits("/page"), 1);  // a duplicate needs no page
}

TEST_F(RoleTest, AFailingPageNeverLosesTheItem) {
  config_.set_fetch_pages(true);
  server_.Serve("/feed", Body(Rss({{"One", server_.Url("/none"), "Summary one."},
                                   {"Two", server_.Url("/gif"), "Summary two."},
                                   {"Three", Unreachable(), "Summary three."}})));
  server_.Serve("/gif", Body("GIF89a\x01\x02", "image/gif"));
  AddFeed(server_.Url("/feed"), 60);
  Start();
  Settle();
  EXPECT_THAT(Titles(), UnorderedElementsAre("One", "Two", "Three"));
  for (const v1::Article& article : Articles()) EXPECT_EQ(article.body_quality(), v1::BODY_QUALITY_SUMMARY) << article.title();
  ExpectBalanced();
}

TEST_F(RoleTest, ALongFeedTextNeedsNoPage) {
  config_.set_fetch_pages(true);
  std::string text;
  for (int i = 0; i < 5; ++i) text += kSentence + " ";
  server_.Serve("/feed", Body(Rss({{"One", server_.Url("/page"), text}})));
  AddFeed(server_.Url("/feed"), 60);
  Start();
  Settle();
  EXPECT_EQ(Articles().at(0).body_quality(), v1::BODY_QUALITY_FULL);
  EXPECT_EQ(server_.hits("/page"), 0);
}

TEST_F(RoleTest, PagesAreNotFetchedWhenSwitchedOff) {
  config_.set_fetch_pages(false);
  server_.Serve("/feed", Body(Rss({{"One", server_.Url("/page"), "Summary."}})));
  AddFeed(server_.Url("/feed"), 60);
  Start();
  Settle();
  EXPECT_THAT(Titles(), ElementsAre("One"));
  EXPECT_EQ(server_.hits("/page"), 0);
}

TEST_F(RoleTest, ALinkThatRedirectsToAKnownArticleIsADuplicate) {
  config_.set_fetch_pages(true);
  server_.Serve("/a", Body(Rss({{"One", server_.Url("/page"), "Summary."}})));
  server_.Serve("/b", Body(Rss({{"One", server_.Url("/short"), "Shorter."}})));
  server_.Serve("/page", Body(PageHtml(kSentence), "text/html"));
  server_.Serve("/short", Redirect(302, "/page"));
  AddFeed(server_.Url("/a"), 60);
  Start();
  Settle();
  Restart([&] { AddFeed(server_.Url("/b"), 60); });
  Settle();
  EXPECT_THAT(Titles(), ElementsAre("One"));
  const int hits = server_.hits("/short");
  Advance(kMinute);
  EXPECT_EQ(server_.hits("/short"), hits);  // known by now under this address too
}

TEST_F(RoleTest, RobotsTxtIsAskedOncePerSiteAndObeyedForPages) {
  config_.set_fetch_pages(true);
  server_.Serve("/robots.txt", Body("User-agent: *\nDisallow: /private\n", "text/plain"));
  server_.Serve("/private/feed", Body(Rss({{"One", server_.Url("/private/page"), "Summary one."}, {"Two", server_.Url("/page"), "Summary two."}})));
  server_.Serve("/page", Body(PageHtml(kSentence), "text/html"));
  AddFeed(server_.Url("/private/feed"), 60);  // feeds are made for robots
  Start();
  Settle();
  EXPECT_THAT(Titles(), UnorderedElementsAre("One", "Two"));
  EXPECT_EQ(server_.hits("/private/page"), 0);
  EXPECT_EQ(server_.hits("/page"), 1);
  EXPECT_EQ(server_.hits("/robots.txt"), 1);
  EXPECT_EQ(Metric("racewatch_ingest_pages_total", {{"outcome", "robots"}}), 1);
  ExpectBalanced();
}

TEST_F(RoleTest, ASiteWhoseRobotsTxtIsBrokenIsLeftAloneForAnHour) {
  config_.set_fetch_pages(true);
  server_.Serve("/robots.txt", TestReply{500, {}, "", {}});
  server_.Serve("/page1", Body(PageHtml(kSentence), "text/html"));
  server_.Serve("/page2", Body(PageHtml(kSentence), "text/html"));
  server_.Serve("/feed", Body(Rss({{"One", server_.Url("/page1"), "Summary."}})));
  AddFeed(server_.Url("/feed"), 60);
  Start();
  Settle();
  EXPECT_THAT(Titles(), ElementsAre("One"));
  EXPECT_EQ(server_.hits("/page1"), 0);
  server_.Serve("/robots.txt", TestReply{404, {}, "", {}});
  server_.Serve("/feed", Body(Rss({{"One", server_.Url("/page1"), "Summary."}, {"Two", server_.Url("/page2"), "Summary."}})));
  Advance(kHour);
  EXPECT_EQ(server_.hits("/page2"), 1);
}

// -- times --

TEST_F(RoleTest, ATimeInTheFutureCountsAsFirstFetch) {
  server_.Serve("/feed", Body(Rss({{"One", "https://a.example/1", "", "", "Mon, 05 Jan 2026 01:00:00 GMT"}})));
  AddFeed(server_.Url("/feed"), 60);
  Start();
  Settle();
  const v1::Article article = Articles().at(0);
  EXPECT_EQ(article.date_source(), v1::DATE_SOURCE_FETCH);
  EXPECT_EQ(article.published().seconds(), clock_.NowMs() / 1000);
  EXPECT_EQ(article.published_original().seconds(), clock_.NowMs() / 1000 + 3600);
}

TEST_F(RoleTest, AnEntryWithoutAnyDateHasNone) {
  server_.Serve("/feed", Body(Rss({{"One", "https://a.example/1"}})));
  AddFeed(server_.Url("/feed"), 60);
  Start();
  Settle();
  EXPECT_EQ(Articles().at(0).date_source(), v1::DATE_SOURCE_NONE);
  EXPECT_FALSE(Articles().at(0).has_published());
}

// -- component --

TEST_F(RoleTest, AStateFolderInUseIsRefused) {
  AddFeed(server_.Url("/feed"));
  Start();
  base::HttpServer other({"127.0.0.1:0"});
  prometheus::Registry registry;
  IngestRole second(config_, *sink_, clock_, registry, test_log_, other, state_dir_);
  const base::Status status = second.Start();
  EXPECT_EQ(status.code(), base::Code::kPermissionDenied);
  EXPECT_THAT(status.message(), AllOf(HasSubstr(state_dir_), HasSubstr("in use by another process")));
}

TEST_F(RoleTest, IsIdleOnlyWhenNothingIsDueOrOnItsWay) {
  server_.Serve("/feed", Body(Rss({{"One", "https://a.example/1"}})));
  AddFeed(server_.Url("/feed"), 60);
  sink_->Cork();
  Start();
  WaitFor([&] { return role_->counts().in_flight == 1; });
  EXPECT_FALSE(role_->Idle());
  sink_->Uncork();
  Settle();
  EXPECT_TRUE(role_->Idle());
  clock_.Advance(kMinute);
  EXPECT_FALSE(role_->Idle() && server_.hits("/feed") < 2);  // due from this moment on
}

TEST(IngestConfigTest, NamesEveryMistakeAtOnce) {
  v1::IngestConfig config;
  config.add_feeds()->set_url("gopher://a.example");
  auto* fast = config.add_feeds();
  fast->set_url("https://a.example/feed");
  fast->set_interval_s(30);
  fast->set_publisher_group("mars");
  config.set_connect_to("nowhere");
  base::Problems problems;
  ValidateIngestConfig(config, &problems);
  EXPECT_THAT(problems.lines(), SizeIs(4));
}

TEST(IngestConfigTest, LoopbackAndFileFeedsMayBeFast) {
  v1::IngestConfig config;
  for (const char* url : {"http://127.0.0.1:1/feed", "file:/tmp/feeds"}) {
    auto* feed = config.add_feeds();
    feed->set_url(url);
    feed->set_interval_s(1);
  }
  base::Problems problems;
  ValidateIngestConfig(config, &problems);
  EXPECT_TRUE(problems.empty()) << problems.ToStatus("f").message();
}

}  // namespace
}  // namespace racewatch::ingest
