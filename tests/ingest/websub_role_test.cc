// WebSub through the whole role: the test plays feed, hub and publisher over real HTTP.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "tests/ingest/role_fixture.h"

namespace racewatch::ingest {
namespace {

using fakes::Body;
using fakes::TestReply;
using fakes::TestRequest;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr int64_t kHour = 3'600'000;
constexpr int64_t kDay = 24 * kHour;

std::string Unescaped(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      out.push_back(static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16)));
      i += 2;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

std::string FormField(const std::string& form, const std::string& name) {
  const size_t at = ("&" + form).find("&" + name + "=");
  if (at == std::string::npos) return "";
  const size_t begin = at + name.size() + 1;
  return Unescaped(form.substr(begin, form.find('&', begin) - begin));
}

std::string Signature(const std::string& secret, const std::string& body) {
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned int count = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), reinterpret_cast<const unsigned char*>(body.data()), body.size(),
       bytes, &count);
  std::string hex = "sha256=";
  for (unsigned int i = 0; i < count; ++i) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", bytes[i]);
    hex += digits;
  }
  return hex;
}

class WebSubRole : public RoleTest {
 protected:
  WebSubRole() {
    config_.set_websub_callback("https://me.example/racewatch");
    server_.Serve("/hub", TestReply{202, {}, "", {}});
    Show({});
    AddFeed(Feed());
  }

  std::string Feed() const { return server_.Url("/feed"); }
  // The feed as it stands now: `items` beside the first one.
  std::string Document(std::vector<Item> items) const {
    items.push_back({"One", "https://a.example/1"});
    return Rss(items);
  }
  void Show(std::vector<Item> items) {
    TestReply reply = Body(Document(std::move(items)));
    reply.headers.emplace_back("Link", "<" + server_.Url("/hub") + ">; rel=\"hub\", <" + Feed() + ">; rel=\"self\"");
    server_.Serve("/feed", reply);
  }

  // A request of the hub to our callback.
  base::HttpReply Call(const std::string& method, const std::string& query, const std::string& body, const std::string& signature) {
    const std::string callback = FormField(Asked(), "hub.callback");
    base::HttpCall call;
    call.method = method;
    call.url = "http://127.0.0.1:" + std::to_string(http_->port()) + callback.substr(callback.find("/websub/")) + query;
    call.body = body;
    call.headers = {{"Content-Type", "application/rss+xml"}};
    if (!signature.empty()) call.headers.emplace_back("X-Hub-Signature", signature);
    base::HttpClient::Options options;
    options.allow_private_addresses = true;
    base::HttpClient client(options);
    std::optional<base::HttpReply> reply;
    client.Start(std::move(call), [&](base::HttpReply r) { reply = std::move(r); });
    while (!reply) client.Poll(std::chrono::milliseconds(100));
    return std::move(*reply);
  }
  std::string Asked() { return server_.LastRequest("/hub").body; }

  base::HttpReply Verify(int64_t lease_s = 864'000) {
    return Call("GET", "?hub.mode=subscribe&hub.challenge=c4&hub.topic=" + Feed() + "&hub.lease_seconds=" + std::to_string(lease_s), "", "");
  }
  void Push(const std::string& document) {
    EXPECT_EQ(Call("POST", "", document, Signature(FormField(Asked(), "hub.secret"), document)).http_status, 202);
  }
  std::string Standing() {
    const std::string hub = FeedField(Feed(), "hub");
    return hub.empty() ? "" : nlohmann::json::parse(hub)["standing"].get<std::string>();
  }
  void Subscribe() {
    Start();
    WaitFor([&] { return server_.hits("/hub") == 1; });
    EXPECT_EQ(Verify().body, "c4");
    WaitFor([&] { return Standing() == "active"; });
  }
};

TEST_F(WebSubRole, SubscribesToTheHubThatTheLinkHeaderNames) {
  Subscribe();
  EXPECT_EQ(FormField(Asked(), "hub.mode"), "subscribe");
  EXPECT_EQ(FormField(Asked(), "hub.topic"), Feed());
  EXPECT_THAT(FormField(Asked(), "hub.callback"), HasSubstr("https://me.example/racewatch/websub/"));
  EXPECT_EQ(FormField(Asked(), "hub.lease_seconds"), "864000");
  EXPECT_EQ(Metric("racewatch_ingest_websub_total", {{"outcome", "verified"}}), 1);
}

TEST_F(WebSubRole, SubscribesToTheHubThatTheDocumentNames) {
  server_.Serve("/feed", Body("<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>F</title><link rel=\"hub\" href=\"" + server_.Url("/hub") +
                              "\"/><link rel=\"self\" href=\"" + Feed() + "\"/><entry><title>One</title><id>1</id><link href=\"https://a.example/1\"/></entry></feed>"));
  Subscribe();
  EXPECT_EQ(FormField(Asked(), "hub.topic"), Feed());
}

TEST_F(WebSubRole, TakesASignedDocumentAtOnceAndPollsOnlyOnceADay) {
  Subscribe();
  Advance(2 * kHour);  // the poll that was due when the hub was verified
  const int polls = server_.hits("/feed");
  for (int i = 2; i < 6; ++i) {
    const std::string n = std::to_string(i);
    Push(Rss({{"Item " + n, "https://a.example/" + n}}));
    WaitFor([&] { return Articles().size() == static_cast<size_t>(i); });
    Advance(kHour);
  }
  EXPECT_EQ(server_.hits("/feed"), polls);
  Show({{"Item 2", "https://a.example/2"}, {"Item 3", "https://a.example/3"}, {"Item 4", "https://a.example/4"}, {"Item 5", "https://a.example/5"}});
  Advance(kDay);
  EXPECT_EQ(server_.hits("/feed"), polls + 1);
  EXPECT_EQ(Standing(), "active");
  EXPECT_EQ(Counts().sent, 5u);
  ExpectBalanced();
}

