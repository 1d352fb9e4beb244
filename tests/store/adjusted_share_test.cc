// Shares corrected for the errors of the model: the arithmetic, and which windows may be corrected at all.
#include <gtest/gtest.h>

#include <random>

#include "racewatch/v1/store_service.pb.h"
#include "racewatch/v1/tagged_article.pb.h"
#include "store/applier.h"
#include "store/codec.h"
#include "store/error_rates.h"
#include "store/generation_engine.h"
#include "store/http_params.h"
#include "store/progress.h"
#include "store/query.h"
#include "tests/fakes/manual_clock.h"
#include "tests/store/article_maker.h"
#include "tests/store/fake_engine.h"

namespace racewatch::store {
namespace {

constexpr base::UnixMs kHour = 3'600'000;
constexpr base::UnixMs kDayStart = kTestNow / 86'400'000 * 86'400'000;

TEST(AdjustShareTest, TurnsErrorsBackAndStaysWithinZeroAndOne) {
  const SeriesRates rates{0.8, 0.1};
  EXPECT_NEAR(AdjustShare({0.45, 0.45, 0.45}, rates).value, 0.5, 1e-12);
  const Share share = AdjustShare({0.2, 0.05, 0.9}, rates);
  EXPECT_NEAR(share.value, 1.0 / 7, 1e-12);
  EXPECT_EQ(share.low, 0) << "fewer than the faults alone would give";
  EXPECT_EQ(share.high, 1) << "more than all hits would give";
}

// A stream in which the label is much rarer than in training: counting alone says 13 %, of which most are faults.
TEST(AdjustShareTest, FindsTheTrueShareOfAStreamThatIsNotLikeTheTraining) {
  std::mt19937_64 dice(5);
  const auto chance = [&dice](double p) { return static_cast<double>(dice() >> 11) * 0x1p-53 < p; };
  const SeriesRates rates{0.7, 0.1};
  for (const double truth : {0.05, 0.5, 0.9}) {
    constexpr uint64_t kArticles = 40'000;
    uint64_t given = 0;
    for (uint64_t i = 0; i < kArticles; ++i) given += chance(chance(truth) ? rates.true_positive : rates.false_positive);
    const Share raw = WilsonShare(given, kArticles), adjusted = AdjustShare(raw, rates);
    EXPECT_NEAR(adjusted.value, truth, 0.015);
    EXPECT_GT(std::fabs(raw.value - truth), 0.05) << "else there is nothing to correct";
    EXPECT_LE(adjusted.low, truth + 0.005);
    EXPECT_GE(adjusted.high, truth - 0.005);
  }
}

TEST(ErrorRatesTest, TakesLabelsThatAreSeriesAndTellThemApart) {
  ErrorRates rates("m1");
  EXPECT_TRUE(rates.Add("theme:markets", {0.7, 0.1}));
  EXPECT_TRUE(rates.Add("stance:china_parity:favor", {0.5, 0.05}));
  EXPECT_TRUE(rates.Add("lean:us", {0.6, 0.2}));
  for (const char* wrong : {"theme:weather", "stance:china_parity", "stance:china_parity:maybe", "relevance", "", "theme", "lean:us:favor"})
    EXPECT_FALSE(rates.Add(wrong, {0.9, 0.1})) << wrong;
  EXPECT_FALSE(rates.Add("theme:censorship", {0.15, 0.1})) << "as good as a coin";
  EXPECT_FALSE(rates.Add("theme:censorship", {0.1, 0.5}));
  EXPECT_EQ(rates.Of({ThemeSeries(5), kAllSlice})->true_positive, 0.7);
  EXPECT_FALSE(rates.Of({ThemeSeries(5), kLanguageSlice}).has_value()) << "not measured by language";
  EXPECT_FALSE(rates.Of({kRelevantSeries, kAllSlice}).has_value());
}

class AdjustedTrendsTest : public testing::Test {
 protected:
  AdjustedTrendsTest() {
    auto rates = std::make_shared<ErrorRates>("m2");
    EXPECT_TRUE(rates->Add("theme:chips_compute", {0.8, 0.1}));
    query_.SetErrorRates(std::move(rates));
  }
  // `marked` of `count` articles of this hour are on chips.
  void Count(base::UnixMs hour, const std::string& model, int count, int marked, uint32_t generation = 0) {
    GenerationEngine active(engine_);
    ASSERT_TRUE(active.Bind().ok());
    Applier applier(active, {});
    applier.SetModel(generation, generation == 0 ? std::nullopt : std::optional(model));
    ASSERT_TRUE(applier.Reload().ok());
    std::vector<base::Record> records;
    for (int i = 0; i < count; ++i) {
      auto article = MakeArticle(next_++, hour + i * 1000);
      article.mutable_tags()->set_model_version(model);
      if (i >= marked) article.mutable_tags()->mutable_themes(0)->set_id("markets");
      records.push_back(ToRecord(article));
    }
    Batch batch;
    ASSERT_TRUE(applier.Apply(records, kTestNow, &batch).ok());
    ASSERT_TRUE(active.Commit(batch).ok());
  }
  // Of one series; each window as hours since kDayStart → corrected share, -1 where there is none.
  std::map<int64_t, double> Adjusted(v1::Window window, const std::string& language = "") {
    v1::GetTrendsRequest request;
    request.set_window(window);
    request.add_series()->set_theme("chips_compute");
    request.mutable_series(0)->set_language(language);
    request.mutable_from()->set_seconds(kDayStart / 1000);
    request.mutable_to()->set_seconds(kDayStart / 1000 + 86400);
    response_.Clear();
    const base::Status status = query_.GetTrends(request, &response_);
    EXPECT_TRUE(status.ok()) << status.ToString();
    std::map<int64_t, double> out;
    for (const auto& point : response_.series(0).points())
      out[point.has_start() ? point.start().seconds() / 3600 - kDayStart / kHour : -1] = point.has_adjusted_share() ? point.adjusted_share() : -1;
    return out;
  }

