// Notifier against a loopback receiver, on a manual clock: nothing lost through failures and restarts, repeats only with
// the same ce_id, signed, and never further than a subscriber asked for.
#include "store/notify/notifier.h"

#include <google/protobuf/text_format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "racewatch/v1/alert.pb.h"
#include "racewatch/v1/config.pb.h"
#include "store/notify/webhook.h"
#include "store/notify/quiet_hours.h"
#include "store/notify/subscriber_config.h"
#include "tests/fakes/http_test_server.h"
#include "tests/store/notifier_fixture.h"

namespace racewatch::store {
namespace {

using fakes::TestReply;
using fakes::TestRequest;
using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr int64_t kMinute = 60'000, kHour = 60 * kMinute;
constexpr char kSecret[] = "a secret of more than sixteen";

// Remembers what was delivered, by ce_id in order, and answers what it is told to.
class Receiver {
 public:
  Receiver() {
    server_.Serve("/hook", [this](const TestRequest& request) {
      const std::scoped_lock lock(mutex_);
      requests_.push_back(request);
      if (status_ / 100 == 2) Note(request);
      TestReply reply;
      reply.status = status_;
      reply.headers = headers_;
      return reply;
    });
  }
  void Answer(int status, std::vector<std::pair<std::string, std::string>> headers = {}) {
    const std::scoped_lock lock(mutex_);
    status_ = status;
    headers_ = std::move(headers);
  }
  std::vector<std::string> ids() const {
    const std::scoped_lock lock(mutex_);
    return ids_;
  }
  std::vector<TestRequest> requests() const {
    const std::scoped_lock lock(mutex_);
    return requests_;
  }
  std::string url() const { return server_.Url("/hook"); }
  fakes::HttpTestServer& server() { return server_; }

 private:
  void Note(const TestRequest& request) {
    if (!request.Header("ce-id").empty()) return ids_.push_back(request.Header("ce-id"));
    for (const json& event : json::parse(request.body)) ids_.push_back(event["id"]);
  }
  mutable std::mutex mutex_;
  int status_ = 200;
  std::vector<std::pair<std::string, std::string>> headers_;
  std::vector<TestRequest> requests_;
  std::vector<std::string> ids_;
  fakes::HttpTestServer server_;  // last: its threads end first
};

class NotifierTest : public NotifierFixture {
 protected:
  NotifierTest() { std::ofstream(dir_.path() + "/secret") << kSecret << "\n"; }
  ~NotifierTest() override { notifier_.reset(); }  // before the receiver that its requests go to
  v1::SubscriberConfig Subscriber(const std::string& more = "") {
    v1::SubscriberConfig out;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
        "name: \"desk\" url: \"" + receiver_.url() + "\" secret_files: \"" + dir_.path() + "/secret\" allow_private_addresses: true " + more, &out));
    return out;
  }
  Receiver receiver_;
};

