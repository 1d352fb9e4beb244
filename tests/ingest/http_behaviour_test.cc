// How ingest behaves towards servers: validators, redirects, 410, 429 and 503, the feed's own hints, robots.txt, content
// codings, slow and endless and lying servers. The whole role over real HTTP on loopback, on a clock the test moves.
// WebSub: websub_role_test.cc. HTTP/2 and DNS rebinding: tests/base/http_client_test.cc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/ingest/role_fixture.h"

namespace racewatch::ingest {
namespace {

using fakes::Body;
using fakes::Redirect;
using fakes::TestReply;
using fakes::TestRequest;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr int64_t kMinute = 60'000;
constexpr int64_t kHour = 60 * kMinute;
constexpr int64_t kDay = 24 * kHour;

class HttpBehaviour : public RoleTest {
 protected:
  std::string One() const { return Rss({{"One", "https://a.example/1"}}); }

  // Adds the feed of this path and reads it once.
  void Read(const std::string& path, uint32_t interval_s = 0) {
    AddFeed(server_.Url(path), interval_s);
    Start();
    Settle();
  }
  std::string Field(const std::string& path, const std::string& field) { return FeedField(server_.Url(path), field); }
};

// -- validators --

TEST_F(HttpBehaviour, ValidatorsGoBackByteForByteAndA304RenewsThem) {
  const std::string odd = "W/\"odd  value \\ \xc3\xbc\"";
  TestReply first = Body(One());
  first.headers.emplace_back("ETag", odd);
  first.headers.emplace_back("Last-Modified", "Mon, 5 Jan 2026 00:00:00 +0000");
  TestReply second{304, {{"ETag", "\"second\""}, {"Last-Modified", "later than that"}}, "", {}};
  server_.ServeInTurn("/feed", {first, second});
  Read("/feed", 60);
  Advance(kMinute);
  EXPECT_EQ(server_.LastRequest("/feed").Header("if-none-match"), odd);
  EXPECT_EQ(server_.LastRequest("/feed").Header("if-modified-since"), "Mon, 5 Jan 2026 00:00:00 +0000");
  Advance(kMinute);
  EXPECT_EQ(server_.LastRequest("/feed").Header("if-none-match"), "\"second\"");
  EXPECT_EQ(server_.LastRequest("/feed").Header("if-modified-since"), "later than that");
}

TEST_F(HttpBehaviour, ValidatorsWaitForTheDeliveryReports) {
  server_.Serve("/feed", fakes::WithValidators(One(), "\"v\""));
  AddFeed(server_.Url("/feed"), 60);
  sink_->Cork();
  Start();
  WaitFor([&] { return role_->counts().in_flight == 1; });
  Kill();
  Start();
  Advance(kMinute);
  EXPECT_EQ(server_.LastRequest("/feed").Header("if-none-match"), "");
  EXPECT_THAT(Titles(), ElementsAre("One"));
}

TEST_F(HttpBehaviour, EveryDayOneFetchGoesWithoutValidators) {
  std::vector<bool> conditional;
  std::mutex mutex;
  server_.Serve("/feed", [&](const TestRequest& request) {
    const std::lock_guard lock(mutex);
    conditional.push_back(!request.Header("if-none-match").empty());
    TestReply reply = Body(One());
    reply.headers.emplace_back("ETag", "\"v\"");
    if (conditional.back()) reply.status = 304;
    return reply;
  });
  Read("/feed", 6 * 3600);
  for (int i = 0; i < 8; ++i) Advance(6 * kHour);
  const std::lock_guard lock(mutex);
  EXPECT_THAT(conditional, ElementsAre(false, true, true, true, false, true, true, true, false));
}

TEST_F(HttpBehaviour, ValidatorsThatHideNewsAreFoundAndIgnored) {
  std::atomic<int> day{0};
  server_.Serve("/feed", [&](const TestRequest& request) {
    TestReply reply = Body(Rss({{"Day " + std::to_string(day), "https://a.example/" + std::to_string(day)}}));
    reply.headers.emplace_back("Last-Modified", "never changes");
    if (request.Header("if-modified-since") == "never changes") reply.status = 304;
    return reply;
  });
  Read("/feed", 12 * 3600);
  day = 1;
  Advance(12 * kHour);
  EXPECT_THAT(Titles(), ElementsAre("Day 0"));
  Advance(12 * kHour);
  EXPECT_THAT(Titles(), ElementsAre("Day 0", "Day 1"));
  EXPECT_EQ(Metric("racewatch_ingest_lying_validators_total", {}), 1);
  EXPECT_EQ(Field("/feed", "validators"), "ignored");
  day = 2;
  Advance(12 * kHour);
  EXPECT_THAT(Titles(), ElementsAre("Day 0", "Day 1", "Day 2"));
}

// -- redirects --

class PermanentRedirect : public HttpBehaviour, public testing::WithParamInterface<int> {};

TEST_P(PermanentRedirect, IsAdoptedAfterFiveAnswersOverTwoDays) {
  server_.Serve("/old", Redirect(GetParam(), "/new"));
  server_.Serve("/new", fakes::WithValidators(One(), "\"1\""));
  Read("/old", 12 * 3600);
  for (int i = 0; i < 3; ++i) Advance(12 * kHour);  // four answers in 36 h
  EXPECT_EQ(Field("/old", "moved_to"), "");
  Advance(12 * kHour);
  EXPECT_EQ(Field("/old", "moved_to"), server_.Url("/new"));
  Advance(12 * kHour);
  EXPECT_EQ(server_.hits("/old"), 5);
}

TEST_P(PermanentRedirect, FiveAnswersInADayAreTooFew) {
  server_.Serve("/old", Redirect(GetParam(), "/new"));
  server_.Serve("/new", Body(One()));
  Read("/old", 4 * 3600);
  for (int i = 0; i < 6; ++i) Advance(4 * kHour);
  EXPECT_EQ(server_.hits("/old"), 7);
  EXPECT_EQ(Field("/old", "moved_to"), "");
}

TEST_P(PermanentRedirect, AnotherAnswerInBetweenStartsTheCountAnew) {
  server_.Serve("/old", Redirect(GetParam(), "/new"));
  server_.Serve("/new", Body(One()));
  Read("/old", 12 * 3600);
  for (int i = 0; i < 3; ++i) Advance(12 * kHour);
  server_.Serve("/old", Body(One()));
  Advance(12 * kHour);
  server_.Serve("/old", Redirect(GetParam(), "/new"));
  for (int i = 0; i < 4; ++i) Advance(12 * kHour);
  EXPECT_EQ(Field("/old", "moved_to"), "");
  Advance(12 * kHour);
  EXPECT_EQ(Field("/old", "moved_to"), server_.Url("/new"));
}

TEST_P(PermanentRedirect, ATargetThatIsNotTheSameFeedIsNeverAdopted) {
  server_.Serve("/old", Body(One()));
  Read("/old", 12 * 3600);
  server_.Serve("/old", Redirect(GetParam(), "/parked"));
  std::atomic<int> visit{0};
  server_.Serve("/parked", [&](const TestRequest&) {
    const std::string n = std::to_string(++visit);
    return Body(Rss({{"Prize " + n, "https://parked.example/" + n}}));
  });
  for (int i = 0; i < 8; ++i) Advance(12 * kHour);
  EXPECT_EQ(Field("/old", "moved_to"), "");
  server_.Serve("/parked", Body("<html><body>This domain is for sale</body></html>", "text/html"));
  for (int i = 0; i < 30; ++i) Advance(12 * kHour);
  EXPECT_EQ(Field("/old", "moved_to"), "");
}

INSTANTIATE_TEST_SUITE_P(Status, PermanentRedirect, testing::Values(301, 308), testing::PrintToStringParamName());

// -- gone, failing --

TEST_F(HttpBehaviour, A410StopsTheFeedAndIsAskedAgainOnceAMonth) {
  server_.Serve("/feed", TestReply{410, {}, "", {}});
  Read("/feed", 60);
  EXPECT_EQ(Field("/feed", "state"), "gone");
  for (int i = 0; i < 29; ++i) Advance(kDay);
  EXPECT_EQ(server_.hits("/feed"), 1);
  Advance(kDay);
  EXPECT_EQ(server_.hits("/feed"), 2);
  server_.Serve("/feed", Body(One()));
  for (int i = 0; i < 30; ++i) Advance(kDay);
  EXPECT_EQ(Field("/feed", "state"), "ok");
  EXPECT_THAT(Titles(), ElementsAre("One"));
}

TEST_F(HttpBehaviour, NoFailureDropsAFeedForGood) {
  server_.Serve("/feed", TestReply{404, {}, "", {}});
  Read("/feed");
  for (int i = 0; i < 60; ++i) Advance(kDay + kDay / 4);
  const int before = server_.hits("/feed");
  EXPECT_GE(before, 60);
  server_.Serve("/feed", Body(One()));
  Advance(kDay + kDay / 4);
  EXPECT_THAT(Titles(), ElementsAre("One"));
}

// -- Retry-After --

class TooMuch : public HttpBehaviour, public testing::WithParamInterface<int> {};

TEST_P(TooMuch, RetryAfterHoldsAllFeedsOfTheHost) {
  server_.Serve("/busy", TestReply{GetParam(), {{"Retry-After", "7200"}}, "", {}});
  server_.Serve("/other", Body(One()));
  AddFeed(server_.Url("/busy"), 60);
  AddFeed(server_.Url("/other"), 60);
  Start();
  Settle();
  const int before = server_.hits("/other");
  for (int i = 0; i < 7; ++i) Advance(17 * kMinute);  // 119 minutes
  EXPECT_EQ(server_.hits("/busy"), 1);
  EXPECT_EQ(server_.hits("/other"), before);
  Advance(2 * kMinute);
  EXPECT_EQ(server_.hits("/busy"), 2);
  EXPECT_EQ(FeedField(server_.Url("/busy"), "interval_reason"), "retry_after");
}

TEST_P(TooMuch, AHoldGivenAsADateOutlivesARestart) {
  server_.Serve("/busy", TestReply{GetParam(), {{"Retry-After", "Mon, 05 Jan 2026 03:00:00 GMT"}}, "", {}});
  server_.Serve("/other", fakes::WithValidators(One(), "\"1\""));
  AddFeed(server_.Url("/busy"), 60);
  Start();
  Settle();
  Restart([&] { AddFeed(server_.Url("/other"), 60); });
  Advance(2 * kHour + 59 * kMinute);
  EXPECT_EQ(server_.hits("/busy"), 1);
  EXPECT_EQ(server_.hits("/other"), 0);
  Advance(2 * kMinute);
  EXPECT_EQ(server_.hits("/busy"), 2);
}

INSTANTIATE_TEST_SUITE_P(Status, TooMuch, testing::Values(429, 503), testing::PrintToStringParamName());

// -- how often --

struct HintCase {
  const char* name;
  const char* channel;  // elements put into the channel
  const char* header;
  const char* value;
  int64_t quiet_ms;   // no request before this
  int64_t latest_ms;  // one by this
  const char* reason;
};

class Hint : public HttpBehaviour, public testing::WithParamInterface<HintCase> {};

TEST_P(Hint, LengthensTheIntervalAndIsNamed) {
  const HintCase& hint = GetParam();
  std::string feed = "<rss version=\"2.0\" xmlns:sy=\"http://purl.org/rss/1.0/modules/syndication/\"><channel><title>F</title>" +
                     std::string(hint.channel) + "<item><title>One</title><link>https://a.example/1</link></item></channel></rss>";
  TestReply reply = Body(feed);
  reply.headers.emplace_back("ETag", "\"1\"");
  if (*hint.header != '\0') reply.headers.emplace_back(hint.header, hint.value);
  server_.Serve("/feed", reply);
  Read("/feed");
  EXPECT_EQ(Field("/feed", "interval_reason"), hint.reason);
  Advance(hint.quiet_ms - 1);
  EXPECT_EQ(server_.hits("/feed"), 1);
  Advance(hint.latest_ms - hint.quiet_ms + 1);
  EXPECT_EQ(server_.hits("/feed"), 2);
}

// The clock starts on Monday 2026-01-05, 00:00 UTC; a feed without dates starts at half an hour.
INSTANTIATE_TEST_SUITE_P(
    Of, Hint,
    testing::Values(HintCase{"none", "", "", "", kHour / 2, kHour, "adaptive"},
                    HintCase{"ttl", "<ttl>120</ttl>", "", "", 2 * kHour, 3 * kHour, "ttl"},
                    HintCase{"sy", "<sy:updatePeriod>daily</sy:updatePeriod><sy:updateFrequency>4</sy:updateFrequency>", "", "", 6 * kHour,
                             7 * kHour, "sy"},
                    HintCase{"skipHours", "<skipHours><hour>0</hour><hour>1</hour><hour>2</hour></skipHours>", "", "", 3 * kHour,
                             4 * kHour, "skip"},
                    HintCase{"skipDays", "<skipDays><day>Monday</day></skipDays>", "", "", kDay, kDay + kHour, "skip"},
                    HintCase{"maxAge", "", "Cache-Control", "public, max-age=10800", 3 * kHour, 4 * kHour, "max-age"},
                    HintCase{"expires", "", "Expires", "Mon, 05 Jan 2026 05:00:00 GMT", 5 * kHour, 6 * kHour, "expires"},
                    HintCase{"aYearIsADay", "", "Cache-Control", "max-age=31536000", kDay, 27 * kHour, "max-age"}),
    [](const auto& test) { return test.param.name; });

TEST_F(HttpBehaviour, NoFeedIsAskedMoreOftenThanEveryTenMinutes) {
  std::atomic<int> n{0};
  server_.Serve("/feed", [&](const TestRequest&) {  // four new entries each time: as busy as it gets
    std::vector<Item> items;
    for (int i = 0; i < 4; ++i) items.push_back({"Item " + std::to_string(++n), "https://a.example/" + std::to_string(n)});
    return Body(Rss(items));
  });
  Read("/feed");
  for (int i = 0; i < 24 * 60; ++i) Advance(kMinute);
  EXPECT_LE(server_.hits("/feed"), 24 * 6 + 1);
  EXPECT_GE(server_.hits("/feed"), 24 * 4);
}

TEST_F(HttpBehaviour, RequestsToOneHostAndToOneDomainAreSpaced) {
  config_.set_connect_to(server_.address());
  config_.set_host_spacing_ms(1000);
  std::vector<std::pair<std::string, int64_t>> requests;
  std::mutex mutex;
  const auto note = [&](const TestRequest& request) {
    const std::lock_guard lock(mutex);
    requests.emplace_back(request.Header("host"), clock_.NowMs());
    return Body(One());
  };
  for (const char* path : {"/1", "/2", "/3"}) server_.Serve(path, note);
  for (const char* url : {"http://news.paper.example/1", "http://news.paper.example/2", "http://blog.paper.example/3"}) AddFeed(url);
  Start();
  Settle();
  for (int i = 0; i < 50; ++i) Advance(100);
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_GE(requests[1].second - requests[0].second, 500);
  EXPECT_GE(requests[2].second - requests[1].second, 500);
  std::vector<int64_t> news;
  for (const auto& [host, time] : requests)
    if (host == "news.paper.example") news.push_back(time);
  EXPECT_GE(news.at(1) - news.at(0), 1000);
}

// -- robots.txt, for pages --

class Robots : public HttpBehaviour {
 protected:
  // A feed with one summary whose page is on this server.
  void ReadWithPage() {
    config_.set_fetch_pages(true);
    server_.Serve("/feed", Body(Rss({{"One", server_.Url("/private/1"), "a summary"}})));
    server_.Serve("/private/1", Body("<html><body><article><p>The page.</p></article></body></html>", "text/html"));
    Read("/feed", 3600);
  }
};

TEST_F(Robots, AForbiddenPageIsNotFetchedAndTheEntryIsKept) {
  server_.Serve("/robots.txt", Body("User-agent: *\nAllow: /\n\nUser-agent: Racewatch\nDisallow: /private\n", "text/plain"));
  ReadWithPage();
  EXPECT_EQ(server_.hits("/private/1"), 0);
  EXPECT_THAT(Titles(), ElementsAre("One"));
  EXPECT_EQ(Metric("racewatch_ingest_pages_total", {{"outcome", "robots"}}), 1);
}

TEST_F(Robots, AMissingFileForbidsNothing) {
  ReadWithPage();
  EXPECT_EQ(server_.hits("/robots.txt"), 1);
  EXPECT_EQ(server_.hits("/private/1"), 1);
}

TEST_F(Robots, AnUnreachableFileForbidsEverythingForAnHour) {
  server_.Serve("/robots.txt", TestReply{500, {}, "", {}});
  ReadWithPage();
  EXPECT_EQ(server_.hits("/private/1"), 0);
  EXPECT_THAT(Titles(), ElementsAre("One"));
}

TEST_F(Robots, IsAskedOnceADayPerSite) {
  server_.Serve("/robots.txt", Body("User-agent: *\nAllow: /\n", "text/plain"));
  ReadWithPage();
  for (int i = 2; i < 10; ++i) {
    const std::string page = "/private/" + std::to_string(i);
    server_.Serve(page, Body("<html><body><p>More.</p></body></html>", "text/html"));
    server_.Serve("/feed", Body(Rss({{"Item " + std::to_string(i), server_.Url(page), "a summary"}})));
    Advance(kHour);
  }
  EXPECT_EQ(server_.hits("/robots.txt"), 1);
}

// -- content codings --

struct Coding {
  const char* name;
  std::string (*encode)(std::string_view);
};

class ContentCoding : public HttpBehaviour, public testing::WithParamInterface<Coding> {};

TEST_P(ContentCoding, IsAskedForAndDecoded) {
  server_.Serve("/feed", fakes::Encoded(GetParam().encode(One()), GetParam().name));
  Read("/feed");
  EXPECT_THAT(Titles(), ElementsAre("One"));
  EXPECT_THAT(server_.LastRequest("/feed").Header("accept-encoding"), HasSubstr(GetParam().name));
}

TEST_P(ContentCoding, ABombCostsOneFeedItsFetchAndNothingElse) {
  config_.set_body_bytes_max(1u << 20);
  server_.Serve("/bomb", fakes::Encoded(GetParam().encode(std::string(64u << 20, ' ')), GetParam().name));
  server_.Serve("/good", Body(One()));
  AddFeed(server_.Url("/good"));
  Read("/bomb");
  EXPECT_EQ(Field("/bomb", "reason"), "too_large");
  EXPECT_EQ(Field("/good", "state"), "ok");
  EXPECT_THAT(Titles(), ElementsAre("One"));
}

INSTANTIATE_TEST_SUITE_P(By, ContentCoding,
                         testing::Values(Coding{"gzip", &fakes::Gzip}, Coding{"br", &fakes::Brotli}, Coding{"zstd", &fakes::Zstd}),
                         [](const auto& test) { return test.param.name; });

TEST_F(HttpBehaviour, ANestedBombEndsLikeASimpleOne) {
  config_.set_body_bytes_max(1u << 20);
  server_.Serve("/bomb", fakes::Encoded(fakes::Brotli(fakes::Gzip(std::string(64u << 20, ' '))), "gzip, br"));
  Read("/bomb");
  EXPECT_EQ(Field("/bomb", "reason"), "too_large");
}

// -- slow and endless --

struct Slowness {
  const char* name;
  TestReply reply;
  const char* reason;
};

class SlowServer : public HttpBehaviour, public testing::WithParamInterface<Slowness> {};

TEST_P(SlowServer, HoldsUpNoOtherFeed) {
  config_.set_request_timeout_s(1);
  config_.set_body_bytes_max(1u << 20);
  server_.Serve("/slow", GetParam().reply);
  server_.Serve("/good", Body(One()));
  AddFeed(server_.Url("/slow"));
  AddFeed(server_.Url("/good"));
  Start();
  WaitFor([&] { return Articles().size() == 1; });  // while the slow one is still at it
  Settle();
  EXPECT_EQ(Field("/slow", "reason"), GetParam().reason);
  EXPECT_EQ(Metric("racewatch_ingest_fetches_total", {{"outcome", GetParam().reason}}), 1);
}

TestReply TricklingHeaders() {
  TestReply reply;
  reply.raw = [](const fakes::TestWriter& write) {
    bool open = write("HTTP/1.1 200 OK\r\n");
    while (open) {
      open = write("X-A: b\r\n");
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  };
  return reply;
}

INSTANTIATE_TEST_SUITE_P(That, SlowServer,
                         testing::Values(Slowness{"sendsAByteAtATime", fakes::Trickle(std::chrono::milliseconds(20)), "timeout"},
                                         Slowness{"sendsHeadersOneByOne", TricklingHeaders(), "timeout"},
                                         Slowness{"saysNothing", fakes::Silence(), "timeout"},
                                         Slowness{"neverEnds", fakes::EndlessBody(), "too_large"},
                                         Slowness{"neverEndsItsHeaders", fakes::EndlessHeaders(), "headers_too_large"}),
                         [](const auto& test) { return test.param.name; });

TEST_F(HttpBehaviour, OneConnectionServesAllPollsOfAHost) {
  server_.Serve("/feed", fakes::WithValidators(One(), "\"1\""));
  Read("/feed", 60);
  for (int i = 0; i < 20; ++i) Advance(kMinute);
  EXPECT_EQ(server_.hits("/feed"), 21);
  EXPECT_EQ(server_.connections(), 1);
}

TEST_F(HttpBehaviour, RequestsSayWhoAsks) {
  config_.set_contact("https://racewatch.example/about");
  server_.Serve("/feed", Body(One()));
  Read("/feed");
  EXPECT_THAT(server_.LastRequest("/feed").Header("user-agent"), testing::MatchesRegex("racewatch/.* \\(\\+https://racewatch.example/about\\)"));
  EXPECT_THAT(server_.LastRequest("/feed").Header("accept"), HasSubstr("application/atom+xml"));
}

}  // namespace
}  // namespace racewatch::ingest
