// Random samples of the articles behind a count: every one as likely as any other, and those that the count holds.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <iostream>
#include <map>
#include <set>

#include "racewatch/v1/store_service.pb.h"
#include "racewatch/v1/tagged_article.pb.h"
#include "store/applier.h"
#include "store/query.h"
#include "store/rocksdb_engine.h"
#include "tests/fakes/manual_clock.h"
#include "tests/store/article_maker.h"
#include "tests/store/fake_engine.h"
#include "tests/store/temp_dir.h"

namespace racewatch::store {
namespace {

void Apply(Engine& engine, const std::vector<v1::TaggedArticle>& articles) {
  Applier applier(engine, {});
  ASSERT_TRUE(applier.Reload().ok());
  std::vector<base::Record> records;
  for (const auto& article : articles) records.push_back(ToRecord(article));
  Batch batch;
  ASSERT_TRUE(applier.Apply(records, kTestNow, &batch).ok());
  ASSERT_TRUE(engine.Commit(batch).ok());
}

v1::SampleArticlesResponse Sample(const Query& query, const v1::ArticleFilter& filter, uint32_t size, uint64_t seed) {
  v1::SampleArticlesRequest request;
  *request.mutable_filter() = filter;
  request.set_size(size);
  request.set_seed(seed);
  v1::SampleArticlesResponse response;
  const base::Status status = query.SampleArticles(request, &response);
  EXPECT_TRUE(status.ok()) << status.ToString();
  return response;
}

std::vector<std::string> Ids(const v1::SampleArticlesResponse& response) {
  std::vector<std::string> ids;
  for (const auto& one : response.articles()) ids.push_back(one.article().id());
  return ids;
}

class SampleTest : public testing::Test {
 protected:
  fakes::ManualClock clock_{kTestNow};
  FakeEngine engine_;
  Query query_{engine_, clock_};
};

// Pearson's statistic against equal counts. Of samples without replacement the counts vary less than independent ones, by the
// part that is not drawn; divided by that it follows the chi-square distribution with one degree of freedom less than classes.
double ChiSquare(const std::map<std::string, int>& counts, size_t classes, double expected, double part_drawn) {
  double sum = 0;
  for (const auto& [id, n] : counts) sum += (n - expected) * (n - expected) / expected;
  sum += static_cast<double>(classes - counts.size()) * expected;
  return sum / (1 - part_drawn) * static_cast<double>(classes - 1) / static_cast<double>(classes);
}

// 40 articles match of 60; 4,000 samples of 5 with the seeds 1 to 4,000. The middle 99.9 % of the distribution with 39 degrees
// of freedom lie between 16.3 and 74.
TEST_F(SampleTest, EveryMatchingArticleIsAsLikelyAsAnyOther) {
  std::vector<v1::TaggedArticle> articles;
  for (uint64_t n = 0; n < 60; ++n) {
    articles.push_back(MakeArticle(n, kTestNow - static_cast<base::UnixMs>(n) * 1'000'000));
    if (n % 3 == 0) articles.back().mutable_tags()->mutable_lean()->set_label("china");
  }
  Apply(engine_, articles);
  constexpr int kSamples = 4000, kSize = 5, kMatching = 40;
  v1::ArticleFilter everything_at_once, by_time;
  everything_at_once.set_lean("us");
  by_time.set_lean("us");
  by_time.mutable_from()->set_seconds(kTestNow / 1000 - 7 * 86400);  // read by the hours of the events
  for (const v1::ArticleFilter& filter : {everything_at_once, by_time}) {
    std::map<std::string, int> drawn, first;
    for (uint64_t seed = 1; seed <= kSamples; ++seed) {
      const auto sample = Sample(query_, filter, kSize, seed);
      ASSERT_EQ(sample.matched(), static_cast<uint64_t>(kMatching));
      const auto ids = Ids(sample);
      ASSERT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), static_cast<size_t>(kSize)) << "no article twice";
      for (const std::string& id : ids) ++drawn[id];
      ++first[ids[0]];
    }
    const double of_drawn = ChiSquare(drawn, kMatching, double{kSamples} * kSize / kMatching, double{kSize} / kMatching);
    const double of_first = ChiSquare(first, kMatching, double{kSamples} / kMatching, 1.0 / kMatching);
    std::cout << "chi-square with 39 degrees of freedom: drawn " << of_drawn << ", drawn first " << of_first << "\n";
    EXPECT_EQ(drawn.size(), static_cast<size_t>(kMatching));
    EXPECT_GT(of_drawn, 16.3);
    EXPECT_LT(of_drawn, 74);
    EXPECT_GT(of_first, 16.3);
    EXPECT_LT(of_first, 74);
  }
}

