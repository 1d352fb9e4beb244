// WebSub on the wire and the standing of a hub: pure functions.
#include "ingest/websub.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace racewatch::ingest {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr base::UnixMs kNow = 1'767'571'200'000;
constexpr int64_t kHour = 3'600'000;
constexpr int64_t kDay = 24 * kHour;
constexpr char kCallback[] = "https://me.example/racewatch";

std::string Links(std::string_view header) {
  std::string out;
  for (const WebLink& link : ParseLinkHeader(header)) out += link.relation + "=" + link.target + " ";
  return out;
}

TEST(LinkHeaderTest, ReadsRelationsAndTargets) {
  EXPECT_EQ(Links("<https://hub.example/>; rel=\"hub\", <https://a.example/feed>; rel=\"self\""),
            "hub=https://hub.example/ self=https://a.example/feed ");
  EXPECT_EQ(Links("</h?a=1,2;3>; title=\"a, b; rel=x\"; REL=Hub"), "hub=/h?a=1,2;3 ");
  EXPECT_EQ(Links("<a>; rel=\"self alternate\"; rel=hub"), "self=a alternate=a ");
  EXPECT_EQ(Links("<a>; foo; rel = hub , <b>;rel=self"), "hub=a self=b ");
}

TEST(LinkHeaderTest, PassesOverWhatIsMalformed) {
  for (const char* header : {"", "<", "<a", ">", "<a>;", "<a>; rel", "<a>; rel=", "<a>; rel=\"", "<a>; rel=\"\\", ";;;,,,"}) {
    EXPECT_EQ(Links(header), "") << header;
  }
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "<a>; rel=hub,";
  EXPECT_LE(ParseLinkHeader(many).size(), 64u);
}

// HMAC of "body" under the key "key", from `openssl dgst -hmac key`.
TEST(SignatureTest, TakesAllFourMethodsAndNothingElse) {
  const char* sha1 = "70bbf6819d1037aa94ca7e7f537cbea25fe49283";
  const char* sha256 = "515aae133b435d4000956731f68ae5cf5eb85d4f0dc6a546d2bfcd3595ec1ae1";
  const char* sha384 = "9af5e5a8f0a932a9f2d4d4f20b9465aa742b5ad36b921661b00d7ce1dea803702c214535e7ed29f5fcbc495b363c999c";
  const char* sha512 = "b71e82b42ece244182aae00f5c418d84b5b0ac844874765e658e91b26261b32df39e9fcbf44424d0e3b53bab192e78a4936224ec940cf953164b70aacdd4c845";
  EXPECT_TRUE(SignatureIsValid(std::string("sha1=") + sha1, "key", "body"));
  EXPECT_TRUE(SignatureIsValid(std::string("SHA256=") + sha256, "key", "body"));
  EXPECT_TRUE(SignatureIsValid(std::string("sha384=") + sha384, "key", "body"));
  EXPECT_TRUE(SignatureIsValid(std::string("sha512=") + sha512, "key", "body"));
  EXPECT_FALSE(SignatureIsValid(std::string("sha256=") + sha1, "key", "body"));
  EXPECT_FALSE(SignatureIsValid(std::string("sha256=") + sha256, "key", "body!"));
  EXPECT_FALSE(SignatureIsValid(std::string("sha256=") + sha256, "other", "body"));
  for (const std::string& header : {std::string(), std::string("sha256="), std::string("md5=0123"), std::string("sha256"), std::string(sha256)})
    EXPECT_FALSE(SignatureIsValid(header, "key", "body")) << header;
}

v1::HubState Named() {
  v1::HubState hub;
  NoteHub("https://hub.example/", "https://a.example/feed", &hub);
  return hub;
}

