#include "cli/dead_letters.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/bus/dead_letter.h"
#include "base/bus/embedded_log.h"
#include "base/bus/topics.h"
#include "base/clock.h"
#include "base/log.h"
#include "cli/bus.h"
#include "racewatch/v1/article.pb.h"

namespace racewatch::cli {
namespace {

using Json = nlohmann::json;
using std::chrono::milliseconds;

std::vector<Json> Lines(const std::string& text) {
  std::vector<Json> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(Json::parse(line));
  return lines;
}

base::Record Original(const std::string& key, std::string value) {
  base::Record record;
  record.topic = base::kArticlesTopic;
  record.partition = 3;
  record.offset = 17;
  record.key = key;
  record.value = std::move(value);
  record.headers.push_back({"schema", "racewatch.v1.Article"});
  return record;
}

class DeadLettersTest : public testing::Test {
 protected:
  DeadLettersTest() {
    std::filesystem::remove_all(dir_);
    bus_ = Bus::Open({}, "test", dir_, clock_, log_).value();
  }
  ~DeadLettersTest() override {
    bus_.reset();
    std::filesystem::remove_all(dir_);
  }

  void Bury(const base::Record& original, const char* stage, const char* reason) {
    auto sink = bus_->MakeSink().value();
    ASSERT_TRUE(sink->Send(base::MakeDeadLetter(original, stage, reason, "a detail", 2), [](const base::Delivery&) {}).ok());
    ASSERT_TRUE(sink->Close(milliseconds(5000)).ok());
  }
  std::vector<base::Record> Articles() {
    base::SourceOptions options;
    options.topics = {std::string(base::kArticlesTopic)};
    auto source = bus_->MakeSource(options).value();
    return source->Poll({}, milliseconds(0)).value();
  }

  // One per test: they run as processes side by side.
  const std::string dir_ = testing::TempDir() + "dead_letters_" + testing::UnitTest::GetInstance()->current_test_info()->name();
  base::SystemClock clock_;
  base::Log log_{{false, base::LogLevel::kError, "test"}};
  std::unique_ptr<Bus> bus_;
};

TEST_F(DeadLettersTest, AnEmptyTopicListsNothing) { EXPECT_EQ(DeadLetters(*bus_).List({}, 10).value(), ""); }

TEST_F(DeadLettersTest, ListsTheNewestThatPassTheFilter) {
  for (int n = 0; n < 5; ++n) Bury(Original("k" + std::to_string(n), "x"), n % 2 == 0 ? "tagger" : "store", "undecodable");
  DeadLetters letters(*bus_);
  EXPECT_EQ(Lines(letters.List({}, 100).value()).size(), 5u);
  const auto taggers = Lines(letters.List({.stage = "tagger", .reason = "", .topic = "", .positions = {}}, 100).value());
  ASSERT_EQ(taggers.size(), 3u);
  EXPECT_EQ(taggers[0]["reason"], "undecodable");
  EXPECT_EQ(taggers[0]["topic"], base::kArticlesTopic);
  EXPECT_EQ(taggers[0]["offset"], 17);
  EXPECT_EQ(taggers[0]["attempts"], 2);
  EXPECT_EQ(Lines(letters.List({}, 2).value()).size(), 2u);
}

TEST_F(DeadLettersTest, ShowsAValueAsWhatItsTopicHoldsOrAsText) {
  v1::Article article;
  article.set_title("A title");
  Bury(Original("good", article.SerializeAsString()), "store", "invalid_tags");
  Bury(Original("bad", "\xff\xfe no article"), "tagger", "undecodable");
  DeadLetters letters(*bus_);
  std::map<std::string, Json> shown;
  for (const Json& line : Lines(letters.List({}, 10).value()))
    shown[line["key"]] = Json::parse(letters.Show(line["position"]).value());
  EXPECT_EQ(shown["good"]["value"]["title"], "A title");
  EXPECT_EQ(shown["good"]["headers"]["schema"], "racewatch.v1.Article");
  EXPECT_NE(shown["bad"]["value_text"].get<std::string>().find("no article"), std::string::npos);
  EXPECT_EQ(letters.Value(shown["bad"]["position"]).value(), "\xff\xfe no article");
  EXPECT_EQ(letters.Show("0/999").status().code(), base::Code::kNotFound);
}

TEST_F(DeadLettersTest, RequeueGivesTheOriginalBackToItsTopic) {
  const base::Record original = Original("k", "the bytes");
  Bury(original, "tagger", "classify_failed");
  Bury(Original("other", "y"), "store", "invalid_tags");
  const auto lines = Lines(DeadLetters(*bus_).Requeue({.stage = "", .reason = "classify_failed", .topic = "", .positions = {}}).value());
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0], Json({{"requeued", 1}, {"refused", 0}}));
  const auto articles = Articles();
  ASSERT_EQ(articles.size(), 1u);
  EXPECT_EQ(articles[0].key, original.key);
  EXPECT_EQ(articles[0].value, original.value);
  EXPECT_EQ(articles[0].headers, original.headers);
}

TEST_F(DeadLettersTest, ALetterThatWasCutIsRefusedByName) {
  Bury(Original("large", std::string(base::kDeadLetterBytesMax + 1, 'x')), "tagger", "too_large");
  const auto lines = Lines(DeadLetters(*bus_).Requeue({}).value());
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_NE(lines[0]["error"].get<std::string>().find("65536 of 65537 bytes"), std::string::npos);
  EXPECT_EQ(lines[1], Json({{"requeued", 0}, {"refused", 1}}));
  EXPECT_TRUE(Articles().empty());
}

}  // namespace
}  // namespace racewatch::cli
