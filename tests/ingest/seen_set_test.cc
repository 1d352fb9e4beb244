#include "ingest/seen_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rocksdb/perf_context.h>
#include <rocksdb/perf_level.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

namespace racewatch::ingest {
namespace {

constexpr int32_t kToday = 20'458;

class SeenSetTest : public testing::Test {
 protected:
  SeenSetTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "racewatch-seen-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  ~SeenSetTest() override {
    seen_.reset();
    std::filesystem::remove_all(folder_);
  }
  SeenSet& Open() {
    seen_.reset();
    auto seen = SeenSet::Open(folder_, 90);
    EXPECT_TRUE(seen.ok()) << seen.status().ToString();
    seen_ = std::move(seen).value();
    return *seen_;
  }
  static SeenUpdate Update(const ArticleId& id, int32_t day) {
    SeenUpdate update;
    SeenMark mark;
    mark.id = id;
    mark.article.set_content_hash(7);
    mark.article.set_last_seen_day(day);
    update.marks.push_back(mark);
    update.aliases.emplace_back(GuidKey("feed", "1"), id);
    return update;
  }

  std::string folder_;
  std::unique_ptr<SeenSet> seen_;
};

TEST_F(SeenSetTest, RemembersArticlesAliasesAndFeeds) {
  const ArticleId id = UrlKey("a.example/1");
  SeenUpdate update = Update(id, kToday);
  v1::FeedState feed;
  feed.set_feed_id("https://a.example/feed");
  feed.set_etag(std::string("\"\x80 odd\"", 7));
  update.feed = &feed;
  ASSERT_TRUE(Open().Commit(update, kToday).ok());
  SeenSet& again = Open();
  EXPECT_EQ(again.Find(id).value()->content_hash(), 7u);
  EXPECT_EQ(again.FindAlias(GuidKey("feed", "1")).value(), id);
  EXPECT_EQ(again.FindAlias(GuidKey("feed", "2")).value(), std::nullopt);
  EXPECT_EQ(again.Find(UrlKey("a.example/2")).value(), std::nullopt);
  ASSERT_EQ(again.Feeds().value().size(), 1u);
  EXPECT_EQ(again.Feeds().value()[0].etag(), feed.etag());
}

TEST_F(SeenSetTest, ForgetsWhatNoFeedHasShownForNinetyDaysButNoFeed) {
  SeenSet& seen = Open();
  const ArticleId old_id = UrlKey("a.example/old");
  const ArticleId new_id = UrlKey("a.example/new");
  v1::FeedState feed;
  feed.set_feed_id("f");
  SeenUpdate update = Update(old_id, kToday - 91);
  update.feed = &feed;
  ASSERT_TRUE(seen.Commit(update, kToday - 91).ok());
  ASSERT_TRUE(seen.Commit(Update(new_id, kToday - 90), kToday).ok());
  ASSERT_TRUE(seen.Compact().ok());
  EXPECT_EQ(seen.Find(old_id).value(), std::nullopt);
  EXPECT_NE(seen.Find(new_id).value(), std::nullopt);
  EXPECT_EQ(seen.FindAlias(GuidKey("feed", "1")).value(), new_id);
  EXPECT_EQ(seen.Feeds().value().size(), 1u);
}

TEST_F(SeenSetTest, OneProcessAtATime) {
  Open();
  const auto second = SeenSet::Open(folder_, 90);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), base::Code::kPermissionDenied);
  EXPECT_THAT(second.status().message(), testing::HasSubstr("in use by another process"));
}

TEST_F(SeenSetTest, AFolderThatCannotBeMadeIsAnError) {
  EXPECT_EQ(SeenSet::Open("/proc/nothing/here", 90).status().code(), base::Code::kPermissionDenied);
}

// A million names of articles: what is looked up and not found must not cost a large read each time.
TEST_F(SeenSetTest, LookUpsStayCheapWhenTheSetIsLarge) {
  SeenSet& seen = Open();
  const auto key = [](int i) { return UrlKey("a.example/" + std::to_string(i)); };
  for (int i = 0; i < 1'000'000;) {
    SeenUpdate update;
    for (const int end = i + 10'000; i < end; ++i) update.aliases.emplace_back(key(i), key(i % 1000));
    ASSERT_TRUE(seen.Commit(update, kToday).ok());
  }
  constexpr int kLookUps = 4000;
  rocksdb::SetPerfLevel(rocksdb::PerfLevel::kEnableCount);
  const uint64_t before = rocksdb::get_perf_context()->block_read_byte;
  for (int i = 0; i < kLookUps; ++i) ASSERT_EQ(seen.FindAlias(key(2'000'000 + i)).value(), std::nullopt);
  const uint64_t read = rocksdb::get_perf_context()->block_read_byte - before;
  rocksdb::SetPerfLevel(rocksdb::PerfLevel::kDisable);
  EXPECT_LT(read / kLookUps, 32'000u);
}

TEST_F(SeenSetTest, SurvivesKill9AfterEveryCommit) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    auto seen = SeenSet::Open(folder_, 90);
    for (int i = 0; i < 100; ++i)
      if (!(*seen)->Commit(Update(UrlKey("a.example/" + std::to_string(i)), kToday), kToday).ok()) _exit(1);
    [[maybe_unused]] const ssize_t n = write(ready[1], "x", 1);
    pause();
    _exit(0);
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  close(ready[0]);
  close(ready[1]);
  SeenSet& seen = Open();
  for (int i = 0; i < 100; ++i) EXPECT_NE(seen.Find(UrlKey("a.example/" + std::to_string(i))).value(), std::nullopt) << i;
}

}  // namespace
}  // namespace racewatch::ingest
