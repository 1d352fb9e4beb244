#include "base/bus/bus_metrics.h"

#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include <map>
#include <string>

#include "tests/base/bus_conformance.h"
#include "tests/fakes/fake_bus.h"
#include "tests/fakes/manual_clock.h"

namespace racewatch::base {
namespace {

// Every series of a family as `label,label → value`.
std::map<std::string, double> Series(const prometheus::Registry& registry,
                                     const std::string& name) {
  std::map<std::string, double> series;
  for (const auto& family : registry.Collect()) {
    if (family.name != name) continue;
    for (const auto& metric : family.metric) {
      std::string labels;
      for (const auto& label : metric.label)
        labels += (labels.empty() ? "" : ",") + label.name + "=" + label.value;
      series[labels] = metric.gauge.value;
    }
  }
  return series;
}

class BusMetricsTest : public ::testing::Test {
 protected:
  BusMetricsTest() { log_.CreateTopic("t", 2); }
  prometheus::Registry registry_;
  fakes::ManualClock clock_;
  fakes::FakeLog log_{2, &clock_};
};

TEST_F(BusMetricsTest, ShowsHowFarAGroupIsBehind) {
  for (int i = 0; i < 5; ++i) log_.Append(MakeRecord("t", "k", "v", 0));
  fakes::FakeSource source(log_, {{"t"}, "g", nullptr});
  SourceMetrics metrics(registry_, "g");
  const auto records = source.Poll({2, 1u << 20}, milliseconds(0)).value();
  clock_.Advance(3000);
  metrics.Observe(source, records, clock_.NowMs());
  const std::map<std::string, double> behind{{"group=g,partition=0,topic=t", 3},
                                             {"group=g,partition=1,topic=t", 0}};
  EXPECT_EQ(Series(registry_, "racewatch_lag_messages"), behind);
  EXPECT_EQ(Series(registry_, "racewatch_lag_seconds")["group=g,topic=t"], 3);
  metrics.Observe(source, source.Poll({}, milliseconds(0)).value(), clock_.NowMs());
  EXPECT_EQ(Series(registry_, "racewatch_lag_messages")["group=g,partition=0,topic=t"], 0);
  EXPECT_EQ(Series(registry_, "racewatch_lag_seconds")["group=g,topic=t"], 0);
}

TEST_F(BusMetricsTest, AnUnknownLagAndALostPartitionAreAbsent) {
  fakes::FakeSource source(log_, {{"t"}, "g", nullptr});
  SourceMetrics metrics(registry_, "g");
  metrics.Observe(source, source.Poll({}, milliseconds(0)).value(), clock_.NowMs());
  EXPECT_EQ(Series(registry_, "racewatch_lag_messages").size(), 2u);
  log_.SetUnavailable(true);
  metrics.Observe(source, {}, clock_.NowMs());
  EXPECT_TRUE(Series(registry_, "racewatch_lag_messages").empty());
  log_.SetUnavailable(false);
  source.TakeAway({{"t", 0}}, false);
  metrics.Observe(source, source.Poll({}, milliseconds(0)).value(), clock_.NowMs());
  EXPECT_EQ(Series(registry_, "racewatch_lag_messages").size(), 1u);
}

TEST_F(BusMetricsTest, CountsGaps) {
  fakes::FakeSource source(log_, {{"t"}, "g", nullptr});
  SourceMetrics metrics(registry_, "g");
  log_.Append(MakeRecord("t", "k", "v", 0));
  (void)source.Poll({}, milliseconds(0));
  log_.Replace("other");
  metrics.Observe(source, source.Poll({}, milliseconds(0)).value(), clock_.NowMs());
  EXPECT_EQ(Series(registry_, "racewatch_gaps")["group=g"], 1);
}

TEST_F(BusMetricsTest, ShowsTheBytesOfASink) {
  fakes::FakeSink sink(log_);
  SinkMetrics metrics(registry_, "ingest");
  sink.Cork();
  ASSERT_TRUE(sink.Send(MakeRecord("t", "k", "v"), nullptr).ok());
  metrics.Observe(sink);
  EXPECT_EQ(Series(registry_, "racewatch_sink_queue_bytes")["stage=ingest"],
            static_cast<double>(sink.queued_bytes()));
  EXPECT_GT(sink.queued_bytes(), 0u);
}

}  // namespace
}  // namespace racewatch::base