TEST_F(SampleTest, OneSeedGivesOneSampleOverAnyEngineAndTheAnswerNamesIt) {
  const TempDir dir;
  const auto other = RocksDbEngine::Open({.path = dir.path() + "/store"}).value();
  const auto stream = RandomStream(7);
  Apply(engine_, stream);
  Apply(*other, {stream.rbegin(), stream.rend()});
  const Query other_query(*other, clock_);
  v1::ArticleFilter relevant;
  relevant.set_relevant_only(true);
  const auto ids = Ids(Sample(query_, relevant, 8, 42));
  ASSERT_EQ(ids.size(), 8u);
  EXPECT_EQ(Ids(Sample(query_, relevant, 8, 42)), ids);
  EXPECT_EQ(Ids(Sample(other_query, relevant, 8, 42)), ids);
  EXPECT_NE(Ids(Sample(query_, relevant, 8, 43)), ids);
  const auto unseeded = Sample(query_, relevant, 8, 0);
  EXPECT_NE(unseeded.seed(), 0u);
  EXPECT_EQ(Ids(Sample(query_, relevant, 8, unseeded.seed())), Ids(unseeded));
}

// The number that matched is the count itself, for every theme, position and lean, and articles without text are among them.
TEST_F(SampleTest, WhatMatchesIsWhatIsCounted) {
  auto stream = RandomStream(3);
  auto redacted = stream[0];
  redacted.mutable_article()->set_redacted(true);
  stream.push_back(redacted);
  Apply(engine_, stream);
  v1::GetTrendsRequest all;
  all.set_window(v1::WINDOW_ALL);
  v1::GetTrendsResponse trends;
  ASSERT_TRUE(query_.GetTrends(all, &trends).ok());
  uint64_t sum = 0;
  for (const v1::TrendSeries& series : trends.series()) {
    v1::ArticleFilter filter;
    filter.set_theme(series.key().theme());
    filter.set_target(series.key().target());
    filter.set_position(series.key().position());
    filter.set_lean(series.key().lean());
    EXPECT_EQ(Sample(query_, filter, 1, 1).matched(), series.points(0).articles()) << series.key().ShortDebugString();
    sum += series.points(0).articles();
  }
  EXPECT_GT(sum, 100u);
}

TEST_F(SampleTest, ASampleLargerThanWhatMatchesIsAllOfIt) {
  Apply(engine_, {MakeArticle(1), MakeArticle(2), MakeArticle(3)});
  v1::ArticleFilter words;
  words.set_text("number 2");
  EXPECT_EQ(Ids(Sample(query_, words, 20, 1)), std::vector<std::string>{TestId(2)});
  EXPECT_EQ(Sample(query_, {}, 0, 1).articles_size(), 3);
  v1::ArticleFilter nobody;
  nobody.set_publisher("absent.example");
  EXPECT_EQ(Sample(query_, nobody, 5, 1).matched(), 0u);
}

TEST_F(SampleTest, WhatItCannotDoIsExplained) {
  v1::SampleArticlesRequest request;
  v1::SampleArticlesResponse response;
  request.set_size(201);
  EXPECT_EQ(query_.SampleArticles(request, &response).message(), "size: at most 200");
  request.set_size(1);
  request.mutable_filter()->set_theme("weather");
  EXPECT_EQ(query_.SampleArticles(request, &response).code(), base::Code::kInvalidArgument);
}

}  // namespace
}  // namespace racewatch::store