v1::HubState Active() {
  v1::HubState hub = Named();
  PrepareHubRequest(kCallback, kNow, &hub);
  ApplyHubVerified(10 * 86'400, kNow, &hub);
  return hub;
}

TEST(HubTest, ANewHubIsAskedAtOnceWithATokenThatCannotBeGuessed) {
  v1::HubState hub = Named();
  EXPECT_EQ(NextHubRequest(hub, kCallback), 0);
  PrepareHubRequest(kCallback, kNow, &hub);
  EXPECT_THAT(hub.token(), SizeIs(40));
  EXPECT_THAT(hub.secret(), SizeIs(40));
  v1::HubState other = Named();
  PrepareHubRequest(kCallback, kNow, &other);
  EXPECT_NE(hub.token(), other.token());
  const base::HttpCall call = HubRequest(hub, true, 864'000);
  EXPECT_EQ(call.url, "https://hub.example/");
  EXPECT_EQ(call.method, "POST");
  EXPECT_THAT(call.body, HasSubstr("hub.mode=subscribe&hub.topic=https%3A%2F%2Fa.example%2Ffeed&hub.callback=https%3A%2F%2Fme.example%2Fracewatch%2Fwebsub%2F" +
                                   hub.token()));
  EXPECT_THAT(call.body, HasSubstr("&hub.secret=" + hub.secret() + "&hub.lease_seconds=864000"));
}

TEST(HubTest, WithoutACallbackOrAHubNothingIsAsked) {
  EXPECT_EQ(NextHubRequest(Named(), ""), std::nullopt);
  EXPECT_EQ(NextHubRequest({}, kCallback), std::nullopt);
}

TEST(HubTest, AHubThatDoesNotVerifyIsAskedLaterAndLater) {
  v1::HubState hub = Named();
  base::UnixMs now = kNow;
  for (int64_t hours : {1, 2, 4, 8, 16, 32, 32}) {
    PrepareHubRequest(kCallback, now, &hub);
    EXPECT_EQ(NextHubRequest(hub, kCallback), now + hours * kHour);
    now += hours * kHour;
  }
}

TEST(HubTest, ALeaseIsRenewedAtFourFifthsUnderTheSameToken) {
  v1::HubState hub = Active();
  EXPECT_EQ(NextHubRequest(hub, kCallback), kNow + 8 * kDay);
  const std::string token = hub.token();
  PrepareHubRequest(kCallback, kNow + 8 * kDay, &hub);
  EXPECT_EQ(hub.token(), token);
  EXPECT_TRUE(HubIsLive(hub, kNow + 9 * kDay));   // until the old lease ends
  EXPECT_FALSE(HubIsLive(hub, kNow + 10 * kDay));
  ApplyHubVerified(10 * 86'400, kNow + 8 * kDay, &hub);
  EXPECT_TRUE(HubIsLive(hub, kNow + 17 * kDay));
}

TEST(HubTest, AnotherCallbackAddressSubscribesAnew) {
  v1::HubState hub = Active();
  EXPECT_EQ(NextHubRequest(hub, "https://other.example"), 0);
  const std::string token = hub.token();
  PrepareHubRequest("https://other.example", kNow, &hub);
  EXPECT_NE(hub.token(), token);
}

TEST(HubTest, WhatTheHubHadTimeToSendAndDidNotDemotesItForAWeek) {
  v1::HubState hub = Active();
  const base::UnixMs now = kNow + kDay;
  EXPECT_FALSE(HubMissed(0, 0, now, &hub));
  EXPECT_FALSE(HubMissed(1, now - 60'000, now, &hub));     // may still be on its way
  EXPECT_FALSE(HubMissed(1, kNow - kHour, now, &hub));     // older than the subscription
  EXPECT_TRUE(HubIsLive(hub, now));
  EXPECT_TRUE(HubMissed(3, now - kHour, now, &hub));
  EXPECT_FALSE(HubIsLive(hub, now));
  EXPECT_EQ(hub.missed(), 3u);
  EXPECT_EQ(HubStandingName(hub), "demoted");
  EXPECT_EQ(NextHubRequest(hub, kCallback), now + 7 * kDay);
}

TEST(HubTest, AnotherHubStartsAfresh) {
  v1::HubState hub = Active();
  NoteHub("https://hub.example/", "https://a.example/feed", &hub);
  EXPECT_TRUE(HubIsLive(hub, kNow));
  NoteHub("https://hub2.example/", "https://a.example/feed", &hub);
  EXPECT_EQ(HubStandingName(hub), "named");
  NoteHub("", "", &hub);
  EXPECT_EQ(HubStandingName(hub), "none");
}

base::HttpRequest Get(std::multimap<std::string, std::string> query) {
  base::HttpRequest request;
  request.method = "GET";
  request.query = std::move(query);
  return request;
}

TEST(HubDeskTest, EchoesTheChallengeOfWhatWasAskedForOnly) {
  HubDesk desk;
  const v1::HubState hub = Active();
  desk.Expect(7, hub);
  std::string_view outcome;
  const auto ask = [&](const std::string& token, const std::string& mode, const std::string& topic) {
    return desk.Handle(token, Get({{"hub.mode", mode}, {"hub.topic", topic}, {"hub.challenge", "abc"}, {"hub.lease_seconds", "5000"}}), &outcome);
  };
  EXPECT_EQ(ask(hub.token(), "subscribe", "https://a.example/other").status, 404);
  EXPECT_EQ(ask("0123", "subscribe", hub.topic()).status, 404);
  EXPECT_EQ(ask(hub.token(), "unsubscribe", hub.topic()).status, 404);  // nobody asked for that
  EXPECT_THAT(desk.Take(), IsEmpty());
  const base::HttpResponse good = ask(hub.token(), "subscribe", hub.topic());
  EXPECT_EQ(good.status, 200);
  EXPECT_EQ(good.body, "abc");
  const auto events = desk.Take();
  ASSERT_THAT(events, SizeIs(1));
  EXPECT_EQ(events[0].kind, HubDesk::Event::Kind::kVerified);
  EXPECT_EQ(events[0].feed, 7u);
  EXPECT_EQ(events[0].lease_s, 5000);
}

TEST(HubDeskTest, HoldsNoMoreThanItMay) {
  HubDesk desk;
  v1::HubState hub = Active();
  hub.set_secret("key");
  desk.Expect(7, hub);
  base::HttpRequest push;
  push.method = "POST";
  push.body = "body";
  push.headers = {{"x-hub-signature", "sha256=515aae133b435d4000956731f68ae5cf5eb85d4f0dc6a546d2bfcd3595ec1ae1"}};
  std::string_view outcome;
  EXPECT_EQ(desk.Handle(hub.token(), push, &outcome).status, 202);
  EXPECT_EQ(outcome, "document");
  EXPECT_EQ(desk.Handle("0123", push, &outcome).status, 410);
  push.headers = {};
  EXPECT_EQ(desk.Handle(hub.token(), push, &outcome).status, 202);
  EXPECT_EQ(outcome, "bad_signature");
  EXPECT_THAT(desk.Take(), SizeIs(1));
}

}  // namespace
}  // namespace racewatch::ingest
