// A day of news from a made-up web (feed_world.h) on a clock that jumps from one due moment to the next: how much of what
// we ask servers is of use, whether any host is asked faster than its limit, and whether an item is lost. 1,000 feeds, or
// 10,000 with RACEWATCH_FULL=1 (deploy/test --full). The day is measured after twelve hours, when every feed is known and
// its daily fetch without validators falls into it.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <unordered_set>

#include "tests/ingest/feed_world.h"
#include "tests/ingest/role_fixture.h"

namespace racewatch::ingest {
namespace {

constexpr int64_t kHour = 3'600'000;
constexpr int64_t kHostSpacingMs = 1000;

// Delivers at once and remembers titles only.
class TitleSink final : public base::Sink {
 public:
  base::Status Send(base::Record record, base::DeliveryCallback on_delivery) override {
    if (record.topic == base::kArticlesTopic) {
      v1::Article article;
      article.ParseFromString(record.value);
      const std::lock_guard lock(mutex_);
      ++records_;
      titles_.insert(article.title());
    }
    on_delivery({base::Status::Ok(), {{record.topic, 0}, 0}});
    return {};
  }
  base::Status Flush(std::chrono::milliseconds) override { return {}; }
  size_t queued_bytes() const override { return 0; }
  base::Status Close(std::chrono::milliseconds) override { return {}; }

  bool Has(const std::string& title) const { return titles_.contains(title); }  // after the role has stopped
  size_t records() const { return records_; }
  size_t distinct() const { return titles_.size(); }

 private:
  std::mutex mutex_;
  size_t records_ = 0;
  std::unordered_set<std::string> titles_;
};

class SimulatedDay : public RoleTest {
 protected:
  // Ten thousand feeds that are due at once take their time on a busy machine.
  static bool AwaitIdle(IngestRole& role) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(20);
    while (!role.Idle()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(std::chrono::microseconds(20));  // the cores are for the role and the server
    }
    return true;
  }

  // From one due moment to the next, until `end_ms`.
  void RunUntil(IngestRole& role, base::UnixMs end_ms) {
    while (true) {
      ASSERT_TRUE(AwaitIdle(role)) << "nothing happens any more";
      const base::UnixMs next = std::max(role.next_due_ms(), clock_.NowMs() + 1);
      if (next >= end_ms) break;
      clock_.Set(next);
      role.Wake();
    }
    clock_.Set(end_ms);
  }
};

double CpuSeconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

void Print(const WorldTally& tally, double useful) {
  std::printf("requests %llu: 304 %llu, with news %llu, same document again %llu", static_cast<unsigned long long>(tally.requests),
              static_cast<unsigned long long>(tally.not_modified), static_cast<unsigned long long>(tally.with_news),
              static_cast<unsigned long long>(tally.same_again));
  for (const auto& [status, count] : tally.other) std::printf(", %d %llu", status, static_cast<unsigned long long>(count));
  std::printf("\nneither 304 nor news, by habit of the server:");
  for (const auto& [habit, count] : tally.useless) std::printf(" %s %llu;", HabitName(habit).c_str(), static_cast<unsigned long long>(count));
  std::printf("\nof use: %.2f %% of requests; closest two requests to one host: %lld ms (%s)\n", 100 * useful,
              static_cast<long long>(tally.closest_ms), tally.closest_host.c_str());
}

TEST_F(SimulatedDay, AsksOnlyWhatIsOfUseNoHostTooFastAndLosesNothing) {
  const char* full = std::getenv("RACEWATCH_FULL");
  const size_t count = full != nullptr && *full == '1' ? 10'000 : 1'000;
  const base::UnixMs start = clock_.NowMs();
  const base::UnixMs end = start + 36 * kHour;
  FeedWorld world(count, start, end, clock_);
  config_.set_connect_to(world.address());
  config_.set_host_spacing_ms(kHostSpacingMs);
  for (const WorldFeed& feed : world.feeds()) AddFeed(feed.url());
  TitleSink sink;
  prometheus::Registry registry;
  base::HttpServer http({"127.0.0.1:0"});
  IngestRole role(config_, sink, clock_, registry, test_log_, http, state_dir_);
  ASSERT_TRUE(role.Start().ok());

  ASSERT_NO_FATAL_FAILURE(RunUntil(role, start + 12 * kHour));
  world.ResetTally();
  const double cpu = CpuSeconds();
  ASSERT_NO_FATAL_FAILURE(RunUntil(role, end));
  const WorldTally day = world.tally();
  const double day_cpu = CpuSeconds() - cpu;
  ASSERT_NO_FATAL_FAILURE(RunUntil(role, end + 27 * kHour));  // nothing new comes; whoever is asked once a day is asked once more
  ASSERT_TRUE(role.Stop(std::chrono::seconds(30)).ok());

  size_t published = 0, lost = 0;
  for (size_t i = 0; i < count; ++i) {
    const WorldFeed& feed = world.feeds()[i];
    if (!feed.readable()) continue;
    // What had left the list before the feed's first answer nobody could have had.
    for (size_t item = world.OldestShown(i); item < feed.items.size(); ++item) {
      ++published;
      if (sink.Has(FeedWorld::Title(i, item))) continue;
      if (++lost <= 50)
        std::printf("lost: %s of %zu of a feed that is %s and lists %zu, published %.1f h before the end\n", FeedWorld::Title(i, item).c_str(),
                    feed.items.size(), HabitName(feed.habit).c_str(), feed.listed, static_cast<double>(end - feed.items[item]) / kHour);
    }
  }
  const double useful = static_cast<double>(day.not_modified + day.with_news) / static_cast<double>(day.requests);
  std::printf("%zu feeds, one day, %.1f CPU seconds for both sides\n", count, day_cpu);
  Print(day, useful);
  std::printf("items published %zu, lost %zu, sent twice %zu\n", published, lost, sink.records() - sink.distinct());
  EXPECT_GE(useful, 0.90);
  EXPECT_GE(day.closest_ms, kHostSpacingMs);
  EXPECT_EQ(lost, 0u);
  EXPECT_EQ(sink.records(), sink.distinct());
}

}  // namespace
}  // namespace racewatch::ingest
