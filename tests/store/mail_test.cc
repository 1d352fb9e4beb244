// Alerts by e-mail against a real SMTP server on loopback (tests/fakes/smtp_test_server.h), on a manual clock: what arrives,
// logins and TLS, and that nothing is lost while repeats stay the same message.
#include "store/notify/mail.h"

#include <google/protobuf/text_format.h>
#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>

#include "store/codec.h"
#include "store/notify/subscriber_config.h"
#include "tests/fakes/smtp_test_server.h"
#include "tests/store/notifier_fixture.h"

namespace racewatch::store {
namespace {

using fakes::SmtpTestServer;
using fakes::TestMail;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr int64_t kMinute = 60'000, kHour = 60 * kMinute;

class MailTest : public NotifierFixture {
 protected:
  ~MailTest() override { notifier_.reset(); }
  v1::SubscriberConfig Subscriber(const SmtpTestServer& server, const std::string& email = R"(tls: "none")", const std::string& more = "") {
    v1::SubscriberConfig out;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
        "name: \"desk\" email { server: \"" + server.Url() + "\" from: \"race@watch.example\" to: \"ada@desk.example\" " +
            email + " } " + more, &out));
    v1::StoreConfig config;
    for (const char* rule : {"chips", "other", "markets_rule"}) config.add_rules()->set_name(rule);
    *config.add_subscribers() = out;
    base::Problems problems;
    ValidateSubscribers(config, &problems);
    EXPECT_THAT(problems.lines(), IsEmpty());
    return out;
  }
  void Minutes(int n) {
    for (int i = 0; i < n; ++i) {
      clock_.Advance(kMinute);
      for (int round = 0; round < 10; ++round) Run();
    }
  }
  static std::vector<std::string> MessageIds(const SmtpTestServer& server, const std::string& receiver = "ada@desk.example") {
    std::vector<std::string> ids;
    for (const TestMail& mail : server.mails())
      if (mail.to == std::vector<std::string>{receiver}) ids.push_back(mail.Header("Message-ID"));
    return ids;
  }
  // A key and a certificate for localhost; false: there is no openssl command.
  bool MakeCertificate() {
    if (std::system("command -v openssl >/dev/null") != 0) return false;
    return std::system(("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost "
                        "-addext subjectAltName=DNS:localhost -keyout " + dir_.path() + "/key.pem -out " + dir_.path() + "/cert.pem 2>/dev/null")
                           .c_str()) == 0;
  }
  SmtpTestServer::Options WithTls() { return {.certificate = dir_.path() + "/cert.pem", .key = dir_.path() + "/key.pem"}; }
};

constexpr char kTwo[] = R"(tls: "none" to: "bob@desk.example")";

TEST_F(MailTest, AnAlertArrivesAsOneMailForEachReceiverWithItsEvidence) {
  const SmtpTestServer server;
  Begin({Subscriber(server, kTwo)});
  v1::Alert alert = MakeAlert();
  auto* evidence = alert.add_evidence();
  evidence->set_title("芯片 & chips");
  evidence->set_url("https://p.example/1");
  evidence->set_publisher("p.example");
  evidence->set_snippet(".\n.starts with a dot");
  Log(alert);
  Run();
  ASSERT_THAT(server.mails(), SizeIs(2));
  const TestMail mail = server.mails()[0];
  EXPECT_EQ(mail.from, "race@watch.example");
  EXPECT_EQ(mail.data, server.mails()[1].data);
  EXPECT_THAT(MessageIds(server, "ada@desk.example"), SizeIs(1));
  EXPECT_THAT(MessageIds(server, "bob@desk.example"), SizeIs(1));
  EXPECT_EQ(mail.Header("Message-ID"), "<alert1.1@watch.example>");
  EXPECT_EQ(mail.Header("Subject"), "[racewatch] chips: theme=chips_compute opened");
  EXPECT_EQ(mail.Header("From"), "racewatch <race@watch.example>");
  EXPECT_EQ(mail.Header("To"), "ada@desk.example, bob@desk.example");
  EXPECT_EQ(mail.Header("Date"), "Mon, 5 Jan 2026 00:00:00 +0000");
  EXPECT_EQ(mail.Header("Racewatch-Alerts"), "alert1/1");
  EXPECT_EQ(mail.Header("Auto-Submitted"), "auto-generated");
  EXPECT_EQ(mail.Header("In-Reply-To"), "");
  EXPECT_THAT(mail.Text(), HasSubstr("* 芯片 & chips (p.example)\n    https://p.example/1"));
  EXPECT_THAT(Metrics(), HasSubstr("racewatch_subscriber_requests_total{outcome=\"delivered\",subscriber=\"desk\"} 2"));
}

