#include "store/apply.h"

#include <gtest/gtest.h>

#include "tests/store/article_maker.h"

namespace racewatch::store {
namespace {

constexpr Freeze kOpen{};

Sighting Sight(const v1::TaggedArticle& article) {
  v1::TaggedArticle parsed;
  auto sighting = ReadSighting(ToRecord(article), &parsed);
  EXPECT_TRUE(sighting.ok()) << sighting.status().ToString();
  return std::move(sighting).value();
}

std::string ReasonFor(const base::Record& record) {
  v1::TaggedArticle parsed;
  const auto sighting = ReadSighting(record, &parsed);
  return sighting.ok() ? "(fine)" : DeadLetterReason(sighting.status());
}

TEST(ReadSightingTest, RefusesWhatCannotBeCountedWithAReason) {
  base::Record garbage = ToRecord(MakeArticle(1));
  garbage.value = "\xff\xff\xff not a message";
  EXPECT_EQ(ReasonFor(garbage), "undecodable");

  auto no_id = MakeArticle(1);
  no_id.mutable_article()->set_id("42");
  EXPECT_EQ(ReasonFor(ToRecord(no_id)), "invalid_article");

  base::Record other_key = ToRecord(MakeArticle(1));
  other_key.key = TestId(2);
  EXPECT_EQ(ReasonFor(other_key), "key_mismatch");

  auto untagged = MakeArticle(1);
  untagged.clear_tags();
  EXPECT_EQ(ReasonFor(ToRecord(untagged)), "invalid_tags");

  auto theme = MakeArticle(1);
  theme.mutable_tags()->mutable_themes(0)->set_id("weather");
  EXPECT_EQ(ReasonFor(ToRecord(theme)), "invalid_tags");

  auto position = MakeArticle(1);
  position.mutable_tags()->mutable_stance(0)->set_position("maybe");
  EXPECT_EQ(ReasonFor(ToRecord(position)), "invalid_tags");

  auto lean = MakeArticle(1);
  lean.mutable_tags()->mutable_lean()->set_label("moon");
  EXPECT_EQ(ReasonFor(ToRecord(lean)), "invalid_tags");

  auto torn = MakeArticle(1);
  auto* second = torn.mutable_tags()->add_stance();
  second->set_target("export_controls");
  second->set_position("against");
  EXPECT_EQ(ReasonFor(ToRecord(torn)), "invalid_tags");
}

TEST(ReadSightingTest, ADateInTheYear9999CountsAtItsFirstFetch) {
  auto article = MakeArticle(1);
  SetTime(article.mutable_article()->mutable_published(), 253'402'214'400'000);
  const Sighting sighting = Sight(article);
  EXPECT_EQ(sighting.what.event.ms, sighting.fetched_at_ms);
}

TEST(ReadSightingTest, AnUnknownDateStaysUnknown) {
  auto none = MakeArticle(1);
  none.mutable_article()->set_date_source(v1::DATE_SOURCE_NONE);
  EXPECT_EQ(Sight(none).what.event.ms, 0);
  auto absent = MakeArticle(1);
  absent.mutable_article()->clear_published();
  EXPECT_EQ(Sight(absent).what.event.ms, 0);
}

TEST(DecideTest, TheGreatestBodyQualityThenTimeThenHashWinsInAnyOrder) {
  auto base_version = MakeArticle(1);
  auto better_body = base_version;
  base_version.mutable_article()->set_body_quality(v1::BODY_QUALITY_SUMMARY);
  auto later = base_version;
  SetTime(later.mutable_article()->mutable_revision_at(), kTestNow + 5000);
  auto greater_hash = base_version;
  greater_hash.mutable_article()->set_content_hash("00000000000000ab");
  for (const auto& winner : {better_body, later, greater_hash}) {
    const auto first = Decide(Sight(base_version), std::nullopt, kOpen, kTestNow);
    EXPECT_EQ(Decide(Sight(winner), first.row, kOpen, kTestNow).outcome, Outcome::kRevised);
    const auto won = Decide(Sight(winner), std::nullopt, kOpen, kTestNow);
    const auto late = Decide(Sight(base_version), won.row, kOpen, kTestNow);
    EXPECT_EQ(late.outcome, Outcome::kStaleRevision);
    EXPECT_FALSE(late.changed);
    EXPECT_TRUE(late.counts.empty());
  }
}

TEST(DecideTest, ARevisionTakesTheOldLabelsOutAndPutsTheNewOnesIn) {
  const auto first = Decide(Sight(MakeArticle(1)), std::nullopt, kOpen, kTestNow);
  auto revised = MakeArticle(1);
  revised.mutable_article()->set_content_hash("00000000000000ff");
  revised.mutable_tags()->mutable_themes(0)->set_id("markets");
  const auto second = Decide(Sight(revised), first.row, kOpen, kTestNow);
  ASSERT_EQ(second.counts.size(), 2u);
  EXPECT_EQ(second.counts[0].sign, -1);
  EXPECT_EQ(second.counts[0].what.labels, first.row.counted.labels);
  EXPECT_EQ(second.counts[1].sign, 1);
  EXPECT_TRUE(Matches(second.counts[1].what.labels, ThemeSeries(*base::IndexOf(base::kThemes, "markets"))));
}

TEST(DecideTest, TheFirstLiveSightingPromotesABackfilledArticleOnce) {
  auto backfilled = MakeArticle(1);
  backfilled.mutable_article()->set_lane(v1::LANE_BACKFILL);
  const auto first = Decide(Sight(backfilled), std::nullopt, kOpen, kTestNow);
  EXPECT_FALSE(first.row.counted.live);
  EXPECT_EQ(first.counts.size(), 1u) << "a backfilled article must not feed the counters of first taggings";
  const auto promoted = Decide(Sight(MakeArticle(1)), first.row, kOpen, kTestNow);
  EXPECT_EQ(promoted.outcome, Outcome::kDuplicate);
  EXPECT_TRUE(promoted.row.counted.live);
  EXPECT_TRUE(promoted.counts.back().first);
  EXPECT_FALSE(Decide(Sight(MakeArticle(1)), promoted.row, kOpen, kTestNow).changed);
  EXPECT_FALSE(Decide(Sight(backfilled), promoted.row, kOpen, kTestNow).changed);
}

TEST(DecideTest, AnArticleOfAFrozenDayIsTooLate) {
  const Sighting sighting = Sight(MakeArticle(1));
  const auto day = static_cast<uint32_t>(sighting.what.event.ms / kMsPerDay);
  EXPECT_EQ(Decide(sighting, std::nullopt, {day + 1, 90}, kTestNow).outcome, Outcome::kTooLate);
  EXPECT_EQ(Decide(sighting, std::nullopt, {day, 90}, kTestNow).outcome, Outcome::kStored);
}

TEST(DecideTest, AnArticleFetchedLongAfterItsDayIsTooLateByItself) {
  auto article = MakeArticle(1, kTestNow - 95 * kMsPerDay);
  SetTime(article.mutable_article()->mutable_fetched_at(), kTestNow);
  EXPECT_EQ(Decide(Sight(article), std::nullopt, kOpen, kTestNow).outcome, Outcome::kTooLate);
}

TEST(ArticleRowTest, SurvivesItsBinaryForm) {
  ArticleRow row = Decide(Sight(MakeArticle(7)), std::nullopt, kOpen, kTestNow).row;
  row.story = std::string(16, 's');
  row.redacted = true;
  row.version = 1234567;
  const auto back = ArticleRow::Decode(row.Encode());
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->Encode(), row.Encode());
  EXPECT_EQ(back->counted, row.counted);
  EXPECT_FALSE(ArticleRow::Decode(row.Encode().substr(1)).ok());
}

TEST(DetailTest, CutsLongTextBetweenCharactersAndKeepsOnlyEvidenceInside) {
  auto article = MakeArticle(1);
  std::string text;
  while (text.size() < 5000) text += "\xe6\x99\xb6";  // three bytes each, so 2000 falls inside a character
  article.mutable_article()->set_text(text);
  article.mutable_tags()->add_evidence()->set_length(10);
  article.mutable_tags()->add_evidence()->set_start(4000);
  v1::TaggedArticle kept;
  ASSERT_TRUE(kept.ParseFromString(EncodeDetail(&article, false)));
  EXPECT_EQ(kept.article().text().size(), 1998u);
  EXPECT_EQ(kept.tags().evidence_size(), 1);
}

}  // namespace
}  // namespace racewatch::store
