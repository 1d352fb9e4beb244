#include "cli/correction_export.h"

#include <gtest/gtest.h>

namespace racewatch::cli {
namespace {

using Json = nlohmann::ordered_json;

Json Correction(int id, const std::string& article, const std::string& reader, const Json& labels, const std::string& text = "A text.") {
  return {{"id", std::to_string(id)}, {"article_id", article}, {"labels", labels}, {"reader", reader}, {"at", "2026-01-0" + std::to_string(id) + "T00:00:00Z"},
          {"title", text.empty() ? "" : "A title"}, {"text", text}, {"language", "en"}, {"publisher", "paper.example"}};
}

Json Relevant(std::vector<std::string> themes, const Json& stance, const std::string& lean) {
  return {{"relevant", true}, {"themes", std::move(themes)}, {"stance", stance}, {"lean", lean}};
}
const Json kIrrelevant{{"relevant", false}, {"themes", Json::array()}, {"stance", Json::object()}, {"lean", ""}};

TEST(CorrectionExportTest, ARecordNamesReaderAndTimeAndKeepsAnArticleInOneFamily) {
  const auto exported = ExportCorrections({Correction(1, "a1", "Ada", Relevant({"markets"}, {{"china_parity", "favor"}}, "china"))});
  ASSERT_EQ(exported.records.size(), 1u);
  EXPECT_EQ(exported.records[0].dump(),
            R"({"id":"correction-1","family":"a1","title":"A title","text":"A text.","lang":"en","outlet":"paper.example",)"
            R"("origin":"corrected by Ada 2026-01-01T00:00:00Z","labels":{"relevant":true,"themes":["markets"],"stance":{"china_parity":"favor"},"lean":"china"}})");
}

TEST(CorrectionExportTest, OfEachReaderTheLastWordCounts) {
  const auto exported = ExportCorrections({Correction(1, "a1", "Ada", Relevant({"markets"}, Json::object(), "us")), Correction(2, "a1", "Ada", kIrrelevant)});
  ASSERT_EQ(exported.records.size(), 1u);
  EXPECT_EQ(exported.records[0]["labels"], Json({{"relevant", false}}));
  EXPECT_EQ(exported.records[0]["origin"], "corrected by Ada 2026-01-02T00:00:00Z");
}

TEST(CorrectionExportTest, WhatReadersDifferOnIsNotScored) {
  const auto exported = ExportCorrections({Correction(1, "a1", "Ada", Relevant({"markets", "censorship"}, {{"china_parity", "favor"}, {"ai_regulation", "against"}}, "us")),
                                           Correction(2, "a1", "Grace", Relevant({"markets"}, {{"china_parity", "against"}, {"ai_regulation", "against"}}, "neutral")),
                                           Correction(3, "a1", "Alan", kIrrelevant)});
  ASSERT_EQ(exported.records.size(), 1u);
  const Json& record = exported.records[0];
  EXPECT_EQ(record["labels"].dump(), R"({"relevant":true,"themes":["markets"],"stance":{"ai_regulation":"against"}})");
  EXPECT_EQ(record["unscored"].dump(), R"(["relevant","theme:censorship","stance:china_parity","lean"])");
  EXPECT_EQ(record["origin"], "corrected by Ada 2026-01-01T00:00:00Z, Grace 2026-01-02T00:00:00Z, Alan 2026-01-03T00:00:00Z");
}

TEST(CorrectionExportTest, AnArticleWithoutItsTextIsLeftOutAndCounted) {
  const auto exported = ExportCorrections({Correction(1, "a1", "Ada", kIrrelevant, ""), Correction(2, "a2", "Ada", kIrrelevant)});
  EXPECT_EQ(exported.without_text, 1u);
  ASSERT_EQ(exported.records.size(), 1u);
  EXPECT_EQ(exported.records[0]["family"], "a2");
}

}  // namespace
}  // namespace racewatch::cli
