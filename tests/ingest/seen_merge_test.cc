// Rows of other processes taken into a seen-set: in any order, again and again, the same in the end.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "ingest/seen_set.h"

namespace racewatch::ingest {
namespace {

class SeenMergeTest : public testing::Test {
 protected:
  SeenMergeTest() : a_(Make("a")), b_(Make("b")) {}
  ~SeenMergeTest() override {
    a_.reset();
    b_.reset();
    for (const std::string& folder : folders_) std::filesystem::remove_all(folder);
  }
  std::unique_ptr<SeenSet> Make(const std::string& name) {
    const std::string folder = (std::filesystem::temp_directory_path() / ("racewatch-merge-" + std::to_string(getpid()) + name)).string();
    std::filesystem::remove_all(folder);
    folders_.push_back(folder);
    auto seen = SeenSet::Open(folder, 90);
    EXPECT_TRUE(seen.ok());
    return std::move(*seen);
  }
  static ArticleId Id(const std::string& text) { return UrlKey(text); }
  static SeenMark Mark(const std::string& id, v1::BodyQuality quality, int64_t revision_at, int32_t day) {
    SeenMark mark{Id(id), {}};
    mark.article.set_body_quality(quality);
    mark.article.set_revision_at_ms(revision_at);
    mark.article.set_last_seen_day(day);
    mark.article.set_first_fetched_ms(revision_at);
    return mark;
  }
  static v1::FeedState State(const std::string& id, uint64_t version, const std::string& etag) {
    v1::FeedState state;
    state.set_feed_id(id);
    state.set_version(version);
    state.set_etag(etag);
    return state;
  }
  SeenMerge Merge(SeenSet& seen, const std::vector<SeenRow>& rows) {
    auto merge = seen.Merge(rows, {}, 20'000);
    EXPECT_TRUE(merge.ok());
    return std::move(*merge);
  }
  std::string Etag(SeenSet& seen) {
    const auto feeds = seen.Feeds();
    return feeds.ok() && feeds->size() == 1 ? feeds->front().etag() : "";
  }

  std::vector<std::string> folders_;
  std::unique_ptr<SeenSet> a_, b_;
};

TEST_F(SeenMergeTest, WhatOneCommitsTheOtherKnows) {
  const v1::FeedState state = State("f", 1, "\"1\"");
  SeenUpdate update;
  update.marks = {Mark("one", v1::BODY_QUALITY_SUMMARY, 100, 20'000)};
  update.aliases = {{Id("guid"), Id("one")}};
  update.feed = &state;
  ASSERT_TRUE(a_->Commit(update, 20'000).ok());
  const SeenMerge merge = Merge(*b_, SeenSet::RowsOf(update, 20'000));
  EXPECT_EQ(merge.taken, 3u);
  ASSERT_EQ(merge.feeds.size(), 1u);
  EXPECT_EQ(**b_->FindAlias(Id("guid")), Id("one"));
  EXPECT_EQ((*b_->Find(Id("one")))->revision_at_ms(), 100);
  EXPECT_EQ(Etag(*b_), "\"1\"");
  EXPECT_EQ(Merge(*a_, SeenSet::RowsOf(update, 20'000)).known, 3u);  // its own rows, read back
}

TEST_F(SeenMergeTest, TheOrderDoesNotMatter) {
  std::vector<SeenRow> rows;
  for (const auto& [quality, at, day] : {std::tuple{v1::BODY_QUALITY_SUMMARY, 300, 20'000}, std::tuple{v1::BODY_QUALITY_FULL, 100, 19'990},
                                         std::tuple{v1::BODY_QUALITY_FULL, 200, 19'980}}) {
    SeenUpdate update;
    update.marks = {Mark("one", quality, at, day)};
    for (SeenRow& row : SeenSet::RowsOf(update, 20'000)) rows.push_back(std::move(row));
  }
  for (uint64_t version : {2, 3, 1}) {
    const v1::FeedState state = State("f", version, "\"" + std::to_string(version) + "\"");
    SeenUpdate update;
    update.feed = &state;
    for (SeenRow& row : SeenSet::RowsOf(update, 20'000)) rows.push_back(std::move(row));
  }
  for (int round = 0; round < 20; ++round) {
    const auto seen = Make("order" + std::to_string(round));
    Merge(*seen, rows);
    Merge(*seen, rows);
    const auto mark = seen->Find(Id("one"));
    EXPECT_EQ((*mark)->body_quality(), v1::BODY_QUALITY_FULL);
    EXPECT_EQ((*mark)->revision_at_ms(), 200);
    EXPECT_EQ((*mark)->last_seen_day(), 20'000);
    EXPECT_EQ((*mark)->first_fetched_ms(), 100);
    EXPECT_EQ(Etag(*seen), "\"3\"");
    std::next_permutation(rows.begin(), rows.end(), [](const SeenRow& x, const SeenRow& y) { return x.value < y.value; });
  }
}

TEST_F(SeenMergeTest, AnAliasKeepsItsFirstMeaning) {
  SeenUpdate first, second;
  first.aliases = {{Id("guid"), Id("one")}};
  second.aliases = {{Id("guid"), Id("two")}};
  Merge(*a_, SeenSet::RowsOf(first, 19'000));
  Merge(*a_, SeenSet::RowsOf(second, 20'000));
  EXPECT_EQ(**a_->FindAlias(Id("guid")), Id("one"));
}

TEST_F(SeenMergeTest, UnreadableRowsAreCountedAndPassedOver) {
  const std::vector<SeenRow> rows = {{"", ""},          {"x", "?"},     {"a", "short"}, {std::string(17, 'a'), "short"},
                                     {"s", ""},         {"fother", "\xff\xff"}, {"p", "positions are ours alone"}, {"lurl", "\xff"}};
  const SeenMerge merge = Merge(*a_, rows);
  EXPECT_EQ(merge.bad, rows.size());
  EXPECT_EQ(merge.taken, 0u);
}

TEST_F(SeenMergeTest, PositionsAreKept) {
  v1::SharedPositions positions;
  positions.set_cluster_id("c");
  (*positions.mutable_next())[3] = 42;
  ASSERT_TRUE(a_->Merge({}, positions, 20'000).ok());
  EXPECT_EQ(a_->Positions()->next().at(3), 42);
  EXPECT_EQ(a_->Positions()->cluster_id(), "c");
}

}  // namespace
}  // namespace racewatch::ingest