  fakes::ManualClock clock_{kTestNow};
  FakeEngine engine_;
  GenerationEngine active_{engine_};
  Query query_{active_, clock_};
  v1::GetTrendsResponse response_;
  uint64_t next_ = 1;
};

TEST_F(AdjustedTrendsTest, StandBesideTheRawOnesWithTheirInterval) {
  Count(kDayStart + 2 * kHour, "m2", 20, 9);
  EXPECT_NEAR(Adjusted(v1::WINDOW_HOUR)[2], 0.5, 1e-12);
  const v1::TrendPoint& point = response_.series(0).points(0);
  EXPECT_EQ(point.share(), 0.45) << "the raw one stays";
  EXPECT_NEAR(point.adjusted_share_low(), (point.share_low() - 0.1) / 0.7, 1e-12);
  EXPECT_NEAR(point.adjusted_share_high(), (point.share_high() - 0.1) / 0.7, 1e-12);
  EXPECT_EQ(response_.series(0).true_positive_rate(), 0.8);
  EXPECT_EQ(response_.series(0).false_positive_rate(), 0.1);
  EXPECT_TRUE(ToCsv(response_).starts_with("start,theme,target,position,lean,language,publisher_group,articles,stories,publishers,share,share_low,"
                                           "share_high,coverage,query,adjusted_share,adjusted_share_low,adjusted_share_high\r\n"));
  EXPECT_NE(ToCsv(response_).find(",1,,0.49999999999999994,0.2259969403651"), std::string::npos) << ToCsv(response_);
  EXPECT_NEAR(Adjusted(v1::WINDOW_DAY)[0], 0.5, 1e-12);
  EXPECT_NEAR(Adjusted(v1::WINDOW_ALL)[-1], 0.5, 1e-12);
  EXPECT_EQ(Adjusted(v1::WINDOW_HOUR, "en")[2], -1) << "not measured by language";
  EXPECT_FALSE(response_.series(0).has_true_positive_rate());
  EXPECT_NE(ToCsv(response_).find(",,,,\r\n"), std::string::npos) << "columns without a value: " << ToCsv(response_);
  query_.SetErrorRates(nullptr);
  EXPECT_EQ(Adjusted(v1::WINDOW_HOUR)[2], -1);
}

TEST_F(AdjustedTrendsTest, AreAbsentWhereAnotherModelTaggedAnything) {
  Count(kDayStart + 2 * kHour, "m1", 20, 9);
  Count(kDayStart + 4 * kHour, "m1", 20, 9);
  Count(kDayStart + 4 * kHour, "m2", 20, 9);  // the hour of the change
  Count(kDayStart + 5 * kHour, "m2", 20, 9);
  auto hours = Adjusted(v1::WINDOW_HOUR);
  EXPECT_EQ(hours.size(), 3u);
  EXPECT_EQ(hours[2], -1);
  EXPECT_EQ(hours[4], -1);
  EXPECT_NEAR(hours[5], 0.5, 1e-12);
  EXPECT_EQ(Adjusted(v1::WINDOW_DAY)[0], -1);
  EXPECT_EQ(Adjusted(v1::WINDOW_ALL)[-1], -1);
  v1::CompareTrendsRequest compare;
  compare.add_series()->set_theme("chips_compute");
  compare.mutable_a_from()->set_seconds(kDayStart / 1000 + 4 * 3600);
  compare.mutable_a_to()->set_seconds(kDayStart / 1000 + 5 * 3600);
  compare.mutable_b_from()->set_seconds(kDayStart / 1000 + 5 * 3600);
  compare.mutable_b_to()->set_seconds(kDayStart / 1000 + 7 * 3600);
  v1::CompareTrendsResponse compared;
  ASSERT_TRUE(query_.CompareTrends(compare, &compared).ok());
  EXPECT_FALSE(compared.comparisons(0).a().has_adjusted_share());
  EXPECT_NEAR(compared.comparisons(0).b().adjusted_share(), 0.5, 1e-12);
  EXPECT_NE(ToCsv(compared).find(",a_adjusted_share,a_adjusted_share_low,a_adjusted_share_high,b_adjusted_share,"), std::string::npos);
}

TEST_F(AdjustedTrendsTest, ALateArticleOfTheFormerModelTakesTheirWindowsOut) {
  Count(kDayStart + 5 * kHour, "m2", 20, 9);
  EXPECT_NE(Adjusted(v1::WINDOW_HOUR)[5], -1);
  Count(kDayStart + 5 * kHour, "m1", 1, 1);
  EXPECT_EQ(Adjusted(v1::WINDOW_HOUR)[5], -1);
}

TEST_F(AdjustedTrendsTest, ArticlesWithoutAnHourKeepTheirDayOrAllTimeOut) {
  Count(kDayStart + 5 * kHour, "m2", 20, 9);
  GenerationEngine active(engine_);
  ASSERT_TRUE(active.Bind().ok());
  Applier applier(active, {});
  ASSERT_TRUE(applier.Reload().ok());
  auto undated = MakeArticle(500), day_only = MakeArticle(501, kDayStart + 86'400'000);
  undated.mutable_article()->set_date_source(v1::DATE_SOURCE_NONE);
  day_only.mutable_article()->set_date_precision(v1::DATE_PRECISION_DAY);
  Batch batch;
  ASSERT_TRUE(applier.Apply({ToRecord(undated), ToRecord(day_only)}, kTestNow + 2 * 86'400'000, &batch).ok());
  ASSERT_TRUE(active.Commit(batch).ok());
  EXPECT_NE(Adjusted(v1::WINDOW_DAY)[0], -1) << "neither is of this day";
  EXPECT_EQ(Adjusted(v1::WINDOW_ALL)[-1], -1);
}

TEST_F(AdjustedTrendsTest, AGenerationOfTheModelIsCorrectedWhateverTaggedTheFormerOne) {
  Count(kDayStart + 2 * kHour, "m1", 20, 9);
  Generations generations{.active = 2, .last = 2, .all = {{0, Generation::State::kClosed, "m1", 1, 1}, {2, Generation::State::kActive, "m2", 1, 2}}};
  Batch batch;
  batch.Put(Table::kMeta, std::string(kGenerationsKey), generations.Encode());
  ASSERT_TRUE(engine_.Commit(batch).ok());
  ASSERT_TRUE(active_.Bind().ok());
  Count(kDayStart + 2 * kHour, "m2", 20, 9, 2);
  EXPECT_NE(Adjusted(v1::WINDOW_HOUR)[2], -1);
  Count(kDayStart + 2 * kHour, "m1", 1, 1, 2);  // a tagger that still has the former model
  EXPECT_EQ(Adjusted(v1::WINDOW_HOUR)[2], -1);
}

TEST_F(AdjustedTrendsTest, WhatAnOlderBuildCountedIsOfNoKnownModel) {
  std::string row;  // layout 2
  AppendVarint(&row, 2);
  AppendSigned(&row, kDayStart + 3 * kHour);
  AppendVarint(&row, static_cast<uint64_t>(kDayStart / kHour));
  AppendText(&row, "m2");
  Batch batch;
  batch.Put(Table::kMeta, ProgressKey({"racewatch.tagged.v1", 0}), row);
  ASSERT_TRUE(engine_.Commit(batch).ok());
  Count(kDayStart + 2 * kHour, "m2", 20, 9);
  Count(kDayStart + 6 * kHour, "m2", 20, 9);
  EXPECT_EQ(Adjusted(v1::WINDOW_HOUR)[2], -1);
  EXPECT_NEAR(Adjusted(v1::WINDOW_HOUR)[6], 0.5, 1e-12);
}

TEST(ProgressTest, RemembersSomeModelsAndTakesTheOldestTogether) {
  Progress progress;
  progress.stream_ms = kTestNow;
  progress.first_hour = 7;
  for (size_t i = 0; i < kModelSpansMax + 5; ++i) progress.Note(0, "m" + std::to_string(i), {static_cast<base::UnixMs>(100 + i) * kHour, false});
  progress.Note(3, "m1", {0, false});
  ASSERT_EQ(progress.models.size(), kModelSpansMax);
  EXPECT_EQ(progress.models[0].model_version, "");
  const auto decoded = Progress::Decode(progress.Encode());
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->models, progress.models);
  EXPECT_EQ(decoded->first_hour, 7u);
  const std::string newest = "m" + std::to_string(kModelSpansMax + 4);
  const auto hour = static_cast<uint32_t>(100 + kModelSpansMax + 4);
  EXPECT_TRUE(progress.IsOf(newest, 0, hour, hour + 1, true)) << "the undated one is of another generation";
  EXPECT_FALSE(progress.IsOf(newest, 0, hour - 1, hour + 1, false));
  EXPECT_FALSE(progress.IsOf("m0", 0, 100, 101, false)) << "no longer known";
  EXPECT_FALSE(progress.IsOf("m0", 3, 0, UINT32_MAX, true));
}

}  // namespace
}  // namespace racewatch::store