TEST_F(MailTest, WhatChangesAndClosesAnswersTheOpeningAndDailyRepeatsStayOut) {
  const SmtpTestServer server;
  Begin({Subscriber(server)});
  v1::Alert alert = MakeAlert();
  Log(alert);
  alert.set_state(v1::ALERT_STATE_UPDATE);
  alert.set_sequence(2);
  Log(alert);
  alert.set_sequence(3);
  alert.set_repeat(true);
  Log(alert);
  alert.set_sequence(4);
  alert.set_state(v1::ALERT_STATE_CLOSE);
  alert.set_repeat(false);
  Log(alert);
  for (int i = 0; i < 5; ++i) Run();
  EXPECT_THAT(MessageIds(server), ElementsAre("<alert1.1@watch.example>", "<alert1.2@watch.example>", "<alert1.4@watch.example>"));
  EXPECT_EQ(server.mails()[1].Header("In-Reply-To"), "<alert1.1@watch.example>");
  EXPECT_EQ(server.mails()[2].Header("References"), "<alert1.1@watch.example>");
  EXPECT_THAT(server.mails()[2].Header("Subject"), HasSubstr("over"));
}

TEST_F(MailTest, AServerDownForAnHourMissesNothingAndGetsEachOnce) {
  SmtpTestServer server;
  Begin({Subscriber(server)});
  std::vector<std::string> logged;
  const auto log = [&] { logged.push_back("<" + MakeAlert().id() + ".1@watch.example>"), Log(); };
  log();
  Run();
  server.AnswerReceivers(451);
  for (int i = 0; i < 20; ++i) {
    log();
    Minutes(3);
    if (i == 10) Begin({Subscriber(server)});  // the store dies in between
  }
  EXPECT_THAT(server.mails(), SizeIs(1));
  EXPECT_THAT(Metrics(), HasSubstr("outcome=\"smtp_4xx\",subscriber=\"desk\""));
  server.AnswerReceivers(250);
  Minutes(60);
  EXPECT_EQ(MessageIds(server), logged);
}

TEST_F(MailTest, AReceiverThatIsRefusedOrFullHoldsUpNobodyElse) {
  for (const int code : {550, 452}) {
    SmtpTestServer server;
    server.AnswerReceiver("bob@desk.example", code);
    v1::SubscriberConfig subscriber = Subscriber(server, kTwo);
    subscriber.set_name("desk" + std::to_string(code));
    Begin({subscriber});
    std::vector<std::string> logged;
    for (int i = 0; i < 5; ++i) {
      logged.push_back("<" + MakeAlert().id() + ".1@watch.example>");
      Log();
      Run();
      EXPECT_EQ(MessageIds(server, "ada@desk.example"), logged) << "at once";
      Minutes(20);
      if (i == 2) Begin({subscriber});  // the store dies in between
    }
    EXPECT_THAT(MessageIds(server, "bob@desk.example"), IsEmpty());
    EXPECT_THAT(Metrics(), HasSubstr("outcome=\"smtp_" + std::to_string(code / 100) + "xx\",subscriber=\"" + subscriber.name() + "\""));
    EXPECT_THAT(Metrics(), HasSubstr("racewatch_subscriber_waiting_seconds{subscriber=\"" + subscriber.name() + "\"} 6000"));
    server.AnswerReceiver("bob@desk.example", 250);
    Minutes(60);
    EXPECT_EQ(MessageIds(server, "ada@desk.example"), logged) << "once each";
    EXPECT_EQ(MessageIds(server, "bob@desk.example"), logged) << "all, in order, when the mailbox is back";
  }
}

