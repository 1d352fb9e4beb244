// What subscribers can rely on beyond single alerts: the topic alone holds what is open, other rules take over without a
// restart, and a rule can be tried on history before it goes live.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "racewatch/v1/alert.pb.h"
#include "racewatch/v1/store_service.pb.h"
#include "store/rule_trial.h"
#include "tests/store/store_life.h"
#include "tests/store/temp_dir.h"

namespace racewatch::store {
namespace {

using nlohmann::json;

constexpr base::UnixMs kMinute = 60'000, kHour = 60 * kMinute;

v1::RuleConfig Threshold(const std::string& name, const std::string& theme, double open) {
  v1::RuleConfig rule;
  rule.set_name(name);
  rule.mutable_threshold()->set_window_s(3600);
  rule.mutable_threshold()->set_open(open);
  rule.mutable_series()->set_dimension("theme");
  rule.mutable_series()->set_theme(theme);
  return rule;
}

v1::StoreConfig ConfigOf(const std::vector<v1::RuleConfig>& rules) {
  v1::StoreConfig config;
  for (const auto& rule : rules) *config.add_rules() = rule;
  return config;
}

class AlertTopicTest : public testing::Test {
 protected:
  // `articles` in each ten minutes of the hour, then the hour is over and settled.
  void Hour(StoreLife& life, int articles) {
    for (int slot = 0; slot < 6; ++slot) PublishMinute(bus_, clock_.NowMs() + slot * 10 * kMinute, articles, &number_);
    clock_.Advance(kHour);
    ASSERT_TRUE(life.Settle()) << life.status.ToString();
  }
  std::set<std::string> Open(StoreLife& life) {
    const Query query(*life.engine, clock_);
    v1::ListAlertsRequest request;
    request.set_open_only(true);
    v1::ListAlertsResponse response;
    EXPECT_TRUE(query.ListAlerts(request, &response).ok());
    std::set<std::string> ids;
    for (const v1::Alert& alert : response.alerts()) ids.insert(alert.id() + "/" + std::to_string(alert.sequence()));
    return ids;
  }
  std::vector<json> Topic() {
    std::vector<json> out;
    for (const auto& record : bus_.Records(std::string(base::kAlertsTopic))) out.push_back(json::parse(record.value));
    return out;
  }

  TempDir dir_;
  fakes::ManualClock clock_{kTestNow};
  fakes::FakeLog bus_{2, &clock_};
  uint64_t number_ = 0;
};

TEST_F(AlertTopicTest, ALateSubscriberRebuildsWhatIsOpenFromTheTopicAlone) {
  StoreLife life(bus_, clock_, dir_.path(), ConfigOf({Threshold("steady", "chips_compute", 8), Threshold("short", "chips_compute", 40)}));
  for (int hour = 0; hour < 60; ++hour) Hour(life, hour == 5 || hour == 6 ? 9 : 3);
  // All it can see is the last day or so, and of each key the last record.
  std::map<std::string, json> last;
  size_t seen = 0;
  for (const auto& record : bus_.Records(std::string(base::kAlertsTopic))) {
    if (record.timestamp_ms < clock_.NowMs() - 26 * kHour) continue;
    last[record.key] = json::parse(record.value);
    ++seen;
  }
  std::set<std::string> rebuilt;
  for (const auto& [key, alert] : last)
    if (alert["state"] != "close") rebuilt.insert(alert["id"].get<std::string>() + "/" + std::to_string(alert["sequence"].get<int>()));
  EXPECT_EQ(rebuilt.size(), 1u);
  EXPECT_EQ(rebuilt, Open(life));
  EXPECT_EQ(last.begin()->second["state"], "update") << "sent again though nothing had changed";
  EXPECT_GE(seen, 1u);
  int closed = 0;
  for (const json& alert : Topic()) closed += alert["rule"] == "short" && alert["state"] == "close";
  EXPECT_EQ(closed, 1) << "the other alert came and went before";
}

TEST_F(AlertTopicTest, OtherRulesTakeOverWithoutARestartAndCloseWhatNobodyWatches) {
  StoreLife life(bus_, clock_, dir_.path(), ConfigOf({Threshold("old", "chips_compute", 8)}));
  for (int hour = 0; hour < 3; ++hour) Hour(life, 3);
  ASSERT_EQ(Open(life).size(), 1u);
  life.loop->Reload(WithDefaults(ConfigOf({Threshold("new", "chips_compute", 10)})));
  Hour(life, 3);
  std::vector<std::string> states;
  for (const json& alert : Topic())
    if (alert["state"] != "update") states.push_back(alert["rule"].get<std::string>() + " " + alert["state"].get<std::string>());
  std::sort(states.begin(), states.end());
  EXPECT_EQ(states, (std::vector<std::string>{"new open", "old close", "old open"}));
}

TEST_F(AlertTopicTest, ATrialOfARuleOverHistoryGivesWhatItWouldHaveSentAndSendsNothing) {
  const v1::RuleConfig rule = Threshold("trial", "chips_compute", 40);
  std::vector<std::string> live, tried;
  {
    StoreLife life(bus_, clock_, dir_.path(), ConfigOf({rule}));
    for (int hour = 0; hour < 12; ++hour) Hour(life, hour == 5 ? 9 : 2);
    const auto alerts = TryRule(*life.engine->Snapshot(), rule, kTestNow, clock_.NowMs());
    ASSERT_TRUE(alerts.ok()) << alerts.status().ToString();
    for (const v1::Alert& alert : *alerts) tried.push_back(alert.id() + "/" + std::to_string(alert.sequence()));
    for (const json& alert : Topic()) live.push_back(alert["id"].get<std::string>() + "/" + std::to_string(alert["sequence"].get<int>()));
  }
  EXPECT_EQ(live.size(), 2u);
  EXPECT_EQ(tried, live);
}

TEST_F(AlertTopicTest, ATrialExplainsWhatItCannotDo) {
  StoreLife life(bus_, clock_, dir_.path(), ConfigOf({}));
  const auto ask = [&](const std::string& body) {
    base::HttpRequest request;
    request.body = body;
    const base::HttpResponse response = AnswerTrial(life.engine.get(), request, clock_.NowMs());
    return std::to_string(response.status) + " " + response.body;
  };
  const std::string rule = R"(name: \"a\" threshold { window_s: 3600 open: 5 } series { dimension: \"theme\" })";
  EXPECT_EQ(ask("{\"rule\":\"" + rule + "\"}").substr(0, 3), "200");
  EXPECT_NE(ask("[]").find("rule: missing"), std::string::npos);
  EXPECT_NE(ask("{\"rule\":\"nonsense {\"}").find("no rule in text format"), std::string::npos);
  EXPECT_NE(ask(R"({"rule":"name: \"a\""})").find("has no kind"), std::string::npos);
  EXPECT_NE(ask("{\"rule\":\"" + rule + "\",\"from\":\"2020-01-01T00:00:00Z\"}").find("31 days"), std::string::npos);
  EXPECT_NE(ask("{\"rule\":\"" + rule + "\",\"from\":\"soon\"}").find("RFC 3339"), std::string::npos);
}

}  // namespace
}  // namespace racewatch::store
