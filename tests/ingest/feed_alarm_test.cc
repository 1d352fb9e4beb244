// A feed that falls silent, and pages that stop to give texts, through the whole role.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ingest/dates.h"
#include "tests/ingest/role_fixture.h"

namespace racewatch::ingest {
namespace {

using fakes::Body;
using fakes::TestRequest;
using testing::HasSubstr;

constexpr int64_t kMinute = 60'000;
constexpr int64_t kHour = 60 * kMinute;

class FeedAlarm : public RoleTest {
 protected:
  // A feed that lists the last 15 full hours before now, or before `stopped_ms_`.
  void ServeHourly() {
    server_.Serve("/feed", [this](const TestRequest& request) {
      const int64_t now = stopped_ms_ > 0 ? std::min<int64_t>(stopped_ms_, clock_.NowMs()) : clock_.NowMs();
      const int64_t newest = now / kHour;
      const std::string etag = "\"" + std::to_string(newest) + "\"";
      fakes::TestReply reply{200, {{"ETag", etag}, {"Content-Type", "application/xml"}}, "", {}};
      if (request.Header("if-none-match") == etag) {
        reply.status = 304;
        return reply;
      }
      reply.body = "<rss version=\"2.0\"><channel><title>Hourly</title>";
      for (int64_t hour = newest; hour > newest - 15; --hour) {
        const std::string n = std::to_string(hour);
        reply.body += "<item><title>Hour " + n + "</title><link>https://a.example/" + n + "</link><pubDate>" + Rfc3339(hour * kHour) +
                      "</pubDate></item>";
      }
      reply.body += "</channel></rss>";
      return reply;
    });
    AddFeed(server_.Url("/feed"));
  }
  std::string State() { return FeedField(server_.Url("/feed"), "state"); }

  std::atomic<int64_t> stopped_ms_{0};
};

TEST_F(FeedAlarm, AnHourlyFeedIsCalledSilentWithinTwoExpectedIntervals) {
  ServeHourly();
  Start();
  Settle();
  for (int minute = 0; minute < 24 * 60; ++minute) {
    Advance(kMinute);
    ASSERT_EQ(Metric("racewatch_ingest_alarms_total", {{"alarm", "silent"}}), 0) << minute;
  }
  const double expected_s = std::stod(FeedField(server_.Url("/feed"), "expected_interval_s"));
  EXPECT_LE(expected_s, 3700);
  stopped_ms_ = clock_.NowMs();
  int minutes = 0;
  while (State() != "silent" && minutes < 24 * 60) {
    Advance(kMinute);
    ++minutes;
  }
  EXPECT_LE(minutes * 60, 2 * expected_s + 660);  // and what the least interval adds
  EXPECT_EQ(Metric("racewatch_ingest_alarms_total", {{"alarm", "silent"}}), 1);
  EXPECT_THAT(FeedField(server_.Url("/feed"), "alarms"), HasSubstr("silent"));
  EXPECT_THAT(FeedField(server_.Url("/feed"), "detail"), HasSubstr("nothing new for"));
  stopped_ms_ = 0;
  for (int hour = 0; hour < 3; ++hour) Advance(kHour);
  EXPECT_EQ(State(), "ok");
}

TEST_F(FeedAlarm, PagesThatStopToGiveTextsRaiseAnAlarm) {
  config_.set_fetch_pages(true);
  const std::string sentence = "The ministry said on Monday that the new rules would take effect next year and apply to all exporters of chips. ";
  std::string page = "<html><head><title>T</title></head><body><article>";
  for (int i = 0; i < 12; ++i) page += "<p>" + sentence + sentence + "</p>";
  page += "</article></body></html>";
  int n = 0;
  const auto next = [&](const std::string& body) {
    std::vector<Item> items;
    for (int i = 0; i < 5; ++i) {
      const std::string path = "/page" + std::to_string(++n);
      server_.Serve(path, Body(body, "text/html"));
      items.push_back({"Item " + std::to_string(n), server_.Url(path), "a summary"});
    }
    server_.Serve("/feed", Body(Rss(items)));
    Advance(kHour);
  };
  server_.Serve("/feed", Body(Rss({{"First", server_.Url("/missing"), "a summary"}})));
  AddFeed(server_.Url("/feed"), 3600);
  Start();
  Settle();
  for (int i = 0; i < 10; ++i) next(page);
  EXPECT_EQ(Metric("racewatch_ingest_alarms_total", {{"alarm", "low_yield"}}), 0);
  EXPECT_GT(std::stod(FeedField(server_.Url("/feed"), "page_yield")), 0.9);
  for (int i = 0; i < 4; ++i) next("<html><body><div id=\"app\"></div><script src=\"/app.js\"></script></body></html>");
  EXPECT_EQ(Metric("racewatch_ingest_alarms_total", {{"alarm", "low_yield"}}), 1);
  EXPECT_THAT(FeedField(server_.Url("/feed"), "alarms"), HasSubstr("low_yield"));
}

}  // namespace
}  // namespace racewatch::ingest
