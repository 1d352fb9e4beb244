#include "store/retention.h"

#include <gtest/gtest.h>

#include "store/applier.h"
#include "store/story_step.h"
#include "store/trends.h"
#include "tests/store/article_maker.h"
#include "tests/store/fake_engine.h"

namespace racewatch::store {
namespace {

const base::TopicPartition kWhere{"racewatch.tagged.v1", 0};

size_t Rows(const View& view, Table table) {
  size_t n = 0;
  EXPECT_TRUE(view.Scan(table, "", "", false, [&](auto, auto) { return ++n, true; }).ok());
  return n;
}

class RetentionTest : public testing::Test {
 protected:
  RetentionTest() {
    EXPECT_TRUE(applier_.Reload().ok());
    EXPECT_TRUE(stories_.Restore().ok());
    leader_ = engine_.TakeClaim("", {"leader", 0}).value();
    claim_ = engine_.TakeClaim("c", kWhere).value();
  }
  Applied Apply(const v1::TaggedArticle& article, base::UnixMs now) {
    Batch batch;
    auto applied = applier_.Apply({ToRecord(article)}, now, &batch);
    batch.Advance(claim_, ++offset_);
    EXPECT_TRUE(engine_.Commit(batch).ok());
    EXPECT_TRUE(stories_.Run(10, leader_).ok());
    return applied.value();
  }
  void RunAll() {
    for (;;) {
      const auto more = RunRetention(engine_, {}, leader_, 10);
      ASSERT_TRUE(more.ok()) << more.status().ToString();
      ASSERT_TRUE(applier_.Reload().ok());
      if (!*more) return;
    }
  }
  FakeEngine engine_;
  Applier applier_{engine_, {}};
  StoryStep stories_{engine_, 1000};
  Claim leader_, claim_;
  int64_t offset_ = 0;
};

TEST_F(RetentionTest, AFrozenDayLosesItsIdsAndHoursAndKeepsItsDays) {
  const base::UnixMs later = kTestNow + 100 * kMsPerDay;
  Apply(MakeArticle(1), kTestNow);
  RunAll();
  EXPECT_EQ(Rows(engine_, Table::kArticle), 1u) << "nothing is due yet";
  auto newer = MakeArticle(2, later - 3'600'000);
  newer.mutable_article()->set_text("Something else altogether happened in another place on that day.");
  newer.mutable_article()->set_title("Another matter");
  Apply(newer, later);
  RunAll();
  EXPECT_EQ(Rows(engine_, Table::kArticle), 1u);
  EXPECT_EQ(Rows(engine_, Table::kDetail), 1u);
  EXPECT_EQ(Rows(engine_, Table::kTime), 1u);
  EXPECT_EQ(Rows(engine_, Table::kUrl), 2u);
  EXPECT_EQ(Rows(engine_, Table::kStory), 1u);
  EXPECT_EQ(Rows(engine_, Table::kStoryMember), 1u);
  EXPECT_EQ(Rows(engine_, Table::kStoryLead), 1u) << "what a re-tag counts the story of the frozen day by";
  const auto event = kTestNow - 3'600'000;
  EXPECT_EQ(ReadRow(engine_, WindowKind::kHour, kAllSlice, static_cast<uint32_t>(event / kMsPerHour))->Get(kAnySeries, Measure::kArticles), 0u);
  EXPECT_EQ(ReadRow(engine_, WindowKind::kDay, kAllSlice, static_cast<uint32_t>(event / kMsPerDay))->Get(kAnySeries, Measure::kArticles), 1u);
  EXPECT_EQ(ReadRow(engine_, WindowKind::kAll, kAllSlice, 0)->Get(kAnySeries, Measure::kArticles), 2u);
}

TEST_F(RetentionTest, AReplayOfAFrozenArticleIsTooLateAndNotCountedAgain) {
  Apply(MakeArticle(1), kTestNow);
  const base::UnixMs later = kTestNow + 100 * kMsPerDay;
  Apply(MakeArticle(2, later - 3'600'000), later);
  RunAll();
  const Applied again = Apply(MakeArticle(1), later);
  EXPECT_EQ(again.stored, 0u);
  EXPECT_EQ(again.outcomes.at(Outcome::kTooLate), 1u);
  EXPECT_EQ(ReadRow(engine_, WindowKind::kAll, kAllSlice, 0)->Get(kAnySeries, Measure::kArticles), 2u);
}

}  // namespace
}  // namespace racewatch::store
