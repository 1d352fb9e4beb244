// Golden files: each document in testdata/ against the JSON beside it. RACEWATCH_REWRITE_GOLDEN=1
// writes the JSON anew; the diff is then reviewed.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "ingest/feed/feed_json.h"
#include "ingest/feed/feed_parser.h"

namespace racewatch::ingest {
namespace {

namespace fs = std::filesystem;

std::string ReadAll(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(Golden, EveryDocumentGivesItsJson) {
  const bool rewrite = std::getenv("RACEWATCH_REWRITE_GOLDEN") != nullptr;
  size_t documents = 0;
  for (const auto& entry : fs::directory_iterator(RACEWATCH_SOURCE_DIR "/tests/feed/testdata")) {
    if (entry.path().extension() == ".golden") continue;
    ++documents;
    ParseOptions options;
    options.base_url = "https://golden.example/feeds/feed.xml";
    const auto feed = ParseFeed(ReadAll(entry.path()), options);
    ASSERT_TRUE(feed.ok()) << entry.path() << ": " << feed.status().message();
    std::string json;
    AppendFeedJson(*feed, {}, &json);
    // One entry a line, so that a diff can be read.
    for (size_t at = json.find(",{\"id\""); at != std::string::npos;
         at = json.find(",{\"id\"", at + 2))
      json.insert(at + 1, "\n");
    json += '\n';
    const fs::path golden = entry.path().string() + ".golden";
    if (rewrite) std::ofstream(golden, std::ios::binary) << json;
    EXPECT_EQ(ReadAll(golden), json) << entry.path();
  }
  EXPECT_GE(documents, 6u);
}

}  // namespace
}  // namespace racewatch::ingest
