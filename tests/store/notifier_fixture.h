// A notifier over a fake engine on a manual clock, with an alert log that the test fills.
#pragma once

#include <gtest/gtest.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "racewatch/v1/alert.pb.h"
#include "racewatch/v1/config.pb.h"
#include "store/article_row.h"
#include "store/notify/notifier.h"
#include "tests/fakes/manual_clock.h"
#include "tests/store/fake_engine.h"
#include "tests/store/temp_dir.h"

namespace racewatch::store {

class NotifierFixture : public testing::Test {
 protected:
  NotifierFixture() { leader_ = engine_.TakeClaim("", {"leader", 0}).value(); }

  // A life of the notifier.
  void Begin(const std::vector<v1::SubscriberConfig>& subscribers, const std::vector<v1::SilenceConfig>& silences = {}) {
    notifier_ = std::make_unique<Notifier>(engine_, clock_, registry_, log_);
    notifier_->Configure(subscribers, silences);
    ASSERT_TRUE(notifier_->Restore().ok());
    Run();
  }
  // Until nothing is due at this moment.
  void Run() {
    for (int calm = 0; calm < 2;) {
      const base::Status status = notifier_->Run(leader_, std::chrono::milliseconds(50));
      ASSERT_TRUE(status.ok()) << status.ToString();
      calm = notifier_->busy() ? 0 : calm + 1;
    }
  }
  // An alert of now that opens.
  v1::Alert MakeAlert(const std::string& rule = "chips", double score = 5, const std::string& theme = "chips_compute") {
    v1::Alert alert;
    alert.set_id("alert" + std::to_string(number_ + 1));
    alert.set_sequence(1);
    alert.set_rule(rule);
    alert.set_key("theme=" + theme);
    alert.set_state(v1::ALERT_STATE_OPEN);
    alert.mutable_series()->set_theme(theme);
    alert.set_score(score);
    alert.set_publishers(3);
    alert.mutable_at()->set_seconds(clock_.NowMs() / 1000);
    return alert;
  }
  // Its ce_id.
  std::string Log(const v1::Alert& alert) {
    Batch batch;
    batch.Put(Table::kAlertLog, SequenceKey(++number_), alert.SerializeAsString());
    EXPECT_TRUE(engine_.Commit(batch).ok());
    return alert.id() + "/" + std::to_string(alert.sequence());
  }
  std::string Log(const std::string& rule = "chips", double score = 5, const std::string& theme = "chips_compute") {
    return Log(MakeAlert(rule, score, theme));
  }
  std::string Metrics() { return prometheus::TextSerializer().Serialize(registry_.Collect()); }

  TempDir dir_;
  fakes::ManualClock clock_;
  FakeEngine engine_;
  Claim leader_;
  prometheus::Registry registry_;
  base::Log log_{{.level = base::LogLevel::kError}};
  std::unique_ptr<Notifier> notifier_;
  uint64_t number_ = 0;
};

}  // namespace racewatch::store
