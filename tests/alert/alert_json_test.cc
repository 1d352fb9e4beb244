// Golden files: RACEWATCH_REWRITE_GOLDEN=1 writes them anew; review the diff.
#include "store/alert/alert_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "racewatch/v1/alert.pb.h"

namespace racewatch::store {
namespace {

const std::string kFolder = RACEWATCH_SOURCE_DIR "/tests/alert/testdata/";

std::string ReadFile(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

v1::Alert Example(v1::AlertState state) {
  v1::Alert alert;
  alert.set_id("00112233445566778899aabbccddeeff");
  alert.set_sequence(state == v1::ALERT_STATE_OPEN ? 1 : state == v1::ALERT_STATE_UPDATE ? 2 : 3);
  alert.set_rule("theme_burst");
  alert.set_key("theme=chips_compute");
  alert.set_state(state);
  alert.mutable_opened_at()->set_seconds(1767618600);
  alert.mutable_at()->set_seconds(1767618600 + 600 * (alert.sequence() - 1));
  alert.mutable_series()->set_theme("chips_compute");
  alert.set_window("1h");
  alert.set_observed(31);
  alert.set_expected(4.26312);
  alert.set_score(6.1);
  alert.set_publishers(9);
  alert.set_stories(12);
  alert.set_coverage(0.96875);
  v1::AlertEvidence& dated = *alert.add_evidence();
  dated.set_article_id("ffeeddccbbaa99887766554433221100");
  dated.set_title("Fab \"N3\" halts \xE2\x80\x93 for now");
  dated.set_url("https://example.com/a");
  dated.set_publisher("example.com");
  dated.mutable_published()->set_seconds(1767618000);
  dated.mutable_published()->set_nanos(250000000);
  dated.set_snippet("The plant stopped on Monday.");
  dated.add_labels("theme:chips_compute");
  dated.add_labels("lean:neutral");
  v1::AlertEvidence& undated = *alert.add_evidence();
  undated.set_article_id("ffeeddccbbaa99887766554433221101");
  undated.set_title("Undated");
  alert.set_model_version("2026-01-01");
  alert.set_taxonomy_version("1");
  return alert;
}

void CompareWithGolden(const v1::Alert& alert) {
  const std::string path = kFolder + std::string(AlertStateName(alert)) + ".json";
  const std::string json = AlertJson(alert) + "\n";
  if (std::getenv("RACEWATCH_REWRITE_GOLDEN") != nullptr) std::ofstream(path) << json;
  EXPECT_EQ(ReadFile(path), json) << path;
}

TEST(AlertJsonTest, EachStateIsAsInItsGoldenFile) {
  CompareWithGolden(Example(v1::ALERT_STATE_OPEN));
  CompareWithGolden(Example(v1::ALERT_STATE_UPDATE));
  CompareWithGolden(Example(v1::ALERT_STATE_CLOSE));
}

TEST(AlertJsonTest, TheSchemaRequiresExactlyTheFieldsThatAreWritten) {
  const auto schema = nlohmann::json::parse(ReadFile(RACEWATCH_SOURCE_DIR "/docs/alert.schema.json"));
  const auto alert = nlohmann::json::parse(AlertJson(Example(v1::ALERT_STATE_OPEN)));
  const auto names = [](const nlohmann::json& object) {
    std::vector<std::string> keys;
    for (const auto& [key, value] : object.items()) keys.push_back(key);
    return keys;
  };
  EXPECT_THAT(names(alert), testing::UnorderedElementsAreArray(schema["required"].get<std::vector<std::string>>()));
  EXPECT_THAT(names(alert), testing::UnorderedElementsAreArray(names(schema["properties"])));
  EXPECT_EQ(schema["additionalProperties"], false);
  const auto& evidence = schema["properties"]["evidence"];
  EXPECT_EQ(evidence["minItems"], 1);
  EXPECT_THAT(names(alert["evidence"][0]), testing::UnorderedElementsAreArray(evidence["items"]["required"].get<std::vector<std::string>>()));
}

TEST(AlertJsonTest, HeadersAreCloudEventsInBinaryMode) {
  using Pair = std::pair<std::string, std::string>;
  EXPECT_THAT(AlertHeaders(Example(v1::ALERT_STATE_UPDATE)),
              testing::ElementsAre(Pair("ce_specversion", "1.0"), Pair("ce_id", "00112233445566778899aabbccddeeff/2"),
                                   Pair("ce_source", "/racewatch/store"), Pair("ce_type", "racewatch.alert.v1"),
                                   Pair("ce_time", "2026-01-05T13:20:00Z"), Pair("ce_subject", "00112233445566778899aabbccddeeff"),
                                   Pair("content-type", "application/json")));
  EXPECT_EQ(AlertRecordKey(Example(v1::ALERT_STATE_OPEN)), "theme_burst|theme=chips_compute");
}

TEST(AlertJsonTest, InvalidUtf8AndNonFiniteNumbersStillGiveValidJson) {
  v1::Alert alert = Example(v1::ALERT_STATE_OPEN);
  alert.set_model_version("bad \xFF byte");
  alert.set_score(1.0 / 0.0);
  EXPECT_TRUE(nlohmann::json::accept(AlertJson(alert)));
}

}  // namespace
}  // namespace racewatch::store