// Builds before this one kept one place for all receivers of a subscriber.
TEST_F(MailTest, EachReceiverBeginsWhereItsSubscriberWas) {
  const SmtpTestServer server;
  Log();
  Log();
  std::string place;
  AppendVarint(&place, 1);
  AppendVarint(&place, 1);  // told of the first
  AppendText(&place, "");
  Batch batch;
  batch.Put(Table::kMeta, "webhook/desk", place);
  ASSERT_TRUE(engine_.Commit(batch).ok());
  Begin({Subscriber(server, kTwo)});
  for (const char* receiver : {"ada@desk.example", "bob@desk.example"})
    EXPECT_THAT(MessageIds(server, receiver), ElementsAre("<alert2.1@watch.example>")) << receiver;
  Begin({Subscriber(server, R"(tls: "none" to: "bob@desk.example" to: "new@desk.example")")});
  Log();
  Run();
  EXPECT_THAT(MessageIds(server, "new@desk.example"), ElementsAre("<alert3.1@watch.example>"));
  EXPECT_THAT(MessageIds(server, "bob@desk.example"), ElementsAre("<alert2.1@watch.example>", "<alert3.1@watch.example>"));
}

TEST_F(MailTest, AMailWhoseReceiptWasLostComesAgainAsTheSameMessage) {
  SmtpTestServer server, digests;
  v1::SubscriberConfig digest = Subscriber(digests, R"(tls: "none")", "group_s: 60");
  digest.set_name("digest");
  Begin({Subscriber(server), digest});
  server.DropAfterData(1);
  digests.DropAfterData(1);
  Log();
  Minutes(10);
  EXPECT_THAT(MessageIds(server), ElementsAre("<alert1.1@watch.example>", "<alert1.1@watch.example>"));
  const auto ids = MessageIds(digests);
  ASSERT_THAT(ids, SizeIs(2));
  EXPECT_EQ(ids[0], ids[1]);
  EXPECT_THAT(Metrics(), HasSubstr("outcome=\"unreachable\",subscriber=\"desk\"} 1"));
}

TEST_F(MailTest, ADigestHoldsAnIntervalByRuleWithTheLastStateOfEach) {
  const SmtpTestServer server;
  Begin({Subscriber(server, R"(tls: "none")", "group_s: 3600")});
  v1::Alert alert = MakeAlert("markets_rule", 5, "markets");
  Log(alert);
  Log("chips");
  alert.set_sequence(2);
  alert.set_state(v1::ALERT_STATE_CLOSE);
  Log(alert);
  Minutes(30);
  EXPECT_THAT(server.mails(), IsEmpty());
  Minutes(31);
  ASSERT_THAT(server.mails(), SizeIs(1));
  const TestMail mail = server.mails()[0];
  EXPECT_EQ(mail.Header("Subject"), "[racewatch] alerts: 2 opened, 1 over");
  EXPECT_EQ(mail.Header("Racewatch-Alerts"), "alert1/1, alert2/1, alert1/2");
  EXPECT_THAT(mail.Header("Message-ID"), testing::MatchesRegex("<digest\\.[0-9a-f]{32}@watch\\.example>"));
  const std::string text = mail.Text();
  EXPECT_LT(text.find("Rule chips\n"), text.find("Rule markets_rule\n"));
  EXPECT_THAT(text, HasSubstr("theme=markets: over"));
  EXPECT_THAT(text, testing::Not(HasSubstr("theme=markets: opened")));
}