TEST_F(WebSubRole, DropsWhatIsNotSignedByTheHub) {
  Subscribe();
  const std::string forged = Rss({{"Forged", "https://evil.example/1"}});
  EXPECT_EQ(Call("POST", "", forged, "").http_status, 202);
  EXPECT_EQ(Call("POST", "", forged, Signature("guess", forged)).http_status, 202);
  Push(Rss({{"True", "https://a.example/2"}}));
  WaitFor([&] { return Articles().size() == 2; });
  EXPECT_THAT(Titles(), ElementsAre("One", "True"));
  EXPECT_EQ(Metric("racewatch_ingest_websub_total", {{"outcome", "bad_signature"}}), 2);
}

TEST_F(WebSubRole, APushThatIsNoFeedChangesNothing) {
  Subscribe();
  Push("these are words");
  Push(Rss({{"True", "https://a.example/2"}}));
  WaitFor([&] { return Articles().size() == 2; });
  EXPECT_EQ(FeedField(Feed(), "state"), "ok");
  EXPECT_EQ(Metric("racewatch_ingest_websub_total", {{"outcome", "not_a_feed"}}), 1);
}

TEST_F(WebSubRole, RenewsTheLeaseBeforeItEnds) {
  Subscribe();
  const std::string first = Asked();
  for (int day = 0; day < 7; ++day) Advance(kDay);
  EXPECT_EQ(server_.hits("/hub"), 1);
  Advance(kDay);
  EXPECT_EQ(server_.hits("/hub"), 2);
  EXPECT_EQ(FormField(Asked(), "hub.callback"), FormField(first, "hub.callback"));
  EXPECT_EQ(FormField(Asked(), "hub.secret"), FormField(first, "hub.secret"));
}

TEST_F(WebSubRole, WhenTheLeaseEndsUnrenewedTheFeedIsPolledAsBefore) {
  Subscribe();
  for (int day = 0; day < 10; ++day) Advance(kDay);
  const int polls = server_.hits("/feed");
  EXPECT_EQ(FeedField(Feed(), "interval_reason"), "adaptive");
  for (int i = 0; i < 7; ++i) Advance(kDay);
  EXPECT_GE(server_.hits("/feed"), polls + 3);
  EXPECT_GE(server_.hits("/hub"), 4);  // it is asked on
}

TEST_F(WebSubRole, TheDailyPollDemotesAHubThatMissedAnEntry) {
  Subscribe();
  Advance(2 * kHour);
  Show({{"Never pushed", "https://a.example/2"}});
  Advance(kDay + kHour);
  EXPECT_THAT(Titles(), ElementsAre("One", "Never pushed"));
  EXPECT_EQ(Standing(), "demoted");
  EXPECT_EQ(Metric("racewatch_ingest_websub_total", {{"outcome", "demoted"}}), 1);
  const int polls = server_.hits("/feed");
  Advance(kDay / 2);
  EXPECT_GT(server_.hits("/feed"), polls);  // as without a hub
  for (int day = 0; day < 7; ++day) Advance(kDay);
  EXPECT_EQ(server_.hits("/hub"), 2);  // and a new chance after a week
}

TEST_F(WebSubRole, AVerificationOfSomethingElseIsRefused) {
  Start();
  WaitFor([&] { return server_.hits("/hub") == 1; });
  EXPECT_EQ(Call("GET", "?hub.mode=subscribe&hub.challenge=c4&hub.topic=http://other.example/&hub.lease_seconds=1", "", "").http_status, 404);
  EXPECT_EQ(Standing(), "pending");
}

TEST_F(WebSubRole, ADenialIsRespectedForAWeek) {
  Start();
  WaitFor([&] { return server_.hits("/hub") == 1; });
  EXPECT_EQ(Call("GET", "?hub.mode=denied&hub.reason=no&hub.topic=" + Feed(), "", "").http_status, 200);
  WaitFor([&] { return Standing() == "denied"; });
  for (int day = 0; day < 6; ++day) Advance(kDay);
  EXPECT_EQ(server_.hits("/hub"), 1);
  Advance(kDay + kHour);
  EXPECT_EQ(server_.hits("/hub"), 2);
}

TEST_F(WebSubRole, ARefusingHubLeavesTheFeedPolled) {
  server_.Serve("/hub", TestReply{500, {}, "", {}});
  Start();
  WaitFor([&] { return server_.hits("/hub") == 1; });
  Settle();
  Advance(kHour);
  EXPECT_GE(server_.hits("/feed"), 2);
  EXPECT_EQ(Metric("racewatch_ingest_websub_total", {{"outcome", "request_failed"}}), server_.hits("/hub"));
}

TEST_F(WebSubRole, ASubscriptionOutlivesARestart) {
  Subscribe();
  Restart();
  Push(Rss({{"After", "https://a.example/2"}}));
  WaitFor([&] { return Articles().size() == 2; });
  EXPECT_EQ(server_.hits("/hub"), 1);
}

}  // namespace
}  // namespace racewatch::ingest
