#include "classify/model/concept.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "classify/model/analysis.h"
#include "classify/model/training.h"

namespace racewatch::classify {
namespace {

constexpr std::string_view kLexicon =
    "CN\tactor\tchina|chinese|中国\n"
    "US\tactor\tunited states|u.s.|美国\n"
    "THIRD\tactor\teurope|欧洲\n"
    "CNFIRM\tactor\thuawei|华为\n"
    "USFIRM\tactor\tnvidia\n"
    "LEAD\tconcept\tlead|领先\n"
    "PASS\tconcept\tovertake|overtaken|beat|超过|强\n"
    "LAG\tconcept\tlag|落后\n"
    "RESTRICT\tconcept\tban|export ban|禁令\n"
    "SHOULD\tconcept\tshould|应\n"
    "NEG\tconcept\tnot|不\n"
    "SAY\tconcept\tsaid|称\n"
    "PASSIVE\tconcept\tby|被\n"
    "THAN\tconcept\tthan|比\n"
    "export\ttopic\texport ban\n"
    "NOISE\tnone\t应用|不断\n";

std::set<std::string> Features(std::string_view text) {
  static const FoldTable fold{TraditionalToSimplified()};
  static const Lexicon lexicon = Lexicon::Parse("test", kLexicon, fold).value();
  static const ConceptRules rules(lexicon.classes());
  Analysis analysis;
  analysis.ReadTokens("", text, fold);
  analysis.ReadConcepts("", text, lexicon, rules);
  std::set<std::string> names;
  for (const ConceptFeature& f : analysis.concepts) names.insert(FeatureName(f, lexicon.classes()));
  return names;
}

TEST(ConceptStream, ReadsEnglishAndChineseAsTheSameStatement) {
  for (const char* text : {"China will overtake the United States.", "中国超过美国。", "中國超過美國。"})
    EXPECT_TRUE(Features(text).count("concept:CN>PASS>US")) << text;
}

TEST(ConceptStream, FirmsStandForTheirCountryInStatements) {
  EXPECT_TRUE(Features("Huawei beat Nvidia").count("concept:CN>PASS>US"));
  EXPECT_TRUE(Features("Huawei beat Nvidia").count("class:CNFIRM"));
}

TEST(ConceptStream, TurnsPassivesRound) {
  EXPECT_TRUE(Features("China was overtaken by the United States").count("deed:US>PASS>CN"));
  EXPECT_TRUE(Features("美国被中国超过").count("deed:CN>PASS>US"));
}

TEST(ConceptStream, ReadsComparisonsInOrder) { EXPECT_TRUE(Features("中国比美国强").count("deed:CN>PASS>US")); }

TEST(ConceptStream, NegationMarksTheNextConceptOfItsClauseOnly) {
  EXPECT_TRUE(Features("China does not lead").count("pair:CN+!LEAD"));
  EXPECT_FALSE(Features("China does not sleep, it will lead").count("concept:!LEAD"));
}

TEST(ConceptStream, SaysWhoIsAhead) {
  EXPECT_TRUE(Features("China will lead").count("ahead:CN"));
  EXPECT_TRUE(Features("China does not lead").count("ahead:US"));
  EXPECT_TRUE(Features("美国落后").count("ahead:CN"));
}

TEST(ConceptStream, NamesTheSpeaker) {
  EXPECT_TRUE(Features("China said the ban should end").count("says:CN:RESTRICT"));
}

TEST(ConceptStream, ShouldMeetsTheMeasure) { EXPECT_TRUE(Features("We should ban it").count("concept:SHOULD>RESTRICT")); }

TEST(Lexicon, TermsOfKindNoneHideWhatLiesInside) {
  EXPECT_FALSE(Features("应用不断").count("class:SHOULD"));
  EXPECT_TRUE(Features("中国应领先").count("class:SHOULD"));
}

TEST(Lexicon, TheLongestTermGivesAllItsClasses) {
  const auto names = Features("an export ban");
  EXPECT_TRUE(names.count("class:RESTRICT"));
  EXPECT_TRUE(names.count("class:export"));
}

TEST(Lexicon, AMalformedLineIsNamed) {
  const auto lexicon = Lexicon::Parse("f.tsv", "A\tactor\tx\nB\tverb\ty\n", FoldTable());
  ASSERT_FALSE(lexicon.ok());
  EXPECT_EQ(lexicon.status().message().substr(0, 8), "f.tsv:2:");
}

}  // namespace
}  // namespace racewatch::classify