TEST_F(MailTest, RoutesAndQuietHoursHoldForMailToo) {
  const SmtpTestServer server;
  Begin({Subscriber(server, R"(tls: "none")", R"(match { rules: "chips" } quiet { from: "22:00" to: "07:00" time_zone: "Europe/Berlin" })")});
  Log("other");
  Log("chips");  // 01:00 in Berlin
  Minutes(5);
  EXPECT_THAT(server.mails(), IsEmpty());
  clock_.Advance(6 * kHour);
  Minutes(1);
  EXPECT_THAT(MessageIds(server), ElementsAre("<alert2.1@watch.example>"));
}

TEST_F(MailTest, ALoginGoesOverTlsAndAWrongOneIsSaid) {
  if (!MakeCertificate()) GTEST_SKIP() << "needs the openssl command";
  auto options = WithTls();
  options.user = "ada";
  options.password = "pass word";
  const SmtpTestServer server(options);
  std::ofstream(dir_.path() + "/password") << "pass word\n";
  std::ofstream(dir_.path() + "/wrong") << "guess\n";
  const std::string ca = "ca_file: \"" + dir_.path() + "/cert.pem\" username: \"ada\" password_file: \"" + dir_.path();
  Begin({Subscriber(server, ca + "/wrong\"")});
  Log();
  Run();
  EXPECT_THAT(server.mails(), IsEmpty());
  EXPECT_THAT(Metrics(), HasSubstr("outcome=\"login_denied\",subscriber=\"desk\"} 1"));
  Begin({Subscriber(server, ca + "/password\"")});
  Run();
  ASSERT_THAT(server.mails(), SizeIs(1));
  EXPECT_TRUE(server.mails()[0].tls);
  EXPECT_EQ(server.mails()[0].user, "ada");
}

TEST_F(MailTest, TlsFromTheStartIsSpokenToo) {
  if (!MakeCertificate()) GTEST_SKIP() << "needs the openssl command";
  auto options = WithTls();
  options.tls_first = true;
  const SmtpTestServer server(options);
  Begin({Subscriber(server, "ca_file: \"" + dir_.path() + "/cert.pem\"")});
  Log();
  Run();
  ASSERT_THAT(server.mails(), SizeIs(1));
  EXPECT_TRUE(server.mails()[0].tls);
}

TEST_F(MailTest, WithoutTlsOrWithAStrangersCertificateNothingIsSent) {
  if (!MakeCertificate()) GTEST_SKIP() << "needs the openssl command";
  const SmtpTestServer plain;
  const SmtpTestServer strange(WithTls());
  v1::SubscriberConfig second = Subscriber(strange, "");
  second.set_name("second");
  Begin({Subscriber(plain, ""), second});
  Log();
  Minutes(2);
  EXPECT_GT(plain.sessions(), 0);
  EXPECT_GT(strange.sessions(), 0);
  EXPECT_THAT(plain.mails(), IsEmpty());
  EXPECT_THAT(strange.mails(), IsEmpty());
  const std::string metrics = Metrics();
  EXPECT_THAT(metrics, HasSubstr("outcome=\"tls\",subscriber=\"desk\""));
  EXPECT_THAT(metrics, HasSubstr("outcome=\"tls\",subscriber=\"second\""));
}

TEST_F(MailTest, ASilentServerCostsItsTimeoutAndRefusalsAreCounted) {
  SmtpTestServer server;
  server.BeSilent(true);
  Begin({Subscriber(server, R"(tls: "none")", "timeout_s: 1")});
  Log();
  Run();
  EXPECT_THAT(Metrics(), HasSubstr("outcome=\"timeout\",subscriber=\"desk\"} 1"));
  server.BeSilent(false);
  server.AnswerData(554);
  Minutes(1);
  EXPECT_THAT(Metrics(), HasSubstr("outcome=\"smtp_5xx\",subscriber=\"desk\""));
  EXPECT_THAT(server.mails(), IsEmpty());
}

}  // namespace
}  // namespace racewatch::store