TEST(HmacTest, IsThatOfRfc4231) {
  EXPECT_EQ(HmacSha256("Jefe", "what do ya want for nothing?"), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST_F(NotifierTest, AnAlertArrivesSignedAsACloudEventInBinaryMode) {
  Begin({Subscriber()});
  const std::string id = Log();
  Run();
  ASSERT_EQ(receiver_.requests().size(), 1u);
  const TestRequest request = receiver_.requests()[0];
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.Header("ce-id"), id);
  EXPECT_EQ(request.Header("ce-specversion"), "1.0");
  EXPECT_EQ(request.Header("content-type"), "application/json");
  EXPECT_EQ(json::parse(request.body)["rule"], "chips");
  EXPECT_EQ(request.Header("racewatch-delivery").size(), 32u);
  EXPECT_EQ(request.Header("racewatch-timestamp"), std::to_string(clock_.NowMs() / 1000));
  EXPECT_EQ(request.Header("racewatch-signature"), "v1=" + HmacSha256(kSecret, request.Header("racewatch-timestamp") + "." + request.body));
}

TEST_F(NotifierTest, EverySecretSignsSoThatOneCanBeChanged) {
  std::ofstream(dir_.path() + "/second") << "another secret, the older one\r\n";
  Begin({Subscriber("secret_files: \"" + dir_.path() + "/second\"")});
  Log();
  Run();
  const TestRequest request = receiver_.requests().at(0);
  const std::string signed_text = request.Header("racewatch-timestamp") + "." + request.body;
  EXPECT_EQ(request.Header("racewatch-signature"),
            "v1=" + HmacSha256(kSecret, signed_text) + ",v1=" + HmacSha256("another secret, the older one", signed_text));
}

TEST_F(NotifierTest, AReceiverDownForAnHourMissesNothingAndGetsEachOnce) {
  Begin({Subscriber()});
  std::vector<std::string> logged{Log()};
  Run();
  receiver_.Answer(500);
  for (int minute = 0; minute < 60; ++minute) {
    if (minute % 3 == 0) logged.push_back(Log());
    clock_.Advance(kMinute);
    Run();
    if (minute == 30) Begin({Subscriber()});  // the store dies in between
  }
  EXPECT_EQ(receiver_.ids().size(), 1u);
  receiver_.Answer(204);
  for (int minute = 0; minute < 60; ++minute) {
    clock_.Advance(kMinute);
    Run();
    for (int i = 0; i < 30; ++i) Run();
  }
  EXPECT_EQ(receiver_.ids(), logged) << "in the order of the log";
  std::set<std::string> deliveries;
  for (const TestRequest& request : receiver_.requests())
    if (request.Header("ce-id") == logged[1]) deliveries.insert(request.Header("racewatch-delivery"));
  EXPECT_EQ(deliveries.size(), 1u) << "every try of one alert has the same delivery id";
}

TEST_F(NotifierTest, AStoreThatDiesBeforeItNotesTheAnswerRepeatsTheSameCeId) {
  Begin({Subscriber()});
  const std::string id = Log();
  engine_.FailNext(FakeEngine::Fault::kBeforeCommit);
  base::Status failed;
  for (int i = 0; i < 200 && failed.ok(); ++i) failed = notifier_->Run(leader_, std::chrono::milliseconds(50));
  EXPECT_FALSE(failed.ok());
  Begin({Subscriber()});
  const std::string next = Log();
  Run();
  Run();
  EXPECT_THAT(receiver_.ids(), ElementsAre(id, id, next));
}

TEST_F(NotifierTest, TriesAreSpacedWithJitterAndRetryAfterIsObeyed) {
  Begin({Subscriber("retry_s_min: 8 retry_s_max: 64")});
  receiver_.Answer(503);
  Log();
  Run();
  std::vector<int64_t> waits;
  for (int64_t second = 0; second < 400; ++second) {
    const size_t before = receiver_.requests().size();
    clock_.Advance(1000);
    Run();
    if (receiver_.requests().size() > before) waits.push_back(second);
  }
  ASSERT_GE(waits.size(), 6u);
  EXPECT_LE(waits.size(), 16u);
  for (size_t i = 4; i + 1 < waits.size(); ++i) {
    EXPECT_GE(waits[i + 1] - waits[i], 32);
    EXPECT_LE(waits[i + 1] - waits[i], 65);
  }
  receiver_.Answer(429, {{"Retry-After", "60"}});
  clock_.Advance(70'000);
  Run();
  const size_t before = receiver_.requests().size();
  clock_.Advance(58'000);
  Run();
  EXPECT_EQ(receiver_.requests().size(), before);
}

TEST_F(NotifierTest, GoneEndsTheSubscriptionUntilTheUrlChanges) {
  Begin({Subscriber()});
  receiver_.Answer(410);
  const std::string id = Log();
  Run();
  EXPECT_EQ(receiver_.requests().size(), 1u);
  receiver_.Answer(200);
  clock_.Advance(kHour);
  Begin({Subscriber()});
  EXPECT_EQ(receiver_.requests().size(), 1u) << "remembered through a restart";
  EXPECT_THAT(Metrics(), HasSubstr("racewatch_subscriber_stopped{subscriber=\"desk\"} 1"));
  v1::SubscriberConfig moved = Subscriber();
  moved.set_url(receiver_.url() + "?new");
  Begin({moved});
  Run();
  EXPECT_THAT(receiver_.ids(), ElementsAre(id)) << "what was not taken is sent to the new address";
}

TEST_F(NotifierTest, RedirectsAreNotFollowed) {
  receiver_.server().Serve("/elsewhere", fakes::Body("{}"));
  Begin({Subscriber()});
  receiver_.Answer(302, {{"Location", receiver_.server().Url("/elsewhere")}});
  Log();
  Run();
  EXPECT_EQ(receiver_.server().hits("/elsewhere"), 0);
  EXPECT_THAT(Metrics(), HasSubstr("racewatch_subscriber_requests_total{outcome=\"http_3xx\",subscriber=\"desk\"} 1"));
}

TEST_F(NotifierTest, PrivateAddressesAreRefusedUnlessAllowed) {
  v1::SubscriberConfig guarded = Subscriber();
  guarded.set_allow_private_addresses(false);
  Begin({guarded});
  Log();
  Run();
  EXPECT_TRUE(receiver_.requests().empty());
  EXPECT_THAT(Metrics(), HasSubstr("outcome=\"blocked_address\""));
}

TEST_F(NotifierTest, AReceiverThatHangsCostsItsTimeoutAndNothingElse) {
  receiver_.server().Serve("/slow", fakes::Trickle(std::chrono::milliseconds(100)));
  v1::SubscriberConfig slow = Subscriber("timeout_s: 1");
  slow.set_name("slow");
  slow.set_url(receiver_.server().Url("/slow"));
  Begin({slow, Subscriber()});
  const std::string id = Log();
  while (receiver_.ids().empty()) ASSERT_TRUE(notifier_->Run(leader_, std::chrono::milliseconds(20)).ok());
  EXPECT_TRUE(notifier_->busy()) << "one waits while the other has been told";
  Run();
  EXPECT_THAT(receiver_.ids(), ElementsAre(id));
  EXPECT_THAT(Metrics(), HasSubstr("outcome=\"timeout\",subscriber=\"slow\""));
}

TEST_F(NotifierTest, RoutesChooseByRuleLabelStateAndScore) {
  Begin({Subscriber(R"(match { rules: "chi*" score_min: 4 } match { themes: "markets" states: "open" })")});
  const std::string a = Log("chips", 5), b = Log("chips", 3), c = Log("other", 9, "talent_society"), d = Log("other", 1, "markets");
  for (int i = 0; i < 5; ++i) Run();
  EXPECT_THAT(receiver_.ids(), ElementsAre(a, d));
}

TEST_F(NotifierTest, GroupedAlertsComeTogetherAsABatch) {
  Begin({Subscriber("group_s: 600 group_max: 3")});
  const std::string a = Log(), b = Log();
  Run();
  EXPECT_TRUE(receiver_.requests().empty()) << "others may join";
  clock_.Advance(10 * kMinute);
  Run();
  ASSERT_EQ(receiver_.requests().size(), 1u);
  EXPECT_EQ(receiver_.requests()[0].Header("content-type"), "application/cloudevents-batch+json");
  const json events = json::parse(receiver_.requests()[0].body);
  EXPECT_EQ(events[0]["specversion"], "1.0");
  EXPECT_EQ(events[0]["data"]["rule"], "chips");
  EXPECT_THAT(receiver_.ids(), ElementsAre(a, b));
  const std::string c = Log(), d = Log(), e = Log();
  Run();
  EXPECT_THAT(receiver_.ids(), ElementsAre(a, b, c, d, e)) << "a full request does not wait";
}

TEST_F(NotifierTest, QuietHoursHoldAndTheirEndReleasesInOrder) {
  Begin({Subscriber(R"(quiet { from: "22:00" to: "07:00" utc_offset_minutes: 60 score_urgent: 20 })")});
  clock_.Set(clock_.NowMs() + 21 * kHour + 30 * kMinute);  // 22:30 there
  const std::string a = Log();
  Run();
  clock_.Advance(2 * kHour);
  Run();
  EXPECT_TRUE(receiver_.ids().empty());
  const std::string urgent = Log("chips", 25);
  for (int i = 0; i < 3; ++i) Run();
  EXPECT_THAT(receiver_.ids(), ElementsAre(a, urgent)) << "order holds, so what waits before goes first";
  const std::string b = Log();
  Run();
  EXPECT_EQ(receiver_.ids().size(), 2u);
  clock_.Advance(7 * kHour);
  Run();
  EXPECT_THAT(receiver_.ids(), ElementsAre(a, urgent, b));
}

TEST_F(NotifierTest, QuietHoursFollowTheSummerTimeOfTheirZone) {
  Begin({Subscriber(R"(quiet { from: "22:00" to: "07:00" time_zone: "Europe/Berlin" })")});
  const auto sent_at = [this](base::UnixMs now) {
    clock_.Set(now);
    const size_t before = receiver_.ids().size();
    Log();
    Run();
    const bool sent = receiver_.ids().size() > before;
    clock_.Set(now + 12 * kHour);  // whatever waited goes
    for (int i = 0; i < 3; ++i) Run();
    return sent;
  };
  // In winter Berlin is one hour before UTC, in summer two: 05:30 UTC is 06:30 and 07:30.
  EXPECT_FALSE(sent_at(1'769'923'800'000)) << "2026-02-01T05:30Z";
  EXPECT_TRUE(sent_at(1'769'977'800'000)) << "2026-02-01T20:30Z is 21:30 there";
  EXPECT_TRUE(sent_at(1'780'291'800'000)) << "2026-06-01T05:30Z";
  EXPECT_FALSE(sent_at(1'780'345'800'000)) << "2026-06-01T20:30Z is 22:30 there";
}

TEST(QuietHoursTest, TheDaysOnWhichClocksChangeHaveTheHoursTheyHave) {
  v1::QuietHours quiet;
  quiet.set_from("02:30");
  quiet.set_to("03:30");
  quiet.set_time_zone("Europe/Berlin");
  const auto quiet_at = [&quiet](base::UnixMs now) { return IsQuiet(quiet, now); };
  // 2026-03-29: 01:59 UTC+1 is followed by 03:00 UTC+2 at 01:00 UTC.
  constexpr base::UnixMs kSpring = 1'774'746'000'000;  // 2026-03-29T01:00:00Z
  EXPECT_FALSE(quiet_at(kSpring - kMinute));
  EXPECT_TRUE(quiet_at(kSpring)) << "03:00 there";
  EXPECT_TRUE(quiet_at(kSpring + 29 * kMinute));
  EXPECT_FALSE(quiet_at(kSpring + 30 * kMinute));
  // 2026-10-25: 02:59 UTC+2 is followed by 02:00 UTC+1 at 01:00 UTC.
  constexpr base::UnixMs kAutumn = 1'792'890'000'000;  // 2026-10-25T01:00:00Z
  EXPECT_TRUE(quiet_at(kAutumn - kMinute)) << "02:59 for the first time";
  EXPECT_FALSE(quiet_at(kAutumn)) << "02:00 for the second time";
  EXPECT_TRUE(quiet_at(kAutumn + 30 * kMinute)) << "02:30 for the second time";
  EXPECT_TRUE(quiet_at(kAutumn + 89 * kMinute));
  EXPECT_FALSE(quiet_at(kAutumn + 90 * kMinute));
}

TEST_F(NotifierTest, SilencesAndAgeDropCounted) {
  v1::SilenceConfig silence;
  silence.set_rule("chips");
  silence.set_key("theme=chips*");
  silence.set_from("2026-01-05T00:00:00Z");
  silence.set_until("2026-01-05T01:00:00Z");
  Begin({Subscriber("give_up_hours: 1")}, {silence});
  Log();
  const std::string other = Log("other");
  for (int i = 0; i < 3; ++i) Run();
  EXPECT_THAT(receiver_.ids(), ElementsAre(other));
  clock_.Advance(kHour);
  const std::string after = Log();
  for (int i = 0; i < 3; ++i) Run();
  EXPECT_THAT(receiver_.ids(), ElementsAre(other, after));
  receiver_.Answer(500);
  Log();
  Run();
  clock_.Advance(2 * kHour);
  Run();
  Run();
  EXPECT_THAT(Metrics(), HasSubstr("racewatch_subscriber_dropped_total{reason=\"silenced\",subscriber=\"desk\"} 1"));
  EXPECT_THAT(Metrics(), HasSubstr("racewatch_subscriber_dropped_total{reason=\"expired\",subscriber=\"desk\"} 1"));
}

TEST_F(NotifierTest, ANewSubscriberBeginsWithTheNextAlert) {
  Log();
  Begin({Subscriber()});
  const std::string next = Log();
  Run();
  EXPECT_THAT(receiver_.ids(), ElementsAre(next));
}

TEST(SubscriberConfigTest, EveryProblemIsReportedAtOnce) {
  v1::StoreConfig config;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(R"(
    rules { name: "chips" }
    subscribers { name: "Desk!" url: "ftp://x" match { rules: "none" themes: "weather" states: "maybe" } quiet { from: "25:00" to: "x" } }
    subscribers { name: "a" url: "https://x.example/" secret_files: "/nowhere/secret" retry_s_min: 10 retry_s_max: 5 timeout_s: 500 }
    subscribers { name: "a" url: "https://x.example/" secret_files: "/nowhere/secret" }
    subscribers { name: "b" url: "https://x.example/" email { server: "http://x" tls: "maybe" from: "me" username: "u" } quiet { from: "22:00" to: "07:00" time_zone: "Mars/Base" } }
    subscribers { name: "c" email { server: "smtps://mail.example" tls: "none" from: "a@b.example" to: "a, b@c.example" username: "u" password_file: "/nowhere/word" ca_file: "/nowhere/ca" } quiet { from: "22:00" to: "07:00" time_zone: "Europe/Berlin" utc_offset_minutes: 60 } }
    silences { rule: "chips" from: "yesterday" until: "2026-01-05T01:00:00Z" }
    silences { from: "2026-01-05T01:00:00Z" until: "2026-01-05T01:00:00Z" })", &config));
  base::Problems problems;
  ValidateSubscribers(config, &problems);
  EXPECT_THAT(problems.lines(),
              ElementsAre(HasSubstr("subscribers[0].name"), HasSubstr("subscribers[0].url"), HasSubstr("subscribers[0].secret_files"),
                          HasSubstr("subscribers[0].match[0].rules"), HasSubstr("subscribers[0].match[0].themes"),
                          HasSubstr("subscribers[0].match[0].states"), HasSubstr("subscribers[0].quiet.from"),
                          HasSubstr("subscribers[0].quiet.to"), HasSubstr("/nowhere/secret"), HasSubstr("subscribers[1].timeout_s"),
                          HasSubstr("subscribers[1].retry_s_max"), HasSubstr("/nowhere/secret"), HasSubstr("'a' is used twice"),
                          HasSubstr("subscribers[3].url: not together"), HasSubstr("subscribers[3].email.server"), HasSubstr("subscribers[3].email.tls"),
                          HasSubstr("subscribers[3].email.password_file"), HasSubstr("subscribers[3].email.from"), HasSubstr("subscribers[3].email.to"),
                          HasSubstr("'Mars/Base'"), HasSubstr("subscribers[4].email.tls: smtps"), HasSubstr("subscribers[4].email.username"),
                          HasSubstr("/nowhere/word"), HasSubstr("/nowhere/ca"), HasSubstr("'a, b@c.example' is no address"),
                          HasSubstr("subscribers[4].quiet.time_zone: not together"), HasSubstr("silences[0].from"), HasSubstr("silences[1].until")));
}

}  // namespace
}  // namespace racewatch::store
